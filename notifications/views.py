from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.serializers import NoInput
from core.viewsets import APIView, GenericViewSet
from notifications.models import Webhook
from notifications.preferences import change_preferences, preferences_of
from notifications.selectors import webhooks_of
from notifications.serializers import (
    DeliverySerializer,
    NewWebhookSerializer,
    PreferencesInput,
    PreferencesSerializer,
    SentAgainSerializer,
    WebhookInput,
    WebhookSerializer,
)
from notifications.webhooks import (
    create_webhook,
    delete_webhook,
    enable_webhook,
    rotate_secret,
    send_again,
    send_test,
)
from projects.access import MANAGE, get_visible_project, require_role
from projects.models import Project

NOT_KEPT = {"Cache-Control": "no-store"}


class PreferencesView(APIView):
    """What the caller is told, when and how."""

    serializer_class = PreferencesInput

    @extend_schema(responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        return Response(PreferencesSerializer(preferences_of(request.user)).data)

    @extend_schema(request=PreferencesInput, responses=PreferencesSerializer)
    def patch(self, request: Request) -> Response:
        """What is not named stays as it is."""
        form = PreferencesInput(data=request.data)
        form.is_valid(raise_exception=True)
        preferences = change_preferences(user=request.user, **form.validated_data)
        return Response(PreferencesSerializer(preferences).data)


class WebhookViewSet(mixins.ListModelMixin, GenericViewSet):
    """Other systems that are told of a project's events. Only an owner sees and makes them."""

    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    paged = ("list", "deliveries")
    inputs = {
        "create": WebhookInput,
        **dict.fromkeys(("test", "rotate", "enable", "send_again", "send_one_again"), NoInput),
    }
    secrets = ("secret",)
    filter_backends = ()
    lookup_url_kwarg = "wid"

    def project(self) -> Project:
        """Raises NotFound, Forbidden."""
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        require_role(self.request.user, project.pk, MANAGE)
        return project

    def visible(self) -> QuerySet:
        return webhooks_of(self.project().pk)

    @extend_schema(request=WebhookInput, responses={201: NewWebhookSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """It is told of every event from now on, in order; its secret is shown once."""
        webhook, secret = create_webhook(**self.change(), **self.input(request))
        data = self.current(webhook.pk) | {"secret": secret}
        return Response(data, status.HTTP_201_CREATED, headers=NOT_KEPT)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """With what it has not been told of."""
        delete_webhook(**self.change(), webhook_id=wid)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NoInput, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """Send it something of the type `paraph.webhook_test`, soon; `deliveries/` says how that
        went."""
        self.input(request)
        delivery = send_test(**self.change(), webhook_id=wid)
        return Response(DeliverySerializer(delivery).data, status.HTTP_202_ACCEPTED)

    @extend_schema(request=NoInput, responses=NewWebhookSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """A new secret, shown once. For 24 hours each message is signed by the old one, too."""
        self.input(request)
        webhook, secret = rotate_secret(**self.change(), webhook_id=wid)
        return Response(self.current(webhook.pk) | {"secret": secret}, headers=NOT_KEPT)

    @extend_schema(request=NoInput, responses=WebhookSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """After it answered 410: it is told of what happens from now on."""
        self.input(request)
        webhook = enable_webhook(**self.change(), webhook_id=wid)
        return Response(self.current(webhook.pk))

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """What was sent to it, what waits and what was given up; the newest first."""
        page = self.paginate_queryset(self.get_object().deliveries.order_by("-created_at", "-id"))
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)

    @extend_schema(request=NoInput, responses={202: SentAgainSerializer})
    @action(detail=True, methods=["post"])
    def send_again(self, request: Request, project_id: UUID, wid: UUID) -> Response:
        """All that was given up, with the same ids."""
        self.input(request)
        rows = send_again(**self.change(), webhook_id=wid)
        return Response({"sent_again": len(rows)}, status.HTTP_202_ACCEPTED)

    @extend_schema(request=NoInput, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def send_one_again(self, request: Request, project_id: UUID, wid: UUID, did: UUID) -> Response:
        """One that was given up, with the same id."""
        self.input(request)
        (row,) = send_again(**self.change(), webhook_id=wid, delivery_id=did)
        return Response(DeliverySerializer(row).data, status.HTTP_202_ACCEPTED)

    def change(self) -> dict[str, Any]:
        return {"project_id": self.project().pk, "actor": Actor.of_user(self.request.user)}

    def current(self, webhook_id: UUID) -> dict[str, Any]:
        return self.output(webhooks_of(self.kwargs["project_id"]).get(pk=webhook_id))
