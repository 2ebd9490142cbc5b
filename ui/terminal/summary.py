"""What is said when the command ends."""

from uuid import UUID

from context.models import Artifact, ArtifactVersion
from projects.models import Project
from ui.terminal.console import Terminal
from ui.terminal.statuses import ExitStatus

GOES_ON = {
    ExitStatus.PERSON_NEEDED: "The project waits for a person.",
    ExitStatus.TIMED_OUT: "The project goes on without this command.",
    ExitStatus.NO_WORKER: "The project waits for a worker.",
    ExitStatus.INTERRUPTED: "The project stays as it is and goes on without this command.",
}


def close(terminal: Terminal, project_id: UUID, status: ExitStatus) -> None:
    project = Project.objects.get(pk=project_id)
    if text := GOES_ON.get(status):
        terminal.say()
        terminal.say(f"{text} To follow it: manage.py run_project --resume {project_id}")
        return
    list_artifacts(terminal, project)
    terminal.say()
    reason = f": {project.status_reason}" if project.status_reason else ""
    terminal.say(f"{project.name} is {project.status}{reason}", "bold")


def list_artifacts(terminal: Terminal, project: Project) -> None:
    terminal.say()
    terminal.say("Artifacts", "bold")
    for artifact in Artifact.objects.filter(project=project).order_by("created_at", "id"):
        number = artifact.accepted_version or artifact.version
        version = ArtifactVersion.objects.select_related("author").get(
            artifact=artifact, number=number
        )
        maker = version.author.get_username() if version.author else version.source_agent
        served_by = ":".join(filter(None, (version.provider, version.model)))
        label = f"{maker}, {served_by}" if served_by else maker
        terminal.say(
            f"  {artifact.artifact_type:<22} version {number:<3} {version.status:<10} "
            f"{artifact.title} ({label})"
        )
