from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from context.artifact_types import artifact_types
from context.serializers import ArtifactTypesSerializer
from context.services import CONTENT_MAX_BYTES
from core.viewsets import APIView


def described(artifact_type: str) -> dict:
    schema = artifact_types[artifact_type].schema.model_json_schema()
    return {
        "artifact_type": artifact_type,
        "description": schema.get("description", ""),
        "max_bytes": CONTENT_MAX_BYTES,
        "schema": {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema,
    }


class ArtifactTypesView(APIView):
    """What the content of each type of artifact looks like, and how large it may be."""

    @extend_schema(operation_id="artifact_types_list", responses=ArtifactTypesSerializer)
    def get(self, request: Request) -> Response:
        types = [described(artifact_type) for artifact_type in artifact_types.values]
        return Response({"count": len(types), "next": None, "previous": None, "results": types})
