import base64
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, views
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit import merkle, tree
from audit.access import access_policy
from audit.checkpoints import proof_of
from audit.filters import EventFilter, InstallationFilter
from audit.full_verification import verify_fully
from audit.installation import INSTALLATION
from audit.models import Checkpoint, Event
from audit.serializers import (
    CheckpointSerializer,
    ConsistencyQuerySerializer,
    ConsistencySerializer,
    EventSerializer,
    ProofSerializer,
    TicketSerializer,
    VerificationSerializer,
    VerifyQuerySerializer,
)
from audit.stream.authentication import (
    TICKET_SECONDS,
    Credentials,
    TicketsUnavailable,
    issue_ticket,
)
from core.authentication import Scope
from core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from core.negotiation import AsItIs
from core.pagination import CursorPagination
from core.problems import CONTENT_TYPE
from core.query_parameters import CheckedQuery
from core.serializers import ProblemSerializer
from core.viewsets import APIView, GenericViewSet


class EventPagination(CursorPagination):
    def get_ordering(self, request: Request, queryset: QuerySet, view: Any) -> tuple[str, ...]:
        """Within a project by its sequence, which has the index; over all projects by id."""
        return ("sequence",) if request.query_params.get("project") else ("id",)


class EventViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """The audit trail, oldest first: what happened in the projects that the caller may see."""

    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    pagination_class = EventPagination
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return Event.objects.filter(
            project__in=access_policy().visible_project_ids(self.request.user)
        )

    @extend_schema(
        responses={
            200: ProofSerializer,
            (409, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, "No checkpoint covers it yet."),
        }
    )
    @action(detail=True)
    def proof(self, request: Request, **kwargs: Any) -> Response:
        """Shows that the last signed checkpoint covers this event."""
        if (proof := proof_of(self.get_object())) is None:
            detail = "No checkpoint covers this event yet; one is made every five minutes."
            raise Conflict("not_in_a_checkpoint", detail)
        return Response(proof)


class CheckpointViewSet(mixins.ListModelMixin, GenericViewSet):
    """Signed checkpoints of the whole log, oldest first."""

    queryset = Checkpoint.objects.none()
    serializer_class = CheckpointSerializer
    pagination_class = CursorPagination
    filter_backends = ()

    def visible(self) -> QuerySet:
        """They say how many events there are, and nothing of them: whoever logs in may see them."""
        return Checkpoint.objects.all()


class LatestCheckpointView(APIView):
    """The last signed checkpoint, as a C2SP signed note."""

    content_negotiation_class = AsItIs

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        last = Checkpoint.objects.last()
        if last is None:
            detail = "No checkpoint has been made yet; an operator makes one: manage.py checkpoint."
            raise NotFound("not_found", detail)
        return HttpResponse(last.note, content_type="text/plain; charset=utf-8")


class ConsistencyView(APIView):
    """Shows that the first `old` events are still those of the tree of `new` events."""

    queries = {"get": ConsistencyQuerySerializer}

    @extend_schema(
        parameters=[ConsistencyQuerySerializer],
        responses=ConsistencySerializer,
    )
    def get(self, request: Request) -> Response:
        query = ConsistencyQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        old, new = query.validated_data["old"], query.validated_data["new"]
        if new > (size := tree.tree_size()):
            raise InvalidInput.of("new", "max_value", f"The tree has {size} events so far.")
        path = merkle.consistency_path(old, new, tree.StoredNodes())
        proof = [base64.b64encode(hash).decode() for hash in path]
        return Response({"old": old, "new": new, "proof": proof})


class InstallationPagination(CursorPagination):
    ordering = "sequence"


class InstallationViewSet(mixins.ListModelMixin, GenericViewSet):
    """The log of the installation, oldest first: logins, tokens, users and rights.

    For superusers.
    """

    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = InstallationFilter
    pagination_class = InstallationPagination

    def visible(self) -> QuerySet:
        if not self.request.user.is_superuser:
            detail = "The log of the installation is for superusers."
            raise Forbidden("superuser_required", detail)
        return Event.objects.filter(project=INSTALLATION)


class VerifyView(APIView):
    """Recomputes the hash chain of one project's audit trail, holds other tables against it, and
    the log against the last signed checkpoint.

    Superusers verify the log of the installation by its id, which is all zeros.
    """

    queries = {"get": VerifyQuerySerializer}

    @extend_schema(
        operation_id="audit_verify",
        parameters=[VerifyQuerySerializer],
        responses=VerificationSerializer,
    )
    def get(self, request: Request) -> Response:
        query = VerifyQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        project_id = query.validated_data["project"]
        is_installation = project_id == INSTALLATION and request.user.is_superuser
        if not is_installation and not access_policy().may_see(request.user, project_id):
            raise NotFound("not_found", "There is no such project, or you may not see it.")
        found = verify_fully(project_id)
        first = str(found.rows.problems[0]) if found.rows.problems else None
        return Response(
            found.chain.as_dict()
            | {"valid": found.valid}
            | {"rows_checked": found.rows.checked, "first_row_problem": first}
            | {"checkpoint": asdict(found.checkpoint), "not_checked": found.not_checked}
        )


class Unavailable(DomainError):
    """What it needs is away, for a while."""

    status = 503
    retry_after = 1.0


class TicketView(CheckedQuery, views.APIView):
    """A single-use login for `connection_init`, valid for 30 s. Never put a secret in a URL."""

    # Not ours with the idempotency keys: those keep the answer, and this one is a secret.
    # A ticket opens what may be read, and nothing else.
    scopes = {"post": Scope.READ}

    @extend_schema(
        operation_id="auth_ws_ticket_create", request=None, responses={201: TicketSerializer}
    )
    def post(self, request: Request) -> Response:
        if request.auth is not None:
            credentials = Credentials(request.auth.scheme, request.auth.key_hash)
        else:
            credentials = Credentials(session_key=request.session.session_key)
        try:
            ticket = issue_ticket(credentials)
        except TicketsUnavailable:
            raise Unavailable("redis_away", "No tickets just now. Try again soon.") from None
        return Response({"ticket": ticket, "expires_in": TICKET_SECONDS}, status=201)
