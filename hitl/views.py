from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.serializers import ProblemSerializer
from core.viewsets import APIView, GenericViewSet
from hitl.bulk import Item, Result, decide_each
from hitl.filters import RequestFilter
from hitl.models import HitlRequest
from hitl.selectors import request_list_for, requests_for
from hitl.serializers import (
    BulkInput,
    BulkResults,
    DecisionAnswer,
    DecisionInput,
    DecisionSerializer,
    RequestListSerializer,
    RequestSerializer,
)
from hitl.services import decide
from hitl.statistics import statistics
from hitl.statistics_serializers import StatisticsQuery, StatisticsSerializer
from hitl.thread_views import INPUTS, OUTPUTS, ThreadMixin
from projects.access import get_visible_project

CHANNEL = "rest"
EXPIRED = OpenApiResponse(ProblemSerializer, "`expired`: the time for this decision has passed.")


class RequestViewSet(ThreadMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Questions to people, each bound to exactly what it shows."""

    queryset = HitlRequest.objects.all()
    serializer_class = RequestSerializer
    outputs = {"list": RequestListSerializer, "decisions": DecisionSerializer} | OUTPUTS
    inputs = {"decide": DecisionInput, "bulk_decisions": BulkInput} | INPUTS
    filterset_class = RequestFilter
    paged = ("list", "decisions", "comments")

    def visible(self) -> QuerySet:
        select = request_list_for if self.action == "list" else requests_for
        return select(self.request.user)

    @extend_schema(responses=DecisionSerializer(many=True), filters=False)
    @action(detail=True)
    def decisions(self, request: Request, pk: UUID) -> Response:
        """What was decided on a request."""
        page = self.paginate_queryset(self.get_object().decisions.select_related("decided_by"))
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
        decision = decide(request_id=pk, actor=Actor.of_user(request.user), channel=CHANNEL, **data)
        answer = {
            "decision": DecisionSerializer(decision).data,
            "request": self.output(requests_for(request.user).get(pk=pk)),
        }
        return Response(answer, status.HTTP_201_CREATED)

    @extend_schema(request=BulkInput, responses=BulkResults)
    @action(detail=False, methods=["post"], url_path="bulk-decisions")
    def bulk_decisions(self, request: Request) -> Response:
        """The same decision on up to 200 requests: one result an item, never all or nothing."""
        said = self.input(request)
        said["items"] = [Item(**item) for item in said["items"]]
        results = decide_each(actor=Actor.of_user(request.user), channel=CHANNEL, **said)
        return Response({"results": [_as_alone(result) for result in results]})


def _as_alone(result: Result) -> dict[str, Any]:
    """As the same decision alone would be answered, in short."""
    answer: dict[str, Any] = {"request": str(result.request), "status": status.HTTP_201_CREATED}
    if error := result.error:
        answer |= {"status": error.status, "code": error.code, "detail": error.detail}
    return answer


class StatisticsView(APIView):
    """How much is asked, and how people decide."""

    queries = {"get": StatisticsQuery}

    @extend_schema(
        operation_id="hitl_statistics",
        parameters=[StatisticsQuery],
        responses=StatisticsSerializer,
    )
    def get(self, request: Request) -> Response:
        query = StatisticsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        project_id: Any = query.validated_data.get("project")
        if project_id is not None:
            get_visible_project(request.user, project_id)
        found = statistics(request.user, project_id, query.validated_data["period"])
        return Response(StatisticsSerializer(found).data)
