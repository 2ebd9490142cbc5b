"""REST views of requests, statistics and policies."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.authentication import Scope
from core.reauthentication import is_fresh
from core.serializers import NoInput, ProblemSerializer, represent
from core.viewsets import APIView, GenericViewSet
from hitl.bulk import Item, decide_each
from hitl.delegation import Delegation
from hitl.enums import Assurance
from hitl.filters import RequestFilter
from hitl.models import HitlRequest, Loosening, Policy
from hitl.policy import policy_of, with_floor
from hitl.selectors import pending_loosening, request_list_for, requests_for
from hitl.serializers import (
    BulkInput,
    BulkResults,
    CommentInput,
    CommentSerializer,
    DecisionAnswer,
    DecisionInput,
    DecisionSerializer,
    DelegationInput,
    DelegationSerializer,
    LooseningSerializer,
    PolicyChange,
    PolicySerializer,
    ReassignInput,
    RequestListSerializer,
    RequestSerializer,
    StatisticsQuery,
    StatisticsSerializer,
)
from hitl.services import (
    add_comment,
    change_policy,
    claim_request,
    confirm_loosening,
    decide,
    decline_loosening,
    delegate_decisions,
    end_delegation,
    reassign_request,
    release_request,
)
from hitl.statistics import chosen_spans, statistics
from projects.access import get_visible_project
from projects.floor import installation_floor
from projects.models import Project

CHANNEL = "rest"
PROPOSALS_MAX = 100
EXPIRED = OpenApiResponse(ProblemSerializer, "`expired`: the time for this decision has passed.")


def assurance_of(request: Request) -> Assurance:
    """A session may be fresh; a token never is, for it says nothing of who holds it now."""
    if not isinstance(request.successful_authenticator, SessionAuthentication):
        return Assurance.TOKEN
    return Assurance.REAUTHENTICATED if is_fresh(request) else Assurance.SESSION


OUTPUTS = {"comments": CommentSerializer}
# Decisions, comments and claims; everything else that changes something is `manage`.
SCOPES = dict.fromkeys(
    ("decide", "bulk_decisions", "claim", "release", "reassign", "add_comment"), Scope.DECIDE
)
INPUTS = {
    "claim": NoInput,
    "release": NoInput,
    "reassign": ReassignInput,
    "add_comment": CommentInput,
}


class ThreadMixin:
    """Claims and comments. Nothing here decides."""

    @extend_schema(request=NoInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, pk: UUID) -> Response:
        """Claim a request: for a while nobody else can decide on it."""
        return self._hand(request, claim_request)

    @extend_schema(request=NoInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: UUID) -> Response:
        """Give up a claim: everyone who may decide can do so again."""
        return self._hand(request, release_request)

    @extend_schema(request=ReassignInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: UUID) -> Response:
        """Hand the claim to another member who may decide."""
        return self._hand(request, reassign_request)

    @extend_schema(responses=CommentSerializer(many=True), filters=False)
    @action(detail=True)
    def comments(self, request: Request, pk: UUID) -> Response:
        """The thread that all members see, oldest first."""
        thread = self.get_object().comments.select_related("author").order_by("created_at", "id")
        page = self.paginate_queryset(thread)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="hitl_requests_comment",
        request=CommentInput,
        responses={201: CommentSerializer},
    )
    @comments.mapping.post
    def add_comment(self, request: Request, pk: UUID) -> Response:
        """Comment in the thread, also after the decision."""
        actor = Actor.of_user(request.user)
        comment = add_comment(request_id=self.get_object().pk, actor=actor, **self.input(request))
        return Response(CommentSerializer(comment).data, status.HTTP_201_CREATED)

    def _hand(self, request: Request, service: Callable[..., HitlRequest]) -> Response:
        hitl_request, actor = self.get_object(), Actor.of_user(request.user)
        service(request_id=hitl_request.pk, actor=actor, **self.input(request))
        return Response(self.output(requests_for(request.user).get(pk=hitl_request.pk)))


class RequestViewSet(ThreadMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Questions to people, each bound to exactly what it shows."""

    queryset = HitlRequest.objects.all()
    serializer_class = RequestSerializer
    outputs = {"list": RequestListSerializer, "decisions": DecisionSerializer} | OUTPUTS
    inputs = {"decide": DecisionInput, "bulk_decisions": BulkInput} | INPUTS
    scopes = SCOPES
    filterset_class = RequestFilter
    paged = ("list", "decisions", "comments")

    def visible(self) -> QuerySet:
        select = request_list_for if self.action == "list" else requests_for
        return select(self.request.user)

    @extend_schema(responses=DecisionSerializer(many=True), filters=False)
    @action(detail=True)
    def decisions(self, request: Request, pk: UUID) -> Response:
        """What was decided on a request."""
        decisions = self.get_object().decisions.select_related("decided_by", "on_behalf_of")
        page = self.paginate_queryset(decisions)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="hitl_requests_decide",
        request=DecisionInput,
        responses={201: DecisionAnswer, (410, "application/problem+json"): EXPIRED},
    )
    @decisions.mapping.post
    def decide(self, request: Request, pk: UUID) -> Response:
        """Decide, on exactly what was shown."""
        try:
            data = self.input(request)
        except ValidationError:
            # Who may not see the request learns nothing of what it takes: 404 before 400.
            self.get_object()
            raise
        decision = decide(
            request_id=pk,
            actor=Actor.of_user(request.user),
            channel=CHANNEL,
            assurance=assurance_of(request),
            **data,
        )
        answer = {
            "decision": represent(DecisionSerializer, decision),
            # The row as it was locked and changed; what it shows is read after the commit.
            "request": self.output(decision.request),
        }
        return Response(answer, status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="hitl_requests_decide_many", request=BulkInput, responses=BulkResults
    )
    @action(detail=False, methods=["post"], url_path="bulk-decisions")
    def bulk_decisions(self, request: Request) -> Response:
        """The same decision on up to 200 requests: one result an item, never all or nothing."""
        values = self.input(request)
        values["items"] = [Item(**item) for item in values["items"]]
        results = []
        values |= {"channel": CHANNEL, "assurance": assurance_of(request)}
        for result in decide_each(actor=Actor.of_user(request.user), **values):
            # As the same decision alone would be answered, in short.
            row = {"request": str(result.request), "status": status.HTTP_201_CREATED}
            if error := result.error:
                row |= {"status": error.status, "code": error.code, "detail": error.detail}
            results.append(row)
        return Response({"results": results})


class StatisticsView(APIView):
    """How much is asked, and how people decide."""

    queries = {"get": StatisticsQuery}

    @extend_schema(
        parameters=[StatisticsQuery],
        responses=StatisticsSerializer,
    )
    def get(self, request: Request) -> Response:
        query = StatisticsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        project_id: Any = query.validated_data.get("project")
        if project_id is not None:
            get_visible_project(request.user, project_id)
        first, last = (query.validated_data.get(name) for name in ("from", "to"))
        period = chosen_spans(first, last) if first or last else query.validated_data["period"]
        data = statistics(request.user, project_id, period)
        return Response(StatisticsSerializer(data).data)


class PolicyView(APIView):
    """How a project decides: who, how many, by when. Only an owner changes it."""

    serializer_class = PolicyChange

    def get_serializer(self, *args: Any, **kwargs: Any) -> PolicyChange:
        return PolicyChange(*args, **kwargs)

    @extend_schema(responses=PolicySerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = get_visible_project(request.user, project_id)
        return Response(self.shown(policy_of(project.pk), project))

    @extend_schema(
        request=PolicyChange,
        responses={
            200: PolicySerializer,
            202: OpenApiResponse(PolicySerializer, description="What `awaits` holds waits."),
        },
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        """Change how requests that are opened from now on are decided.

        Less strict rules wait for another owner.
        """
        project = get_visible_project(request.user, project_id)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        policy = change_policy(
            project_id=project.pk, actor=Actor.of_user(request.user), **form.validated_data
        )
        project.refresh_from_db(fields=["policy_loosened_at"])
        code = status.HTTP_202_ACCEPTED if getattr(policy, "awaits", None) else status.HTTP_200_OK
        return Response(self.shown(policy, project), code)

    def shown(self, policy: Policy, project: Project) -> dict[str, Any]:
        policy = with_floor(policy, installation_floor())
        policy.project = project
        policy.awaits = pending_loosening(project)
        return PolicySerializer(policy).data


class ProposalListView(APIView):
    """Less strict rules: what waits for another owner, and what became of earlier proposals."""

    serializer_class = LooseningSerializer

    @extend_schema(responses=LooseningSerializer(many=True))
    def get(self, request: Request, project_id: UUID) -> Response:
        """Less strict rules that were proposed: the newest 100 first."""
        project = get_visible_project(request.user, project_id)
        rows = project.loosenings.select_related("proposed_by", "decided_by")
        newest = rows.order_by("-created_at", "-id")[:PROPOSALS_MAX]
        return Response(LooseningSerializer(newest, many=True).data)


class ConfirmView(APIView):
    """Another owner agrees to less strict rules."""

    serializer_class = NoInput

    @extend_schema(request=NoInput, responses=LooseningSerializer)
    def post(self, request: Request, project_id: UUID, proposal_id: UUID) -> Response:
        """Agree to less strict rules: they hold from now on. Not for who proposed them."""
        return answer_proposal(request, project_id, proposal_id, confirm_loosening)


class DeclineView(APIView):
    """An owner is against less strict rules, or takes the own proposal back."""

    serializer_class = NoInput

    @extend_schema(request=NoInput, responses=LooseningSerializer)
    def post(self, request: Request, project_id: UUID, proposal_id: UUID) -> Response:
        """Decline less strict rules, or take back an own proposal: the rules stay."""
        return answer_proposal(request, project_id, proposal_id, decline_loosening)


def answer_proposal(
    request: Request, project_id: UUID, proposal_id: UUID, service: Callable[..., Loosening]
) -> Response:
    project = get_visible_project(request.user, project_id)
    NoInput(data=request.data).is_valid(raise_exception=True)
    actor = Actor.of_user(request.user)
    loosening = service(project_id=project.pk, loosening_id=proposal_id, actor=actor)
    return Response(LooseningSerializer(loosening).data)


class DelegationViewSet(mixins.ListModelMixin, GenericViewSet):
    """Who is away from a project now or later, and who decides for them meanwhile."""

    queryset = Delegation.objects.all()
    serializer_class = DelegationSerializer
    inputs = {"create": DelegationInput}
    filter_backends = ()

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        rows = project.delegations.current().select_related("delegator", "delegate")
        return rows.order_by("starts_at", "id")

    @extend_schema(request=DelegationInput, responses={201: DelegationSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """The caller is away; `delegate`, an owner or approver, decides for them meanwhile."""
        project = get_visible_project(request.user, project_id)
        delegation = delegate_decisions(
            project_id=project.pk, actor=Actor.of_user(request.user), **self.input(request)
        )
        return Response(self.output(delegation), status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, pk: UUID) -> Response:
        """End it before its time. For who is away, who stands in, and owners."""
        project = get_visible_project(request.user, project_id)
        actor = Actor.of_user(request.user)
        end_delegation(project_id=project.pk, actor=actor, delegation_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
