"""REST views of artifacts."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from context.artifact_types import artifact_types
from context.diff import diff_versions
from context.filters import ArtifactFilter
from context.lineage import as_prov, lineage_of
from context.models import Artifact, ArtifactVersion
from context.selectors import artifacts_for, get_version, versions_of
from context.serializers import (
    ArtifactDetailSerializer,
    ArtifactInput,
    ArtifactSerializer,
    ArtifactTypesSerializer,
    ConceptQuery,
    ConceptSerializer,
    DiffQuery,
    DiffSerializer,
    LineageQuery,
    LineageSerializer,
    SectionQuery,
    SectionSerializer,
    UploadInput,
    VersionDetailSerializer,
    VersionInput,
    VersionSerializer,
)
from context.services import (
    CONTENT_MAX_BYTES,
    UPLOAD_MAX_BYTES,
    add_version,
    create_artifact,
    upload_file,
)
from context.services.uploads import too_large
from context.side_by_side import compare_contents
from context.staleness import with_staleness
from core.content_security import STRICT
from core.schema import CONTENT_CHANGED
from core.viewsets import APIView, GenericViewSet
from projects.enums import CredentialScope

READ = CredentialScope.READ
FORM_BYTES = 64 * 1024
VERSION_NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH)


class ArtifactViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """What the work produces and what people hand in."""

    queryset = Artifact.objects.all()
    serializer_class = ArtifactDetailSerializer
    outputs = {
        "list": ArtifactSerializer,
        "versions": VersionSerializer,
        "sections": SectionSerializer,
        "concepts": ConceptSerializer,
        "lineage": LineageSerializer,
    }
    inputs = {"create": ArtifactInput, "upload": UploadInput, "add": VersionInput}
    filterset_class = ArtifactFilter
    paged = ("list", "versions", "sections", "concepts")
    credential_scopes = {"list": READ, "retrieve": READ, "versions": READ, "version": READ}
    queries = {
        "sections": SectionQuery,
        "concepts": ConceptQuery,
        "diff": DiffQuery,
        "lineage": LineageQuery,
    }

    def visible(self) -> QuerySet:
        return artifacts_for(self.request.user, with_content=self.action == "retrieve")

    def paginate_queryset(self, queryset: QuerySet) -> list:
        page = super().paginate_queryset(queryset)
        return with_staleness(page) if self.action == "list" else page

    def get_object(self) -> Artifact:
        artifact = super().get_object()
        return with_staleness([artifact])[0] if self.action == "retrieve" else artifact

    @extend_schema(request=ArtifactInput, responses={201: ArtifactDetailSerializer})
    def create(self, request: Request) -> Response:
        """Create a person's own artifact."""
        values = self.input(request)
        artifact = create_artifact(
            actor=Actor.of_user(request.user), project_id=values.pop("project"), **values
        )
        return self.created(artifact)

    @extend_schema(
        request={"multipart/form-data": UploadInput}, responses={201: ArtifactDetailSerializer}
    )
    @action(detail=False, methods=["post"], parser_classes=[MultiPartParser])
    def upload(self, request: Request) -> Response:
        """Hand in a text file, as `user_input`."""
        # Before any of it is read. The form around the file needs some room, too.
        if int(request.META.get("CONTENT_LENGTH") or 0) > UPLOAD_MAX_BYTES + FORM_BYTES:
            raise too_large()
        values = self.input(request)
        file = values.pop("file")
        artifact = upload_file(
            actor=Actor.of_user(request.user),
            project_id=values.pop("project"),
            name=file.name,
            data=file.read(),
            **values,
        )
        return self.created(artifact)

    def created(self, artifact: Artifact) -> Response:
        location = {"Location": reverse("artifact-detail", args=[artifact.pk])}
        rows = artifacts_for(self.request.user, with_content=True).filter(pk=artifact.pk)
        [artifact] = with_staleness(rows)
        return Response(self.output(artifact), status.HTTP_201_CREATED, headers=location)

    @extend_schema(responses=VersionSerializer(many=True), filters=False)
    @action(detail=True)
    def versions(self, request: Request, pk: UUID) -> Response:
        """All versions, oldest first, without contents."""
        page = self.paginate_queryset(versions_of(self.get_object()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="artifacts_versions_create",
        request=VersionInput,
        responses={201: VersionDetailSerializer},
    )
    @versions.mapping.post
    def add(self, request: Request, pk: UUID) -> Response:
        """Add a person's next version, a draft until someone else decides on it."""
        artifact = self.get_object()
        version = add_version(
            actor=Actor.of_user(request.user), artifact_id=artifact.pk, **self.input(request)
        )
        data = VersionDetailSerializer(get_version(artifact, version.number)).data
        location = {"Location": reverse("artifact-version", args=[artifact.pk, version.number])}
        return Response(data, status.HTTP_201_CREATED, headers=location)

    @extend_schema(parameters=[VERSION_NUMBER], responses=VersionDetailSerializer)
    @action(detail=True, url_path="versions/<int:number>")
    def version(self, request: Request, pk: UUID, number: int) -> Response:
        """One version with its content."""
        return Response(VersionDetailSerializer(get_version(self.get_object(), number)).data)

    @extend_schema(parameters=[SectionQuery], responses=SectionSerializer(many=True), filters=False)
    @action(detail=True)
    def sections(self, request: Request, pk: UUID) -> Response:
        """The sections of a version, in order, each with its text; joined, they are the whole."""
        version, filters = self.chosen_version(request, SectionQuery)
        sections = version.sections.filter(**filters).select_related("body").order_by("position")
        page = self.paginate_queryset(sections)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(parameters=[ConceptQuery], responses=ConceptSerializer(many=True), filters=False)
    @action(detail=True)
    def concepts(self, request: Request, pk: UUID) -> Response:
        """The requirements, decisions, questions, endpoints and entities that a version names."""
        version, filters = self.chosen_version(request, ConceptQuery)
        concepts = version.concepts.filter(**filters).select_related("body").order_by("position")
        page = self.paginate_queryset(concepts)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(parameters=[LineageQuery], responses=LineageSerializer, filters=False)
    @action(detail=True)
    def lineage(self, request: Request, pk: UUID) -> Response:
        """What a version was made from, by whom and how, and what was made from it (W3C PROV)."""
        version, options = self.chosen_version(request, LineageQuery)
        return Response(LineageSerializer(as_prov(lineage_of(version, **options))).data)

    def chosen_version(
        self, request: Request, query_class: type[serializers.Serializer]
    ) -> tuple[ArtifactVersion, dict[str, Any]]:
        """The version of `?version=`, else the last one, and the other parameters."""
        artifact = self.get_object()
        parameters = validated_query(request, query_class)
        return get_version(artifact, parameters.pop("version", artifact.version)), parameters

    @extend_schema(
        parameters=[DiffQuery],
        responses={
            (200, "application/json"): DiffSerializer,
            (200, "text/html"): OpenApiTypes.STR,
        }
        | CONTENT_CHANGED,
        filters=False,
    )
    @action(detail=True)
    def diff(self, request: Request, pk: UUID) -> Response | HttpResponse:
        """Compare two versions by section, by file and by field.

        With `as=html`, as a page that shows them side by side.
        """
        artifact = self.get_object()
        query = validated_query(request, DiffQuery)
        number = query.get("to", artifact.version)
        old = get_version(artifact, query.get("from", max(number - 1, 1)))
        new = get_version(artifact, number)
        if query["as"] == "html":
            context = {
                "artifact": artifact,
                "old": old.number,
                "new": new.number,
                "files": compare_contents(artifact.artifact_type, old.content, new.content),
            }
            response = render(request._request, "ui/context/diff.html", context)
            # Agents wrote what is compared: everything is escaped, and no script may run.
            response["Content-Security-Policy"] = STRICT
            return response
        return Response(DiffSerializer(diff_versions(old, new)).data)


def validated_query(request: Request, query_class: type[serializers.Serializer]) -> dict[str, Any]:
    """The query parameters; those that are empty count as left out."""
    query = query_class(data={name: value for name, value in request.query_params.items() if value})
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


class ArtifactTypesView(APIView):
    """What the content of each type of artifact looks like, and how large it may be."""

    @extend_schema(operation_id="artifact_types_list", responses=ArtifactTypesSerializer)
    def get(self, request: Request) -> Response:
        types = []
        for name in artifact_types.values:
            schema = artifact_types[name].schema.model_json_schema()
            types.append(
                {
                    "artifact_type": name,
                    "description": schema.get("description", ""),
                    "max_bytes": CONTENT_MAX_BYTES,
                    "schema": {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema,
                }
            )
        page = {"count": len(types), "count_is_exact": True, "next": None, "previous": None}
        return Response(page | {"results": types})
