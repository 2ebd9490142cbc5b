from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from core.errors import NotFound
from core.serializers import NoInput
from core.viewsets import GenericViewSet
from projects.access import MANAGE, get_visible_project, require_role
from projects.filters import ProjectFilter
from projects.groups import add_group, remove_group
from projects.invitations import invite_member, withdraw_invitation
from projects.models import GroupMembership, Invitation, Membership, Project
from projects.selectors import find_user, project_list_for, projects_for
from projects.serializers import (
    CancelInput,
    ChangedProjectSerializer,
    GroupInput,
    GroupSerializer,
    InvitationInput,
    InvitationSerializer,
    MemberInput,
    MemberSerializer,
    ProjectChange,
    ProjectInput,
    ProjectListSerializer,
    ProjectSerializer,
)
from projects.services import (
    NO_SUCH_MEMBER,
    add_member,
    cancel_project,
    create_project,
    finish_project,
    pause_project,
    remove_member,
    resume_project,
    start_project,
    update_project,
)


class ProjectViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Projects that the caller may see."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    outputs = {"list": ProjectListSerializer}
    inputs = {
        "create": ProjectInput,
        "partial_update": ProjectChange,
        "start": NoInput,
        "pause": NoInput,
        "resume": NoInput,
        "complete": NoInput,
        "cancel": CancelInput,
    }
    filterset_class = ProjectFilter

    def visible(self) -> QuerySet:
        select = project_list_for if self.action == "list" else projects_for
        return select(self.request.user)

    @extend_schema(request=ProjectInput, responses={201: ProjectSerializer})
    def create(self, request: Request) -> Response:
        """Create a project, and start it unless `auto_start` is false."""
        project = create_project(actor=Actor.of_user(request.user), **self.input(request))
        location = {"Location": reverse("project-detail", args=[project.pk])}
        return Response(self.current(project.pk), status.HTTP_201_CREATED, headers=location)

    @extend_schema(
        request=ProjectChange,
        responses={
            200: ChangedProjectSerializer,
            202: OpenApiResponse(
                ChangedProjectSerializer, description="Less oversight waits for another owner."
            ),
        },
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change a project. Less oversight while it runs waits for another owner's word."""
        actor, project = Actor.of_user(request.user), self.get_object()
        changed = update_project(project_id=project.pk, actor=actor, **self.input(request))
        proposal = getattr(changed, "awaits", None)
        is_waiting = proposal is not None and proposal.decided_at is None
        answer = self.current(project.pk) | {"awaits": str(proposal.pk) if is_waiting else None}
        return Response(answer, status.HTTP_202_ACCEPTED if is_waiting else status.HTTP_200_OK)

    @extend_schema(request=NoInput, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: UUID) -> Response:
        """Start a project that is a draft."""
        return self.change(request, start_project)

    @extend_schema(request=NoInput, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: UUID) -> Response:
        """Pause a project: nothing new starts until resumed; what is running may finish."""
        return self.change(request, pause_project)

    @extend_schema(request=NoInput, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        """Go on with a paused project."""
        return self.change(request, resume_project)

    @extend_schema(request=NoInput, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: UUID) -> Response:
        """Complete a project without a workflow: nothing more will be asked in it."""
        return self.change(request, finish_project)

    @extend_schema(request=CancelInput, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Cancel a project for good: open work and requests end with it."""
        return self.change(request, cancel_project)

    def change(self, request: Request, service: Callable[..., Project]) -> Response:
        project = self.get_object()
        actor = Actor.of_user(request.user)
        service(project_id=project.pk, actor=actor, **self.input(request))
        return Response(self.current(project.pk))

    def current(self, project_id: UUID) -> dict[str, Any]:
        return self.output(projects_for(self.request.user).get(pk=project_id))


class MemberViewSet(mixins.ListModelMixin, GenericViewSet):
    """The members of a project, and their roles."""

    queryset = Membership.objects.all()
    serializer_class = MemberSerializer
    inputs = {"create": MemberInput}
    filter_backends = ()
    lookup_url_kwarg = "user"

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        return project.memberships.select_related("user").order_by("created_at", "id")

    @extend_schema(request=MemberInput, responses={201: MemberSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """Add a member, or change a member's role."""
        project = get_visible_project(request.user, project_id)
        # Before the body: who may not add anybody is not told whether there is such a user.
        require_role(request.user, project.pk, MANAGE)
        member = add_member(
            project_id=project.pk, actor=Actor.of_user(request.user), **self.input(request)
        )
        return Response(self.output(member), status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, user: str) -> Response:
        """Remove a member, by id or username; a project keeps an owner."""
        project = get_visible_project(request.user, project_id)
        require_role(request.user, project.pk, MANAGE)
        # Digits are an id, unless there are too many of them for one.
        is_id = user.isdecimal() and len(user) < 20
        member = find_user(int(user) if is_id else user)
        if member is None:
            raise NotFound("not_found", NO_SUCH_MEMBER)
        remove_member(project_id=project.pk, actor=Actor.of_user(request.user), user_id=member.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class GroupViewSet(mixins.ListModelMixin, GenericViewSet):
    """Groups that are members of a project: whoever is in one is a member, as long as they are."""

    queryset = GroupMembership.objects.all()
    serializer_class = GroupSerializer
    inputs = {"create": GroupInput}
    filter_backends = ()
    lookup_url_kwarg = "group"

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        return project.group_memberships.select_related("group").order_by("created_at", "id")

    @extend_schema(request=GroupInput, responses={201: GroupSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """Add a group, or change its role: approver or viewer. For owners."""
        project = get_visible_project(request.user, project_id)
        # Before the body: who may not add any is not told whether there is such a group.
        require_role(request.user, project.pk, MANAGE)
        actor = Actor.of_user(request.user)
        group = add_group(project_id=project.pk, actor=actor, **self.input(request))
        return Response(self.output(group), status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, group: int) -> Response:
        """Remove a group, by its id, and with it whoever was a member by it alone."""
        project = get_visible_project(request.user, project_id)
        actor = Actor.of_user(request.user)
        remove_group(project_id=project.pk, actor=actor, group_id=group)
        return Response(status=status.HTTP_204_NO_CONTENT)


def invitation_link(key: str) -> str:
    """The address of the page where an invitation is accepted."""
    return f"{settings.PUBLIC_URL}{reverse('invitation')}?key={key}"


class InvitationViewSet(mixins.ListModelMixin, GenericViewSet):
    """Open invitations by mail. Only an owner sees and makes them; the key is in the mail alone."""

    queryset = Invitation.objects.all()
    serializer_class = InvitationSerializer
    inputs = {"create": InvitationInput}
    filter_backends = ()

    def visible(self) -> QuerySet:
        project = get_visible_project(self.request.user, self.kwargs["project_id"])
        require_role(self.request.user, project.pk, MANAGE)
        rows = project.invitations.open().select_related("invited_by")
        return rows.order_by("-created_at", "-id")

    @extend_schema(request=InvitationInput, responses={201: InvitationSerializer})
    def create(self, request: Request, project_id: UUID) -> Response:
        """Send a link that works once. To the same address again: the link before ends.

        `sent_at` stays null until a mail server has taken the message.
        """
        project = get_visible_project(request.user, project_id)
        invitation = invite_member(
            project_id=project.pk,
            actor=Actor.of_user(request.user),
            link_to=invitation_link,
            **self.input(request),
        )
        return Response(self.output(invitation), status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, project_id: UUID, pk: UUID) -> Response:
        """Withdraw it: its link is worth nothing any more."""
        project = get_visible_project(request.user, project_id)
        actor = Actor.of_user(request.user)
        withdraw_invitation(project_id=project.pk, actor=actor, invitation_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
