from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.filters import StopFilter
from agents.models import EmergencyStop
from agents.selectors import stops_for
from agents.services import activate_emergency_stop, release_emergency_stop
from agents.stops.serializers import StopInput, StopSerializer
from audit.actors import Actor
from core.viewsets import GenericViewSet


class EmergencyStopViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Emergency stops: those that stand, and those that are over."""

    queryset = EmergencyStop.objects.all()
    serializer_class = StopSerializer
    inputs = {"create": StopInput, "release": StopInput}
    filterset_class = StopFilter

    def visible(self) -> QuerySet:
        return stops_for(self.request.user)

    @extend_schema(
        request=StopInput,
        responses={
            201: OpenApiResponse(StopSerializer, description="It stands from now on."),
            200: OpenApiResponse(StopSerializer, description="One of this scope stood already."),
        },
    )
    def create(self, request: Request) -> Response:
        """Stop all agents, or one type, in a project that you own; everywhere with a permission."""
        actor = Actor.of_user(request.user)
        stop, is_new = activate_emergency_stop(actor=actor, **self.input(request))
        location = {"Location": reverse("emergency-stop-detail", args=[stop.pk])}
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.output(stop), code, headers=location)

    @extend_schema(request=StopInput, responses=StopSerializer)
    @action(detail=False, methods=["post"])
    def release(self, request: Request) -> Response:
        """Release the stop of exactly this scope, from the level that set it; work goes on."""
        actor = Actor.of_user(request.user)
        stop, _ = release_emergency_stop(actor=actor, **self.input(request))
        return Response(self.output(stop))
