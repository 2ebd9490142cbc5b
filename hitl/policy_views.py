from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.viewsets import APIView
from hitl.policy import policy_of
from hitl.policy_serializers import PolicyChange, PolicySerializer
from hitl.services import change_policy
from projects.access import get_visible_project


class PolicyView(APIView):
    """How a project decides: who, how many, by when. Only an owner changes it."""

    serializer_class = PolicyChange

    def get_serializer(self, *args: Any, **kwargs: Any) -> PolicyChange:
        return PolicyChange(*args, **kwargs)

    @extend_schema(operation_id="projects_policy", responses=PolicySerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = get_visible_project(request.user, project_id)
        return Response(PolicySerializer(policy_of(project.pk)).data)

    @extend_schema(
        operation_id="projects_policy_change", request=PolicyChange, responses=PolicySerializer
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        """For requests that are opened from now on."""
        project = get_visible_project(request.user, project_id)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        policy = change_policy(
            project_id=project.pk, actor=Actor.of_user(request.user), **form.validated_data
        )
        return Response(PolicySerializer(policy).data)
