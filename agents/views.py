from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.filters import AgentFilter, TaskFilter
from agents.models import AgentStatus, Task
from agents.selectors import (
    board_for,
    history_for,
    task_list_for,
    tasks_for,
    tool_uses_of,
    workspace_of,
)
from agents.serializers import (
    AgentHistorySerializer,
    AgentStatusSerializer,
    HistoryQuery,
    TaskInput,
    TaskListSerializer,
    TaskSerializer,
    ToolUseSerializer,
    TranscriptSerializer,
    WorkspaceFileSerializer,
)
from agents.services import cancel_task, request_task, retry_task
from agents.services.exchanges import transcript_of
from audit.actors import Actor
from audit.models import Event
from context.models import ContextBuild
from context.serializers import ContextBuildSerializer
from core.errors import NotFound
from core.serializers import NoInput
from core.viewsets import GenericViewSet
from projects.agent_types import agent_types

AGENT_TYPE = OpenApiParameter("agent_type", str, OpenApiParameter.PATH)


class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Pieces of agent work, those of the workflow and those on their own."""

    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    outputs = {"list": TaskListSerializer}
    inputs = {"create": TaskInput, "cancel": NoInput, "retry": NoInput}
    filterset_class = TaskFilter
    paged = ("list", "context", "tool_uses", "workspace")

    def visible(self) -> QuerySet:
        return (task_list_for if self.action == "list" else tasks_for)(self.request.user)

    @extend_schema(request=TaskInput, responses={201: TaskSerializer})
    def create(self, request: Request) -> Response:
        """Ask an agent for a single piece of work, outside of the workflow."""
        data = self.input(request)
        actor = Actor.of_user(request.user)
        task = request_task(actor=actor, project_id=data.pop("project"), **data)
        location = {"Location": reverse("task-detail", args=[task.pk])}
        return Response(self.representation(task.pk), status.HTTP_201_CREATED, headers=location)

    @extend_schema(request=NoInput, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Give up a task; the result of a running worker is refused."""
        return self.change(request, cancel_task)

    @extend_schema(request=NoInput, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: UUID) -> Response:
        """Try a failed or cancelled task again, or one that waits for its next attempt."""
        return self.change(request, retry_task)

    @extend_schema(responses=ContextBuildSerializer(many=True), filters=False)
    @action(detail=True)
    def context(self, request: Request, pk: UUID) -> Response:
        """What each attempt was given of the store, and why; oldest first."""
        builds = ContextBuild.objects.filter(task=self.get_object().pk).order_by("fence")
        page = self.paginate_queryset(builds)
        return self.get_paginated_response(ContextBuildSerializer(page, many=True).data)

    @extend_schema(responses=ToolUseSerializer(many=True), filters=False)
    @action(detail=True, url_path="tool-uses")
    def tool_uses(self, request: Request, pk: UUID) -> Response:
        """What the agent's model called while it worked, and what came of it; oldest first."""
        page = self.paginate_queryset(tool_uses_of(self.get_object()))
        return self.get_paginated_response(ToolUseSerializer(page, many=True).data)

    @extend_schema(responses=WorkspaceFileSerializer(many=True), filters=False)
    @action(detail=True)
    def workspace(self, request: Request, pk: UUID) -> Response:
        """The files that the agent works on, as they are now."""
        page = self.paginate_queryset(workspace_of(self.get_object()))
        return self.get_paginated_response(WorkspaceFileSerializer(page, many=True).data)

    @extend_schema(responses=TranscriptSerializer)
    @action(detail=True)
    def transcript(self, request: Request, pk: UUID) -> Response:
        """What models were told and answered in each attempt, as long as it is kept; as a file."""
        task = self.get_object()
        body = TranscriptSerializer({"task": task.pk, "attempts": transcript_of(task)}).data
        name = f'attachment; filename="transcript-{task.pk}.json"'
        return Response(body, headers={"Content-Disposition": name})

    def change(self, request: Request, service: Callable[..., Task]) -> Response:
        task = self.get_object()
        service(actor=Actor.of_user(request.user), task_id=task.pk, **self.input(request))
        return Response(self.representation(task.pk))

    def representation(self, task_id: UUID) -> dict[str, Any]:
        return self.output(tasks_for(self.request.user).get(pk=task_id))


class AgentViewSet(mixins.ListModelMixin, GenericViewSet):
    """The status board: what each kind of agent does in each project."""

    queryset = AgentStatus.objects.all()
    serializer_class = AgentStatusSerializer
    filterset_class = AgentFilter

    def visible(self) -> QuerySet:
        return board_for(self.request.user)


class AgentHistoryViewSet(mixins.ListModelMixin, GenericViewSet):
    """Every change of an agent's status in a project, newest first."""

    queryset = Event.objects.all()
    serializer_class = AgentHistorySerializer
    filter_backends = ()
    queries = {"list": HistoryQuery}

    def visible(self) -> QuerySet:
        agent_type = self.kwargs["agent_type"]
        if agent_type not in agent_types.values:
            names = ", ".join(agent_types.values)
            raise NotFound("not_found", f"There is no such agent type. Use one of: {names}.")
        query = HistoryQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        project_id = query.validated_data["project"]
        return history_for(self.request.user, project_id=project_id, agent_type=agent_type)

    @extend_schema(operation_id="agents_history_list", parameters=[AGENT_TYPE, HistoryQuery])
    def list(self, request: Request, agent_type: str) -> Response:
        """Every change of an agent's status in a project, newest first."""
        return super().list(request)
