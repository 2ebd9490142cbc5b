import csv
from collections.abc import Iterator
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.usage.serializers import UsageSerializer
from agents.usage.totals import COLUMNS, usage_of, usage_rows
from core.negotiation import AsItIs
from core.viewsets import APIView
from projects.access import get_visible_project

# A spreadsheet would take a text that begins so for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


class UsageView(APIView):
    """What the models of a project took, and what is left of its budget."""

    @extend_schema(operation_id="projects_usage", responses=UsageSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = get_visible_project(request.user, project_id)
        return Response(UsageSerializer(usage_of(project)).data)


class UsageTableView(APIView):
    """The same as a table: a line for each day, agent and model."""

    content_negotiation_class = AsItIs

    @extend_schema(
        operation_id="projects_usage_csv", responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, project_id: UUID) -> HttpResponse:
        project = get_visible_project(request.user, project_id)
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="usage-{project.pk}.csv"'
        writer = csv.writer(response)
        writer.writerow(COLUMNS)
        for row in usage_rows(project):
            writer.writerow(_cells(row.values()))
        return response


def _cells(values: object) -> Iterator[object]:
    for value in values:
        is_formula = isinstance(value, str) and value.startswith(FORMULA_SIGNS)
        yield f"'{value}" if is_formula else value
