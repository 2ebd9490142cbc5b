from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from context.lineage import as_prov, lineage_of
from context.serializers import LineageQuery, LineageSerializer


class LineageActions:
    """Where a version came from; for ArtifactViewSet."""

    @extend_schema(parameters=[LineageQuery], responses=LineageSerializer, filters=False)
    @action(detail=True)
    def lineage(self, request: Request, pk: UUID) -> Response:
        """What a version was made from, by whom and how, and what was made from it (W3C PROV)."""
        version, wanted = self.asked_version(request, LineageQuery)
        lineage = lineage_of(version, **wanted)
        return Response(LineageSerializer(as_prov(lineage)).data)
