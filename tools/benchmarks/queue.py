"""Any number of pending requests: the first of each project by the agents' way, then its copies."""

from copy import copy
from itertools import cycle, islice

from django.contrib.auth.models import User
from django.db import connection, models
from django.utils import timezone

from agents.models import Task
from agents.protocols import Completed, Output, Usage
from agents.services import claim_task, finish_task, request_task
from audit.actors import Actor
from context.models import Artifact, ArtifactVersion
from core.database import as_owner
from core.ids import new_id
from hitl.digests import digest_of
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import add_member, create_project

KINDS = (Task, Artifact, ArtifactVersion, HitlRequest)
CONTENT = {"summary": "What was found.", "body": "# Findings\n\n" + "One line of many.\n" * 40}


class Queue:
    """Requests for `person`, spread over the projects of somebody else."""

    def __init__(self, projects: int) -> None:
        self.owner = User.objects.create_user("queue-owner")
        self.person = User.objects.create_user("queue-person", is_staff=True)
        self.first = [_Original(self._asked(self._project(n))) for n in range(projects)]

    def fill(self, wanted: int) -> None:
        """Until so many are pending."""
        missing = wanted - HitlRequest.objects.pending().count()
        firsts = islice(cycle(self.first), missing)
        copies = [first.copied() for first in firsts]
        for model, rows in zip(KINDS, zip(*copies, strict=True), strict=True):
            model.objects.bulk_create(rows, batch_size=1000)
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _project(self, number: int) -> Project:
        owner = Actor.of_user(self.owner)
        project = create_project(
            actor=owner, name=f"Queue {number}", brief="Many questions.", auto_start=False
        )
        add_member(project_id=project.pk, actor=owner, user=self.person, role="approver")
        return project

    def _asked(self, project: Project) -> HitlRequest:
        task = request_task(
            actor=Actor.of_user(self.owner),
            project_id=project.pk,
            agent_type="analyst",
            instructions="Find out.",
        )
        outcome = Completed((Output("agent_output", "Findings", CONTENT),), Usage("instant"))
        finish_task(claim=claim_task(task_id=task.pk, worker="bench:1:1"), outcome=outcome)
        advance_project(project.pk)
        return HitlRequest.objects.pending().get(task=task)


class _Original:
    """A request with all its rows, and more of the same, as tasks of their own would leave them."""

    def __init__(self, request: HitlRequest) -> None:
        self.request, self.task = request, request.task
        self.output = request.subject["outputs"][0]
        self.artifact = Artifact.objects.get(pk=self.output["artifact"])
        self.version = ArtifactVersion.objects.get(artifact=self.artifact)

    def copied(self) -> tuple[models.Model, ...]:
        """In the order of `KINDS`."""
        task, artifact, request = map(_renewed, (self.task, self.artifact, self.request))
        outputs = [self.output | {"artifact": str(artifact.pk)}]
        task.result = task.result | {"outputs": outputs}
        artifact.task = task.pk
        version = copy(self.version)
        version.pk, version.artifact, version.task = None, artifact, task.pk
        request.task = task
        request.subject = request.subject | {"task": str(task.pk), "outputs": outputs}
        request.subject_digest = digest_of(request.subject)
        return task, artifact, version, request


def _renewed(row: models.Model) -> models.Model:
    row = copy(row)
    row._state = copy(row._state)
    row.pk, row.created_at = new_id(), timezone.now()
    return row
