"""Workflows over REST."""

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.fields import ContentField, NumberField, TextField
from core.serializers import StrictSerializer
from core.viewsets import GenericViewSet
from orchestrator.engine.definition import MAX_STEPS
from orchestrator.engine.own_workflows import (
    describe_workflow,
    describe_workflows,
    save_workflow,
)
from orchestrator.models import Workflow

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, pattern="^[a-z][a-z0-9_]{0,49}$")


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "object", "additionalProperties": True},
        "maxItems": MAX_STEPS,
        "description": "As in a workflow's file: id, title, phase, agent, creates, needs, "
        "requires, revises, context, instructions, gate, on_fail.",
    }
)
class StepsField(ContentField):
    """What a step may have is checked with the whole."""


class WorkflowInput(StrictSerializer):
    """A workflow as its file has it, as JSON."""

    name = TextField(max_length=50, help_text="a-z, 0-9 and _; begins with a letter.")
    version = NumberField(min_value=1, help_text="Raise it when you change the workflow.")
    title = TextField(max_length=200)
    steps = StepsField()


class WorkflowSerializer(serializers.Serializer):
    """A workflow as it holds; a project that has started keeps the one that it started with."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    steps = StepsField()
    sha256 = serializers.CharField(help_text="Over the canonical JSON of the definition.")
    is_shipped = serializers.BooleanField(help_text="It comes with the product.")


class WorkflowViewSet(GenericViewSet):
    """The steps from a brief to a product: what ships, and the installation's own."""

    queryset = Workflow.objects.all()
    serializer_class = WorkflowSerializer
    inputs = {"create": WorkflowInput}
    filter_backends = ()

    def visible(self) -> QuerySet:
        """Everybody may know them all."""
        return Workflow.objects.all()

    @extend_schema(responses=WorkflowSerializer(many=True), filters=False)
    def list(self, request: Request) -> Response:
        """All of them, by their names."""
        page = self.paginate_queryset(describe_workflows())
        return self.get_paginated_response(WorkflowSerializer(page, many=True).data)

    @extend_schema(
        operation_id="workflows_create",
        request=WorkflowInput,
        responses={200: WorkflowSerializer, 201: WorkflowSerializer},
    )
    def create(self, request: Request) -> Response:
        """A workflow of your own, or a newer version of it; for who runs the installation."""
        actor = Actor.of_user(request.user)
        made, is_new = save_workflow(actor=actor, data=dict(self.input(request)))
        location = {"Location": reverse("workflow", args=[made.name])}
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.output(made), code, headers=location)

    @extend_schema(
        operation_id="workflows_retrieve", parameters=[NAME], responses=WorkflowSerializer
    )
    def retrieve(self, request: Request, name: str) -> Response:
        return Response(self.output(describe_workflow(name)))
