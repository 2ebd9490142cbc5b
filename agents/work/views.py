"""Work over HTTP, for agents that run elsewhere."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from agents.enums import AttemptOutcome
from agents.models import Task
from agents.work.serializers import (
    AskInput,
    CompleteInput,
    FailInput,
    HeartbeatInput,
    HeartbeatSerializer,
    ReleaseInput,
    ReportedSerializer,
    WorkClaimInput,
    WorkClaimSerializer,
)
from agents.work.services import (
    ask_person,
    claim_work,
    complete_work,
    fail_work,
    release_work,
    renew_lease,
)
from core.errors import NotFound
from core.viewsets import GenericViewSet
from projects.credentials import credential_of
from projects.enums import CredentialScope

NO_WORK = OpenApiResponse(description="There is no work for these agents now.")


class WorkViewSet(GenericViewSet):
    """Tasks of agents that run elsewhere: claimed, kept by heartbeats, and ended by a report.

    409 `lease_lost` is final: somebody else has the task, or nobody wants it any more.
    """

    queryset = Task.objects.all()
    serializer_class = ReportedSerializer
    inputs = {
        "claim": WorkClaimInput,
        "heartbeat": HeartbeatInput,
        "complete": CompleteInput,
        "ask": AskInput,
        "fail": FailInput,
        "release": ReleaseInput,
    }
    credential_scopes = dict.fromkeys(inputs, CredentialScope.WORK)
    filter_backends = ()

    @extend_schema(
        request=WorkClaimInput,
        responses={200: WorkClaimSerializer, 204: NO_WORK},
    )
    def claim(self, request: Request) -> Response:
        """Take the task that has waited longest for one of these agents, with all it is given.

        With `wait`, 204 comes only once nothing was there for so long.
        """
        credential, values = credential_of(request), self.input(request)
        # It is waited around this view, not in it: see `agents.work.waits`.
        del values["wait"]
        claim = claim_work(credential=credential, **values)
        if claim is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(WorkClaimSerializer(claim).data)

    @extend_schema(request=HeartbeatInput, responses=HeartbeatSerializer)
    def heartbeat(self, request: Request, task_id: UUID) -> Response:
        """Still at it: the lease begins anew. `stop` says that the work must end now."""
        lease_expires_at, stop = renew_lease(**self.report(request, task_id))
        facts = {"lease_expires_at": lease_expires_at, "stop": stop}
        return Response(HeartbeatSerializer(facts).data)

    @extend_schema(request=CompleteInput, responses=ReportedSerializer)
    def complete(self, request: Request, task_id: UUID) -> Response:
        """Bring the result: exactly the artifacts that the assignment expects."""
        return self.reported(task_id, complete_work(**self.report(request, task_id)))

    @extend_schema(request=AskInput, responses=ReportedSerializer)
    def ask(self, request: Request, task_id: UUID) -> Response:
        """Ask a person; with the answer, the task is to be claimed again."""
        return self.reported(task_id, ask_person(**self.report(request, task_id)))

    @extend_schema(request=FailInput, responses=ReportedSerializer)
    def fail(self, request: Request, task_id: UUID) -> Response:
        """It failed: what is transient is tried again after a while, else a person is asked."""
        return self.reported(task_id, fail_work(**self.report(request, task_id)))

    @extend_schema(request=ReleaseInput, responses=ReportedSerializer)
    def release(self, request: Request, task_id: UUID) -> Response:
        """Give it back, undone: at once it is there for others, and this attempt does not count."""
        return self.reported(task_id, release_work(**self.report(request, task_id)))

    def report(self, request: Request, task_id: UUID) -> dict[str, Any]:
        if not Task.objects.visible_to(request.user).filter(pk=task_id).exists():
            raise NotFound("not_found", "There is no such task, or you may not see it.")
        credential = credential_of(request)
        return {"credential": credential, "task_id": task_id} | self.input(request)

    def reported(self, task_id: UUID, outcome: AttemptOutcome) -> Response:
        return Response(self.output({"task": task_id, "outcome": outcome}))
