"""Views across the apps: progress, snapshot, rewind, erasure, export, import and document."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, BinaryIO
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse as path_of
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import Serializer

from agents.selectors import board_for
from audit.actors import Actor
from audit.models import Stream
from core.database import consistent_snapshot
from core.errors import InvalidInput, TooLarge
from core.schema import CONTENT_CHANGED, ETAG, IF_NONE_MATCH, NOT_MODIFIED, PROBLEM
from core.serializers import ProblemSerializer
from core.viewsets import APIView
from hitl.selectors import request_list_for
from orchestrator.engine.document import ENDINGS, MEDIA_TYPES, sources_of
from orchestrator.engine.document_jobs import RETRY_AFTER_SECONDS, ready_document
from orchestrator.engine.erasure import erase_project
from orchestrator.engine.export import prepare_export, record_export, write_export
from orchestrator.engine.imports import import_project, open_archive
from orchestrator.engine.imports.archive import MAX_ARCHIVE_BYTES
from orchestrator.engine.progress import progress_of
from orchestrator.engine.rewind import rewind_project
from orchestrator.models import ProjectImport
from orchestrator.serializers import (
    BeingMadeSerializer,
    EraseInput,
    ImportInput,
    OriginSerializer,
    ProgressSerializer,
    RewindInput,
    SnapshotSerializer,
)
from projects.access import get_visible_project
from projects.models import Project
from projects.selectors import projects_for
from projects.serializers import ProjectSerializer

IN_MEMORY = 4 * 1024 * 1024
CHUNK = 64 * 1024
# For the multipart form around an archive.
FORM_BYTES = 64 * 1024
ROOT = {
    "projects": "project-list",
    "tasks": "task-list",
    "agents": "agent-list",
    "emergency_stop": "emergency-stop-list",
    "artifacts": "artifact-list",
    "search": "search",
    "hitl_requests": "hitl-request-list",
    "hitl_statistics": "hitl-statistics",
    "audit_events": "audit-event-list",
    "schema": "schema",
    "docs": "docs",
}


class RootView(APIView):
    """The entry points of the API."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({key: reverse(name, request=request) for key, name in ROOT.items()})


class ProjectVerbView(APIView):
    """A service of the engine that changes a project. Answers with the changed project."""

    serializer_class: type[Serializer]
    service: Callable[..., Any]

    def get_serializer(self, *args: Any, **kwargs: Any) -> Serializer:
        return self.serializer_class(*args, **kwargs)

    def post(self, request: Request, project_id: UUID) -> Response:
        project = get_visible_project(request.user, project_id)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        actor = Actor.of_user(request.user)
        self.service(project_id=project.pk, actor=actor, **form.validated_data)
        project = projects_for(request.user).get(pk=project.pk)
        return Response(ProjectSerializer(project).data)


@extend_schema_view(post=extend_schema(request=RewindInput, responses=ProjectSerializer))
class RewindView(ProjectVerbView):
    """Run a step and its dependents again. What is dropped stays in history."""

    serializer_class = RewindInput
    service = staticmethod(rewind_project)


@extend_schema_view(post=extend_schema(request=EraseInput, responses=ProjectSerializer))
class EraseView(ProjectVerbView):
    """Erase the contents of a finished project for good; a tombstone and a valid log stay."""

    serializer_class = EraseInput
    service = staticmethod(erase_project)


class ProgressView(APIView):
    """How far a project is, and what it waits for."""

    @extend_schema(responses=ProgressSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        with consistent_snapshot():
            return Response(progress_of(get_visible_project(request.user, project_id)))


class SnapshotView(APIView):
    """The state of a project as of one event; the stream continues from there."""

    @extend_schema(responses=SnapshotSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        with consistent_snapshot():
            project = get_visible_project(request.user, project_id)
            head = Stream.objects.get(project=project.pk)
            snapshot = {"epoch": head.epoch, "sequence": head.sequence}
            return Response(
                SnapshotSerializer(snapshot | {"state": self.state(request.user, project)}).data
            )

    def state(self, user: Any, project: Project) -> dict[str, Any]:
        return {
            "project": projects_for(user).get(pk=project.pk),
            "progress": progress_of(project),
            "agents": board_for(user).filter(project=project),
            "requests": request_list_for(user).pending().filter(project=project),
        }


NOT_MADE = CONTENT_CHANGED | {
    (422, PROBLEM): OpenApiResponse(
        ProblemSerializer, "`document_too_large`: take another form of it."
    )
}
BEING_MADE = OpenApiResponse(
    BeingMadeSerializer,
    description="A worker makes it. Come back to `Location` after `Retry-After` seconds.",
)


def being_made(request: Request) -> HttpResponse:
    """For a browser, a page that comes back by itself."""
    headers = {
        "Location": request.get_full_path(),
        "Retry-After": str(RETRY_AFTER_SECONDS),
        "Cache-Control": "no-store",
    }
    if "text/html" in request.META.get("HTTP_ACCEPT", ""):
        context = {"seconds": RETRY_AFTER_SECONDS}
        page = render_to_string("orchestrator/being_made.html", context)
        return HttpResponse(page, status=status.HTTP_202_ACCEPTED, headers=headers)
    body = {"status": "being_made", "detail": "This takes a while. Come back to the same address."}
    return JsonResponse(body, status=status.HTTP_202_ACCEPTED, headers=headers)


class ExportView(APIView):
    """A project as a ZIP: its current artifacts, the audit trail, and a manifest with hashes."""

    @extend_schema(
        operation_id="projects_export",
        responses={
            (200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY),
            (202, "application/json"): BEING_MADE,
        }
        | NOT_MADE,
    )
    def get(self, request: Request, project_id: UUID) -> HttpResponseBase:
        file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with the answer
        if not prepare_export(get_visible_project(request.user, project_id)):
            return being_made(request)
        with consistent_snapshot():
            project = get_visible_project(request.user, project_id)
            write_export(project, file)
        record_export(project, Actor.of_user(request.user))
        return zip_response(request, file, f"project-{project.pk}.zip")


# The page has its own style and nothing else; its contents cannot run or load anything.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
FORM = OpenApiParameter("as", str, enum=list(MEDIA_TYPES), description="Default: html.")


class DocumentView(APIView):
    """Everything that is accepted now, in one document."""

    queries = {"get": ("as",)}

    @extend_schema(
        parameters=[FORM, IF_NONE_MATCH, ETAG],
        responses={
            (200, kind.split(";")[0]): OpenApiResponse(OpenApiTypes.BINARY)
            for kind in MEDIA_TYPES.values()
        }
        | {(202, "application/json"): BEING_MADE}
        | NOT_MODIFIED
        | NOT_MADE,
    )
    def get(self, request: Request, project_id: UUID) -> HttpResponse:
        form = request.query_params.get("as", "html")
        if form not in MEDIA_TYPES:
            raise InvalidInput.of("as", "invalid_choice", f"Use one of: {', '.join(MEDIA_TYPES)}.")
        with consistent_snapshot():
            sources = sources_of(get_visible_project(request.user, project_id))
        etag = f'"{sources.sha256}-{form}"'
        if not_modified := get_conditional_response(request._request, etag=etag):
            return not_modified
        body = ready_document(sources, form)
        if body is None:
            return being_made(request)
        response = HttpResponse(body, content_type=MEDIA_TYPES[form])
        response["ETag"] = etag
        name = f"project-{project_id}.{ENDINGS[form]}"
        response["Content-Disposition"] = f'inline; filename="{name}"'
        response["Content-Security-Policy"] = DOCUMENT_POLICY
        patch_cache_control(response, private=True, no_cache=True)
        return response


class ImportView(APIView):
    """A new draft project from the export of another installation, with the same artifacts."""

    parser_classes = (MultiPartParser,)
    serializer_class = ImportInput

    def get_serializer(self, *args: Any, **kwargs: Any) -> ImportInput:
        return ImportInput(*args, **kwargs)

    @extend_schema(
        request={"multipart/form-data": ImportInput},
        responses={201: ProjectSerializer},
    )
    def post(self, request: Request) -> Response:
        # Before anything is read.
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_ARCHIVE_BYTES + FORM_BYTES:
            detail = f"The archive is larger than {MAX_ARCHIVE_BYTES:,} bytes."
            raise TooLarge("import_too_large", detail, limit=MAX_ARCHIVE_BYTES)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        choices = form.validated_data
        archive = open_archive(choices.pop("file"))
        project = import_project(actor=Actor.of_user(request.user), archive=archive, **choices)
        data = ProjectSerializer(projects_for(request.user).get(pk=project.pk)).data
        location = {"Location": path_of("project-detail", args=[project.pk])}
        return Response(data, status.HTTP_201_CREATED, headers=location)


class OriginView(APIView):
    """Whether a project came from another installation, and the state of its log."""

    @extend_schema(responses=OriginSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = get_visible_project(request.user, project_id)
        origin = ProjectImport.objects.filter(project=project).select_related("imported_by").first()
        return Response(OriginSerializer({"origin": origin}).data)


def zip_response(request: Request, file: Any, name: str) -> StreamingHttpResponse:
    size = file.tell()
    file.seek(0)
    # Under ASGI Django reads a synchronous iterator to its end before it sends anything.
    is_async = isinstance(request._request, ASGIRequest)
    response = StreamingHttpResponse(
        _chunks_async(file) if is_async else _chunks(file), content_type="application/zip"
    )
    response["Content-Length"] = size
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(CHUNK), b"")


async def _chunks_async(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await sync_to_async(file.read)(CHUNK):
            yield chunk
