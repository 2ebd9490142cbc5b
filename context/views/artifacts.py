from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from context.filters import ArtifactFilter
from context.models import Artifact
from context.selectors import artifacts_for, get_version, versions_of
from context.serializers import (
    ArtifactDetailSerializer,
    ArtifactInput,
    ArtifactSerializer,
    ConceptQuery,
    ConceptSerializer,
    DiffQuery,
    LineageQuery,
    LineageSerializer,
    SectionQuery,
    SectionSerializer,
    UploadInput,
    VersionDetailSerializer,
    VersionInput,
    VersionSerializer,
)
from context.services import UPLOAD_MAX_BYTES, add_version, create_artifact, upload_file
from context.services.uploads import too_large
from context.staleness import with_staleness
from context.views.differences import DiffAction
from context.views.lineage import LineageActions
from context.views.parts import PartsActions
from core.viewsets import GenericViewSet

FORM_BYTES = 64 * 1024
VERSION_NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH)


class ArtifactViewSet(
    PartsActions,
    DiffAction,
    LineageActions,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    GenericViewSet,
):
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
        """A person's own artifact."""
        wanted = self.input(request)
        artifact = create_artifact(
            actor=Actor.of_user(request.user), project_id=wanted.pop("project"), **wanted
        )
        return self.created(artifact)

    @extend_schema(
        request={"multipart/form-data": UploadInput}, responses={201: ArtifactDetailSerializer}
    )
    @action(detail=False, methods=["post"], parser_classes=[MultiPartParser])
    def upload(self, request: Request) -> Response:
        """A person's text file as `user_input`."""
        # Before anything of it is read; the form around the file needs some room, too.
        if int(request.META.get("CONTENT_LENGTH") or 0) > UPLOAD_MAX_BYTES + FORM_BYTES:
            raise too_large()
        wanted = self.input(request)
        file = wanted.pop("file")
        artifact = upload_file(
            actor=Actor.of_user(request.user),
            project_id=wanted.pop("project"),
            name=file.name,
            data=file.read(),
            **wanted,
        )
        return self.created(artifact)

    def created(self, artifact: Artifact) -> Response:
        location = {"Location": reverse("artifact-detail", args=[artifact.pk])}
        found = artifacts_for(self.request.user, with_content=True).filter(pk=artifact.pk)
        [shown] = with_staleness(found)
        return Response(self.output(shown), status.HTTP_201_CREATED, headers=location)

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
        """A person's next version, a draft until someone else decides on it."""
        artifact = self.get_object()
        version = add_version(
            actor=Actor.of_user(request.user), artifact_id=artifact.pk, **self.input(request)
        )
        shown = VersionDetailSerializer(get_version(artifact, version.number))
        location = reverse("artifact-version", args=[artifact.pk, version.number])
        return Response(shown.data, status.HTTP_201_CREATED, headers={"Location": location})

    @extend_schema(parameters=[VERSION_NUMBER], responses=VersionDetailSerializer)
    @action(detail=True, url_path="versions/<int:number>")
    def version(self, request: Request, pk: UUID, number: int) -> Response:
        """One version with its content."""
        return Response(VersionDetailSerializer(get_version(self.get_object(), number)).data)
