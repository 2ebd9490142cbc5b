from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from audit.actors import Actor
from hitl.bulk import Item, decide_each
from hitl.enums import Action
from hitl.models import Decision, HitlRequest
from ui.web.admin.project_scoped import MemberAdmin, as_uuid
from ui.web.inbox.assignment import VERBS, hand_on
from ui.web.inbox.charts import show_statistics
from ui.web.inbox.views import (
    check_draft,
    count_waiting,
    decide_on,
    get_request,
    show_request,
    what_came_of,
)
from ui.web.pages import render_page

DIGEST = "digest-{}"
TITLES = {
    Action.REQUEST_CHANGES: "Request changes",
    Action.REJECT: "Reject, and stop the project",
}

admin.site.index_template = "ui/inbox/inbox.html"


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

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("statistics/", wrap(self.statistics_view), name="hitl_statistics"),
            path("waiting/", wrap(self.waiting_view), name="hitl_waiting"),
            path("<uuid:request_id>/decide/", wrap(self.decide_view), name="hitl_decide"),
            *(
                path(
                    f"<uuid:request_id>/{verb}/",
                    wrap(self.hand_view),
                    {"verb": verb},
                    name=f"hitl_{verb}",
                )
                for verb in VERBS
            ),
            path("<uuid:request_id>/check/", wrap(self.check_view), name="hitl_check"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        item = get_request(request.user, as_uuid(object_id))
        return show_request(self.admin_site, request, item)

    @method_decorator(require_POST)
    def decide_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        return decide_on(self.admin_site, request, get_request(request.user, request_id))

    @method_decorator(require_POST)
    def check_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        return check_draft(request, get_request(request.user, request_id))

    @method_decorator(require_POST)
    def hand_view(self, request: HttpRequest, request_id: UUID, verb: str) -> HttpResponse:
        return hand_on(self.admin_site, request, request_id, verb)

    @method_decorator(require_GET)
    def waiting_view(self, request: HttpRequest) -> HttpResponse:
        return count_waiting(request)

    @method_decorator(require_GET)
    def statistics_view(self, request: HttpRequest) -> HttpResponse:
        return show_statistics(self.admin_site, request)

    @admin.action(description="Approve what is shown")
    def approve(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._decide(request, queryset, Action.APPROVE, "")

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
        context = {
            "title": TITLES[action],
            "trail": [("Inbox", reverse("admin:index"))],
            "action": action,
            "items": [(one, _shown(request, one.pk)) for one in queryset],
            "checkbox": ACTION_CHECKBOX_NAME,
            "is_missing": "comment" in request.POST,
            "origin": request.POST.get("origin", ""),
        }
        return render_page(self.admin_site, request, "ui/inbox/comment_on_many.html", context)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet, action: Action, comment: str
    ) -> HttpResponse | None:
        chosen = {one.pk: one for one in queryset}
        results = decide_each(
            actor=Actor.of_user(request.user),
            action=action,
            items=[Item(pk, _shown(request, pk)) for pk in chosen],
            comment=comment,
            channel="admin",
        )
        for result in results:
            title = chosen[result.request].title
            if result.error:
                self.say_refused(request, result.error, title)
            else:
                done = f"{title}: {what_came_of(result.decision)}"
                self.message_user(request, done, messages.SUCCESS)
        return redirect("admin:index") if request.POST.get("origin") == "inbox" else None


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
