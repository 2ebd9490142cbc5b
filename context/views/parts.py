from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from context.models import Artifact, ArtifactVersion
from context.selectors import get_version
from context.serializers import (
    ConceptQuery,
    ConceptSerializer,
    SectionQuery,
    SectionSerializer,
)


class PartsActions:
    """Smaller pieces of one version than the whole; for ArtifactViewSet."""

    @extend_schema(parameters=[SectionQuery], responses=SectionSerializer(many=True), filters=False)
    @action(detail=True)
    def sections(self, request: Request, pk: UUID) -> Response:
        """The sections of a version, in order, each with its text; joined, they are the whole."""
        version, wanted = self.asked_version(request, SectionQuery)
        sections = version.sections.filter(**wanted).select_related("body").order_by("position")
        page = self.paginate_queryset(sections)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(parameters=[ConceptQuery], responses=ConceptSerializer(many=True), filters=False)
    @action(detail=True)
    def concepts(self, request: Request, pk: UUID) -> Response:
        """The requirements, decisions, questions, endpoints and entities that a version names."""
        version, wanted = self.asked_version(request, ConceptQuery)
        concepts = version.concepts.filter(**wanted).select_related("body").order_by("position")
        page = self.paginate_queryset(concepts)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def asked_version(
        self, request: Request, query_class: type[serializers.Serializer]
    ) -> tuple[ArtifactVersion, dict]:
        """The version of `?version=`, else the last one, and the other parameters."""
        artifact: Artifact = self.get_object()
        query = query_class(data={name: v for name, v in request.query_params.items() if v})
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        return get_version(artifact, wanted.pop("version", artifact.version)), wanted
