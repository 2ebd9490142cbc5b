from agents.enums import RequestKind
from agents.models import Task
from agents.services import accept_result, output_reference
from context.enums import VersionStatus
from context.models import Artifact
from context.services import accept_versions, record_version, write_version
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.separation_of_duties import forbids_self_approval, needs_another_person
from hitl.services.records import settle
from projects.transaction import ProjectTransaction


@register
class Amend(Action):
    key = "amend"
    label = "Amend"
    summary = "put your own content in its place"
    shortcut = "m"
    order = 2
    outcome = RequestStatus.AMENDED
    needs_content = True

    def is_allowed_for(self, request: HitlRequest) -> bool:
        """A person can write what a step did not make, but not for a task outside of a workflow."""
        if request.kind == RequestKind.CLARIFICATION:
            return False
        is_empty = request.kind == RequestKind.ESCALATION and not request.subject["outputs"]
        return not is_empty or bool(request.step)

    def consequence(self, request: HitlRequest, follows: str) -> str:
        if needs_another_person(request):
            return (
                "Your text becomes the next version, and another person has to approve it. Until "
                "then nothing goes on."
            )
        if request.kind == RequestKind.ESCALATION and not request.subject["outputs"]:
            return f"Your text stands in for what the agent could not make. {follows}"
        return f"Your text becomes the next version. {follows}"

    def obstacles(self, request: HitlRequest) -> list[str]:
        return ["self_approval"] if forbids_self_approval(request) else []

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        current = request.subject["outputs"]
        if not current:
            # It says what the step should have made.
            task.check_assignment()
        goes_on = data.is_break_glass or not needs_another_person(request)
        decision = settle(tx, request, data, current[1:] if goes_on else ())
        if current:
            artifact = Artifact.objects.get(pk=current[0]["artifact"])
        else:
            artifact, _ = Artifact.objects.get_or_create(
                project=tx.project,
                step=task.step,
                artifact_type=task.handoff["expected_outputs"][0],
                defaults={"title": task.title, "source_agent": task.agent_type, "task": task.pk},
            )
        version = write_version(
            tx,
            artifact,
            content=data.content,
            base_version=current[0]["version"] if current else None,
            comment=data.comment,
            decision=decision.pk,
        )
        if goes_on:
            version.status = VersionStatus.ACCEPTED
        record_version(tx, artifact, version)
        outputs = [output_reference(artifact, version), *current[1:]]
        if goes_on:
            accept_versions(outputs)
            accept_result(tx, task, outputs)
        else:
            # The engine asks the others about the amendment; until then nothing goes on.
            task.result = task.result | {"outputs": outputs}
            task.save(update_fields=["result"])
        return decision
