from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.actors import Actor
from hitl.inbox.bulk import decide_each
from hitl.models import Decision, HitlRequest
from hitl.words import Action
from projects.member_admin import MemberAdmin

DIGEST = "digest-{}"


@admin.register(HitlRequest)
class HitlRequestAdmin(MemberAdmin):
    list_display = (
        "title_with_digest",
        "kind",
        "status",
        "project",
        "phase",
        "agent_type",
        "created_at",
    )
    list_filter = ("status", "kind", "phase", "agent_type")
    list_select_related = ("project",)
    search_fields = ("title", "project__name", "step")
    actions = ("approve", "request_changes", "reject")

    @admin.display(description="request", ordering="title")
    def title_with_digest(self, request: HitlRequest) -> SafeString:
        """The digest goes back with the form, so that a decision is about what the list showed."""
        name = DIGEST.format(request.pk)
        hidden = '{}<input type="hidden" name="{}" value="{}">'
        return format_html(hidden, request.title, name, request.subject_digest)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django shows no actions to who may only look. The page itself stays without a form."""
        return obj is None and request.user.is_staff

    @admin.action(description="Approve what is shown")
    def approve(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, Action.APPROVE, "")

    @admin.action(description="Request changes…")
    def request_changes(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._decide_with_comment(request, queryset, Action.REQUEST_CHANGES)

    @admin.action(description="Reject, and stop the project…")
    def reject(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._decide_with_comment(request, queryset, Action.REJECT)

    def _decide_with_comment(
        self, request: HttpRequest, queryset: QuerySet, action: Action
    ) -> HttpResponse | None:
        comment = request.POST.get("comment", "").strip()
        if comment:
            return self._decide(request, queryset, action, comment)
        context = self.admin_site.each_context(request) | {
            "title": {"reject": "Reject, and stop the project"}.get(action, "Request changes"),
            "action": action,
            "items": [(one, _shown(request, one.pk)) for one in queryset],
            "checkbox": ACTION_CHECKBOX_NAME,
            "is_missing": "comment" in request.POST,
            "opts": self.opts,
        }
        return TemplateResponse(request, "hitl/comment_on_many.html", context)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet, action: Action, comment: str
    ) -> None:
        chosen = {one.pk: one for one in queryset}
        results = decide_each(
            actor=Actor.of_user(request.user),
            action=action,
            shown={pk: _shown(request, pk) for pk in chosen},
            comment=comment,
            channel="admin",
        )
        for result in results:
            title = chosen[result.request_id].title
            if result.error:
                self.say_refused(request, result.error, title)
            else:
                done = f"{title}: {result.decision.request.status}."
                self.message_user(request, done, messages.SUCCESS)


def _shown(request: HttpRequest, request_id: UUID) -> str:
    return request.POST.get(DIGEST.format(request_id), "")


@admin.register(Decision)
class DecisionAdmin(MemberAdmin):
    project_path = "request__project"
    list_display = ("request", "action", "decided_by", "channel", "created_at")
    list_filter = ("action", "channel")
    list_select_related = ("request", "decided_by")
    search_fields = ("request__title", "decided_by__username")
    ordering = ("-created_at", "-id")
