from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.endpoints.serializers import (
    EndpointChange,
    EndpointInput,
    EndpointSerializer,
    EndpointTest,
)
from agents.endpoints.services import ask_for_test, delete_endpoint, save_endpoint
from agents.models import ModelEndpoint
from audit.actors import Actor
from core.viewsets import GenericViewSet
from projects.access import MANAGE, get_visible_project, require_role


class ModelEndpointViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Where models are served for a project: its members see where, an owner says how."""

    queryset = ModelEndpoint.objects.all()
    serializer_class = EndpointSerializer
    inputs = {"create": EndpointInput, "partial_update": EndpointChange, "test": EndpointTest}
    filter_backends = ()
    lookup_field = "name"
    lookup_value_converter = "slug"

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        return ModelEndpoint.objects.filter(project=project).order_by("name")

    @extend_schema(request=EndpointInput, responses={201: EndpointSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """Name a server or a provider, with a key of your own."""
        endpoint = save_endpoint(**self._managed(request), is_new=True, **self.input(request))
        return Response(self.output(endpoint), status.HTTP_201_CREATED)

    @extend_schema(request=EndpointChange, responses=EndpointSerializer)
    def partial_update(self, request: Request, project_id: UUID, name: str) -> Response:
        """Another address or language takes the key away: send it again."""
        managed = self._managed(request)
        endpoint = save_endpoint(**managed, name=name, is_new=False, **self.input(request))
        return Response(self.output(endpoint))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, name: str) -> Response:
        """Remove it, with its key; not while an agent uses it."""
        delete_endpoint(**self._managed(request), name=name)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=EndpointTest,
        responses={202: OpenApiResponse(EndpointSerializer, description="A worker tries it.")},
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, project_id: UUID, name: str) -> Response:
        """One call of a few tokens, by a worker; look at the endpoint for what came of it."""
        endpoint = ask_for_test(**self._managed(request), name=name, **self.input(request))
        return Response(self.output(endpoint), status.HTTP_202_ACCEPTED)

    def _managed(self, request: Request) -> dict:
        project = get_visible_project(request.user, self.kwargs["project_id"])
        require_role(request.user, project.pk, MANAGE)
        return {"project_id": project.pk, "actor": Actor.of_user(request.user)}
