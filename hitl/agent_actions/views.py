"""REST views of actions, of agents' credentials and of standing approvals."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, parsers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from audit.stream.waits import WAIT_MAX_SECONDS
from core.errors import InvalidInput, TooLarge
from core.idempotency import KEY
from core.schema import ETAG, IDEMPOTENCY_KEY_SCHEMA, IF_NONE_MATCH, NOT_MODIFIED
from core.serializers import ProblemSerializer
from core.viewsets import GenericViewSet
from hitl.agent_actions.asks import ask_action, cancel_action
from hitl.agent_actions.claims import (
    claim_action,
    renew_action_lease,
    report_outcome,
)
from hitl.agent_actions.digests import parse_exactly
from hitl.agent_actions.grants import public_keys
from hitl.agent_actions.records import etag_of_state
from hitl.agent_actions.serializers import (
    ActionCancelInput,
    ActionClaimInput,
    ActionClaimSerializer,
    ActionDetailSerializer,
    ActionHeartbeat,
    ActionInput,
    ActionSerializer,
    CredentialInput,
    CredentialSerializer,
    FenceInput,
    NewCredentialSerializer,
    OutcomeInput,
    StandingApprovalSerializer,
)
from hitl.agent_actions.standing_approvals import revoke_standing_approval
from hitl.enums import ActionStatus
from hitl.models import AgentAction, Decision, HitlRequest, StandingApproval
from projects.access import MANAGE, get_visible_project, require_role
from projects.credentials import create_credential, credential_of, revoke_credential
from projects.enums import CredentialScope
from projects.models import AgentCredential, Project

ASK, READ = CredentialScope.ASK, CredentialScope.READ
RETRY_AFTER = "5"
BODY_MAX = 2 * 1024 * 1024
GONE = OpenApiResponse(ProblemSerializer, "`approval_expired`: its time is over; ask anew.")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    IDEMPOTENCY_KEY_SCHEMA,
    OpenApiParameter.HEADER,
    required=True,
    description="Of this ask, as long as the action lives: a lost answer is repeated.",
)
WAIT = OpenApiParameter(
    "wait",
    {"type": "integer", "minimum": 0, "maximum": WAIT_MAX_SECONDS, "default": 0},
    description=f"Answer after so many seconds (0 to {WAIT_MAX_SECONDS}), or once it has changed.",
)


class ExactJSONParser(parsers.JSONParser):
    """Nothing is lost between what is sent and what is hashed."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.body if hasattr(stream, "body") else stream.read()
        if len(body) > BODY_MAX:
            raise TooLarge("too_large", "The body is larger than 2 MiB.")
        return parse_exactly(body)


class ActionFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    status = django_filters.ChoiceFilter(choices=ActionStatus.choices)
    call_digest = django_filters.CharFilter()
    effect = django_filters.CharFilter()

    class Meta:
        model = AgentAction
        fields: list[str] = []


def actions_for(user: Any, project: Project | None = None) -> QuerySet[AgentAction]:
    """Those that the user may see; of one project, where it is known that they see it."""
    mine = AgentAction.objects
    mine = mine.filter(project=project) if project else mine.visible_to(user)
    decisions = Decision.objects.select_related("decided_by")
    requests = HitlRequest.objects.prefetch_related(Prefetch("decisions", decisions)).defer(
        "subject"
    )
    return mine.prefetch_related(Prefetch("requests", requests)).order_by("-created_at", "-id")


class ActionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """What agents are about to do: asked, decided, claimed, reported."""

    queryset = AgentAction.objects.all()
    serializer_class = ActionDetailSerializer
    outputs = {"list": ActionSerializer}
    parser_classes = (ExactJSONParser,)
    inputs = {
        "ask": ActionInput,
        "claim": ActionClaimInput,
        "heartbeat": FenceInput,
        "outcome": OutcomeInput,
        "cancel": ActionCancelInput,
    }
    credential_scopes = {
        "list": ASK,
        "retrieve": ASK,
        "ask": ASK,
        "claim": ASK,
        "heartbeat": ASK,
        "outcome": ASK,
        "cancel": ASK,
    }
    filterset_class = ActionFilter

    def visible(self) -> QuerySet:
        project = None
        if "project_id" in self.kwargs:
            project = get_visible_project(self.request.user, self.kwargs["project_id"])
        return actions_for(self.request.user, project)

    def known_names(self, request: Request) -> set[str]:
        can_wait = self.action in ("retrieve", "ask")
        return super().known_names(request) | ({"wait"} if can_wait else set())

    def check_wait(self) -> None:
        """It is waited around this view, not in it: see `hitl.agent_actions.waits`."""
        text = self.request.query_params.get("wait", "0")
        if not text.isdecimal() or len(text) > 2 or int(text) > WAIT_MAX_SECONDS:
            detail = f"Send whole seconds from 0 to {WAIT_MAX_SECONDS}."
            raise InvalidInput.of("wait", "out_of_range", detail)

    @extend_schema(
        parameters=[WAIT, IF_NONE_MATCH, ETAG],
        responses={200: ActionDetailSerializer} | NOT_MODIFIED,
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show one action as it is now.

        With `wait`, as soon as it is no longer as `If-None-Match` says, or, without that, no longer
        pending.
        """
        self.check_wait()
        response = super().retrieve(request, *args, **kwargs)
        etag = etag_of(response.data)
        if request.headers.get("If-None-Match") == etag:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        response.headers["ETag"] = etag
        if response.data["status"] == ActionStatus.PENDING:
            response.headers["Retry-After"] = RETRY_AFTER
        return response

    @extend_schema(
        operation_id="projects_actions_ask",
        parameters=[WAIT, IDEMPOTENCY_KEY],
        request=ActionInput,
        responses={201: ActionDetailSerializer, 202: ActionDetailSerializer},
    )
    def ask(self, request: Request, project_id: UUID) -> Response:
        """Ask for approval of a call, with all its arguments.

        201 where a standing approval decides it at once, else 202. The same call with the same
        `Idempotency-Key` answers with the action as it is now; with `wait`, once it is decided.
        """
        self.check_wait()
        get_visible_project(request.user, project_id)
        credential = credential_of(request)
        key = request.headers.get("Idempotency-Key", "")
        if not KEY.fullmatch(key):
            detail = "Send a key of 1 to 255 visible ASCII characters: a lost answer is repeated."
            raise InvalidInput.of("Idempotency-Key", "required", detail)
        action, is_new = ask_action(
            project_id=project_id,
            credential=credential,
            idempotency_key=key,
            **self.input(request),
        )
        data = self.current(action.pk)
        is_decided = data["status"] != ActionStatus.PENDING
        headers = {"Location": reverse("action-detail", args=[action.pk]), "ETag": etag_of(data)}
        if not is_decided:
            headers["Retry-After"] = RETRY_AFTER
        if not is_new:
            headers["Idempotency-Replayed"] = "true"
        code = status.HTTP_201_CREATED if is_decided else status.HTTP_202_ACCEPTED
        return Response(data, code, headers=headers)

    @extend_schema(
        request=ActionClaimInput,
        responses={200: ActionClaimSerializer, (410, "application/problem+json"): GONE},
    )
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, pk: UUID) -> Response:
        """Claim an action that was approved, once. What is handed out is what runs.

        With the same `Idempotency-Key` a lost answer is repeated, as long as the claim holds.
        """
        action_id = self.get_object().pk
        credential, values = credential_of(request), self.input(request)
        key = request.headers.get("Idempotency-Key", "")
        if key and not KEY.fullmatch(key):
            detail = "Use a key of 1 to 255 visible ASCII characters."
            raise InvalidInput.of("Idempotency-Key", "invalid", detail)
        claim = claim_action(
            action_id=action_id,
            credential=credential,
            key=key,
            has_precondition="precondition" in values,
            **values,
        )
        facts = {
            "fence": claim.action.fence,
            "arguments": ActionSerializer().get_arguments(claim.action),
            "grant": claim.grant,
            "lease_expires_at": claim.action.lease_expires_at,
        }
        return Response(ActionClaimSerializer(facts).data)

    @extend_schema(request=FenceInput, responses=ActionHeartbeat)
    @action(detail=True, methods=["post"])
    def heartbeat(self, request: Request, pk: UUID) -> Response:
        """Keep a claim: the lease begins anew."""
        action_id = self.get_object().pk
        credential, values = credential_of(request), self.input(request)
        row, stop = renew_action_lease(action_id=action_id, credential=credential, **values)
        facts = {"lease_expires_at": row.lease_expires_at, "stop": stop}
        return Response(ActionHeartbeat(facts).data)

    @extend_schema(request=OutcomeInput, responses=ActionDetailSerializer)
    @action(detail=True, methods=["post"])
    def outcome(self, request: Request, pk: UUID) -> Response:
        """Report how an action ended. The same report again is replayed."""
        action_id = self.get_object().pk
        credential, values = credential_of(request), self.input(request)
        row = report_outcome(action_id=action_id, credential=credential, **values)
        return Response(self.current(row.pk))

    @extend_schema(request=ActionCancelInput, responses=ActionDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Take an action back, by who asked."""
        action_id = self.get_object().pk
        credential, values = credential_of(request), self.input(request)
        row = cancel_action(action_id=action_id, credential=credential, **values)
        return Response(self.current(row.pk))

    def current(self, action_id: UUID) -> dict[str, Any]:
        return self.output(actions_for(self.request.user).get(pk=action_id))


def etag_of(data: dict[str, Any]) -> str:
    """Of what a waiting client would want to learn."""
    return etag_of_state(data["status"], data["request"], data["action_digest"])


class CredentialViewSet(mixins.ListModelMixin, GenericViewSet):
    """Credentials of agents that run elsewhere. Only an owner sees and makes them."""

    queryset = AgentCredential.objects.all()
    serializer_class = CredentialSerializer
    inputs = {"create": CredentialInput}
    secrets = ("token",)
    filter_backends = ()
    lookup_url_kwarg = "cid"

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        require_role(self.request.user, project.pk, MANAGE)
        return project.credentials.select_related("created_by").order_by("-created_at", "-id")

    @extend_schema(request=CredentialInput, responses={201: NewCredentialSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """Create a credential; its token is shown once."""
        project = get_visible_project(request.user, project_id)
        credential, token = create_credential(
            project_id=project.pk, actor=Actor.of_user(request.user), **self.input(request)
        )
        data = self.output(credential) | {"token": token}
        return Response(data, status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, cid: UUID) -> Response:
        """Revoke a credential: it is worth nothing from now on, also for what was approved."""
        project = get_visible_project(request.user, project_id)
        actor = Actor.of_user(request.user)
        revoke_credential(project_id=project.pk, actor=actor, credential_id=cid)
        return Response(status=status.HTTP_204_NO_CONTENT)


class StandingApprovalViewSet(mixins.ListModelMixin, GenericViewSet):
    """What people have approved ahead: so many calls, within bounds, for a while."""

    queryset = StandingApproval.objects.all()
    serializer_class = StandingApprovalSerializer
    filter_backends = ()
    lookup_url_kwarg = "rule"

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        return project.standing_approvals.order_by("-created_at", "-id")

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, rule: UUID) -> Response:
        """Revoke a standing approval; what was approved by it stays approved."""
        project = get_visible_project(request.user, project_id)
        actor = Actor.of_user(request.user)
        revoke_standing_approval(project_id=project.pk, actor=actor, rule_id=rule)
        return Response(status=status.HTTP_204_NO_CONTENT)


def jwks(request: HttpRequest) -> JsonResponse:
    """The public keys that grants are verified with."""
    response = JsonResponse(public_keys())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
