from django.urls import include, path
from rest_framework.routers import SimpleRouter

from projects.views import GroupViewSet, InvitationViewSet, MemberViewSet, ProjectViewSet

router = SimpleRouter(use_regex_path=False)
router.register("projects", ProjectViewSet, basename="project")

urlpatterns = [
    path("", include(router.urls)),
    path(
        "projects/<uuid:project_id>/members/",
        MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="project-members",
    ),
    path(
        "projects/<uuid:project_id>/groups/",
        GroupViewSet.as_view({"get": "list", "post": "create"}),
        name="project-groups",
    ),
    path(
        "projects/<uuid:project_id>/groups/<int:group>/",
        GroupViewSet.as_view({"delete": "destroy"}),
        name="project-group",
    ),
    path(
        "projects/<uuid:project_id>/invitations/",
        InvitationViewSet.as_view({"get": "list", "post": "create"}),
        name="project-invitations",
    ),
    path(
        "projects/<uuid:project_id>/invitations/<uuid:pk>/",
        InvitationViewSet.as_view({"delete": "destroy"}),
        name="project-invitation",
    ),
    path(
        "projects/<uuid:project_id>/members/<str:user>/",
        MemberViewSet.as_view({"delete": "destroy"}),
        name="project-member",
    ),
]
