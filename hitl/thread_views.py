from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.serializers import NoInput
from hitl.models import HitlRequest
from hitl.selectors import requests_for
from hitl.serializers import RequestSerializer
from hitl.services import add_comment, claim_request, reassign_request, release_request
from hitl.thread_serializers import CommentInput, CommentSerializer, ReassignInput

OUTPUTS = {"comments": CommentSerializer}
INPUTS = {
    "claim": NoInput,
    "release": NoInput,
    "reassign": ReassignInput,
    "add_comment": CommentInput,
}


class ThreadMixin:
    """Who is at a request, and what people say about it. Nothing here decides."""

    @extend_schema(request=NoInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, pk: UUID) -> Response:
        """For a while nobody else decides on it."""
        return self._hand(request, claim_request)

    @extend_schema(request=NoInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: UUID) -> Response:
        """All who may decide have it again."""
        return self._hand(request, release_request)

    @extend_schema(request=ReassignInput, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: UUID) -> Response:
        """Another member, who may decide, has it for themselves."""
        return self._hand(request, reassign_request)

    @extend_schema(responses=CommentSerializer(many=True), filters=False)
    @action(detail=True)
    def comments(self, request: Request, pk: UUID) -> Response:
        """The thread that all members see, oldest first."""
        thread = self.get_object().comments.select_related("author").order_by("created_at", "id")
        page = self.paginate_queryset(thread)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="hitl_requests_comment",
        request=CommentInput,
        responses={201: CommentSerializer},
    )
    @comments.mapping.post
    def add_comment(self, request: Request, pk: UUID) -> Response:
        """Say something in the thread, also after the decision."""
        actor = Actor.of_user(request.user)
        comment = add_comment(request_id=self.get_object().pk, actor=actor, **self.input(request))
        return Response(CommentSerializer(comment).data, status.HTTP_201_CREATED)

    def _hand(self, request: Request, service: Callable[..., HitlRequest]) -> Response:
        shown, actor = self.get_object(), Actor.of_user(request.user)
        service(request_id=shown.pk, actor=actor, **self.input(request))
        fresh: Any = requests_for(request.user).get(pk=shown.pk)
        return Response(self.output(fresh))
