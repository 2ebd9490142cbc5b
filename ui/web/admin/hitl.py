"""Requests to people: the list with its actions on many, the page of one, and decisions."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.actors import Actor
from hitl.actions import Action, registered_actions
from hitl.bulk import Item, decide_each
from hitl.models import Decision, HitlRequest
from hitl.readings import readings_of
from ui.web.admin.base import ProjectScopedAdmin, as_uuid
from ui.web.inbox.inbox import count_waiting
from ui.web.inbox.request_page import get_request, show_preview, show_request
from ui.web.inbox.request_views import (
    VERBS,
    change_assignment,
    check_draft,
    decide_on_request,
    end_standing_approval,
)
from ui.web.inbox.statistics import show_statistics
from ui.web.pages import render_page
from ui.web.reauthentication import assurance_of
from ui.wording import outcome

DIGEST = "digest-{}"


@admin.register(HitlRequest)
class HitlRequestAdmin(ProjectScopedAdmin):
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

    @admin.display(description="request", ordering="title")
    def title_with_digest(self, request: HitlRequest) -> SafeString:
        """The digest goes back with the form, so that a decision is about what the list showed."""
        name = DIGEST.format(request.pk)
        hidden = '{}<input type="hidden" name="{}" value="{}">'
        return format_html(hidden, request.title, name, request.subject_digest)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django offers actions only to people who may change; the page itself has no form."""
        return obj is None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        change = wrap(change_assignment)
        return [
            path("statistics/", wrap(show_statistics), name="hitl_statistics"),
            path("waiting/", wrap(count_waiting), name="hitl_waiting"),
            path("<uuid:request_id>/preview/", wrap(show_preview), name="hitl_preview"),
            path("<uuid:request_id>/decide/", wrap(decide_on_request), name="hitl_decide"),
            path("<uuid:request_id>/check/", wrap(check_draft), name="hitl_check"),
            path(
                "<uuid:request_id>/end-standing-approval/",
                wrap(end_standing_approval),
                name="hitl_end_standing_approval",
            ),
            *(
                path(f"<uuid:request_id>/{verb}/", change, {"verb": verb}, name=f"hitl_{verb}")
                for verb in VERBS
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return show_request(request, get_request(request.user, as_uuid(object_id)))

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable, str, str]]:
        """Those that need no content of their own, which differs from request to request."""
        return {
            action.key: (_bulk_handler(action), action.key, f"{action.label}: {action.summary}")
            for action in registered_actions()
            if not action.needs_content
        }


def _bulk_handler(action: Action) -> Callable[..., HttpResponse | None]:
    """As Django calls an action. Where a comment is needed, its form comes first."""

    def handle(
        model_admin: ProjectScopedAdmin, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        comment = request.POST.get("comment", "").strip()
        if action.needs_comment and not comment:
            context = {
                "title": f"{action.label}: {action.summary}",
                "trail": [("Inbox", reverse("admin:index"))],
                "action": action,
                "items": [(item, _digest_on_page(request, item)) for item in queryset],
                "checkbox": ACTION_CHECKBOX_NAME,
                "is_missing": "comment" in request.POST,
                "origin": request.POST.get("origin", ""),
            }
            return render_page(request, "ui/inbox/comment_on_many.html", context)
        requests = {item.pk: item for item in queryset}
        results = decide_each(
            actor=Actor.of_user(request.user),
            action=action.key,
            items=_items_read(request, requests),
            comment=comment,
            channel="admin",
            assurance=assurance_of(request),
        )
        for result in results:
            title = requests[result.request].title
            if result.error:
                model_admin.show_error(request, result.error, title)
            else:
                done = f"{title}: {outcome(result.decision)}"
                model_admin.message_user(request, done, messages.SUCCESS)
        return redirect("admin:index") if request.POST.get("origin") == "inbox" else None

    return handle


def _items_read(request: HttpRequest, requests: dict[UUID, HitlRequest]) -> list[Item]:
    """Without a digest where it waits and was never opened: a title is not what one decides on."""
    read = readings_of(request.user, requests)
    items = []
    for pk, item in requests.items():
        digest = _digest_on_page(request, item)
        is_known = (pk, digest) in read or not item.is_pending
        items.append(Item(pk, digest if is_known else ""))
    return items


def _digest_on_page(request: HttpRequest, item: HitlRequest) -> str:
    return request.POST.get(DIGEST.format(item.pk), "")


@admin.register(Decision)
class DecisionAdmin(ProjectScopedAdmin):
    project_path = "request__project"
    list_display = (
        *("request", "action", "decided_by", "on_behalf_of"),
        *("channel", "assurance", "created_at"),
    )
    list_filter = ("action", "channel", "assurance")
    list_select_related = ("request", "decided_by", "on_behalf_of")
    search_fields = ("request__title", "decided_by__username")
    ordering = ("-created_at", "-id")
