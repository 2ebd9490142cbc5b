"""The types of agents over REST."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import AgentType
from agents.own_types import (
    INSTRUCTIONS_MAX,
    LIMIT_MAX,
    delete_agent_type,
    describe,
    save_agent_type,
)
from agents.tool import tool_choices
from audit.actors import Actor
from core.fields import KindField, NumberField, TextField
from core.serializers import StrictSerializer
from core.viewsets import GenericViewSet
from projects.agent_types import agent_types
from projects.enums import Phase

NAME = OpenApiParameter("agent_type", str, OpenApiParameter.PATH, pattern="^[a-z][a-z0-9_]{0,19}$")


class ToolNames(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=KindField(choices=tool_choices), max_length=100, **kwargs)


class AgentTypeChange(StrictSerializer):
    """Only what is sent changes, and only for work that begins from then on.

    Of a type that ships, empty instructions, an empty model and null tools are as it ships again.
    """

    title = TextField(max_length=100, required=False)
    phase = serializers.ChoiceField(Phase.choices, required=False)
    instructions = TextField(max_length=INSTRUCTIONS_MAX, required=False, allow_blank=True)
    model = TextField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="Instead of the settings': demo, external, or provider:model.",
    )
    tools = ToolNames(required=False, allow_null=True)
    ask_before = ToolNames(
        required=False, help_text="Tools that people are asked about before each call."
    )
    max_turns = NumberField(min_value=1, max_value=LIMIT_MAX, required=False, allow_null=True)
    max_tokens = NumberField(min_value=1, max_value=LIMIT_MAX, required=False, allow_null=True)
    max_seconds = NumberField(min_value=1, max_value=LIMIT_MAX, required=False, allow_null=True)


class AgentTypeInput(AgentTypeChange):
    """A type of the installation's own."""

    name = TextField(max_length=20, help_text="a-z, 0-9 and _; begins with a letter.")
    title = TextField(max_length=100)
    phase = serializers.ChoiceField(Phase.choices)
    instructions = TextField(max_length=INSTRUCTIONS_MAX)


class AgentTypeSerializer(serializers.Serializer):
    """A type as it holds; null limits are those of the settings."""

    name = serializers.CharField()
    title = serializers.CharField()
    phase = serializers.ChoiceField(Phase.choices)
    instructions = serializers.CharField()
    model = serializers.CharField(help_text="Empty: as the settings say.")
    tools = serializers.ListField(child=serializers.CharField())
    ask_before = serializers.ListField(child=serializers.CharField())
    max_turns = serializers.IntegerField(allow_null=True)
    max_tokens = serializers.IntegerField(allow_null=True)
    max_seconds = serializers.IntegerField(allow_null=True)
    is_shipped = serializers.BooleanField(help_text="It comes with the product.")


class AgentTypeViewSet(GenericViewSet):
    """Who the agents are: what they are told, and which tools, model and limits they have."""

    queryset = AgentType.objects.all()
    serializer_class = AgentTypeSerializer
    inputs = {"create": AgentTypeInput, "partial_update": AgentTypeChange}
    filter_backends = ()

    def visible(self) -> QuerySet:
        """Everybody may know them all."""
        return AgentType.objects.all()

    @extend_schema(responses=AgentTypeSerializer(many=True), filters=False)
    def list(self, request: Request) -> Response:
        """All of them, in the order of the work."""
        page = self.paginate_queryset([describe(name) for name in agent_types.values])
        return self.get_paginated_response(AgentTypeSerializer(page, many=True).data)

    @extend_schema(
        operation_id="agent_types_create",
        request=AgentTypeInput,
        responses={201: AgentTypeSerializer},
    )
    def create(self, request: Request) -> Response:
        """A type of your own, for workflows, tasks, stops and workers elsewhere, as all others."""
        values = self.input(request)
        save_agent_type(actor=Actor.of_user(request.user), is_new=True, **values)
        agent_types.refresh()
        location = {"Location": reverse("agent-type", args=[values["name"]])}
        return self.answer(values["name"], status.HTTP_201_CREATED, headers=location)

    @extend_schema(
        operation_id="agent_types_retrieve", parameters=[NAME], responses=AgentTypeSerializer
    )
    def retrieve(self, request: Request, agent_type: str) -> Response:
        return self.answer(agent_type)

    @extend_schema(
        operation_id="agent_types_update",
        parameters=[NAME],
        request=AgentTypeChange,
        responses=AgentTypeSerializer,
    )
    def partial_update(self, request: Request, agent_type: str) -> Response:
        """Also one that ships: `is_shipped` stays, and so does what is not sent."""
        values = self.input(request)
        actor = Actor.of_user(request.user)
        save_agent_type(actor=actor, name=agent_type, is_new=False, **values)
        agent_types.refresh()
        return self.answer(agent_type)

    @extend_schema(operation_id="agent_types_destroy", parameters=[NAME], responses={204: None})
    def destroy(self, request: Request, agent_type: str) -> Response:
        """Only one of your own that has never worked."""
        delete_agent_type(actor=Actor.of_user(request.user), name=agent_type)
        agent_types.refresh()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def answer(self, name: str, code: int = status.HTTP_200_OK, **kwargs: Any) -> Response:
        return Response(self.output(describe(name)), code, **kwargs)
