from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from projects.member_admin import MemberAdmin
from projects.models import Membership, Project


@admin.register(Project)
class ProjectAdmin(MemberAdmin):
    list_display = ("name", "status", "oversight_level", "workflow", "created_by", "created_at")
    list_filter = ("status", "oversight_level")
    list_select_related = ("created_by",)
    search_fields = ("name",)
    ordering = ("-created_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super(MemberAdmin, self).get_queryset(request).visible_to(request.user)


@admin.register(Membership)
class MembershipAdmin(MemberAdmin):
    list_display = ("project", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("project", "user")
    search_fields = ("project__name", "user__username")
