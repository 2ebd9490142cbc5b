from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from context.diff import diff_contents
from context.models import Artifact, ArtifactVersion
from context.selectors import get_version
from context.serializers import DiffQuery, DiffSerializer
from context.side_by_side import compare_contents
from core.content_security import STRICT


class DiffAction:
    """The difference between two versions; for ArtifactViewSet."""

    @extend_schema(
        parameters=[DiffQuery],
        responses={
            (200, "application/json"): DiffSerializer,
            (200, "text/html"): OpenApiTypes.STR,
        },
        filters=False,
    )
    @action(detail=True)
    def diff(self, request: Request, pk: UUID) -> Response | HttpResponse:
        """By section, by file and by field; as a page side by side with `as=html`."""
        artifact = self.get_object()
        query = DiffQuery(data={name: n for name, n in request.query_params.items() if n})
        query.is_valid(raise_exception=True)
        to = query.validated_data.get("to", artifact.version)
        old = get_version(artifact, query.validated_data.get("from", max(to - 1, 1)))
        new = get_version(artifact, to)
        if query.validated_data["as"] == "html":
            return page_of(request, artifact, old, new)
        return Response(DiffSerializer(difference(artifact, old, new)).data)


def difference(artifact: Artifact, old: ArtifactVersion, new: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "from": old.number,
        "to": new.number,
        "from_sha256": old.sha256,
        "to_sha256": new.sha256,
        **diff_contents(artifact.artifact_type, old.content, new.content),
    }


def page_of(
    request: Request, artifact: Artifact, old: ArtifactVersion, new: ArtifactVersion
) -> HttpResponse:
    """Agents wrote what is compared: everything is escaped, and no script may run."""
    shown = {
        "artifact": artifact,
        "old": old.number,
        "new": new.number,
        "files": compare_contents(artifact.artifact_type, old.content, new.content),
    }
    response = render(request._request, "ui/context/diff.html", shown)
    response["Content-Security-Policy"] = STRICT
    return response
