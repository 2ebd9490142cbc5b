"""The first screen of the admin: what waits for the person who looks."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils import timezone

from hitl.inbox.waiting import (
    InboxFilter,
    blocked_by,
    heads_of,
    in_order,
    tally,
    unfinished_of,
    waiting_for,
)
from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me
from projects.desk import STRICT

PER_PAGE = 50


def add_inbox(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Called by the theme for the admin's index."""
    chosen = InboxFilter(request.GET, user=request.user)
    by_project, by_kind = tally(chosen.base())
    page = Paginator(in_order(chosen.chosen()), PER_PAGE).get_page(request.GET.get("page"))
    return context | {
        "content_policy": STRICT,
        "title": "Inbox",
        "filter": chosen,
        "is_filtered": any(request.GET.get(name) for name in chosen.fields),
        "by_project": by_project,
        "by_kind": by_kind,
        "page": page,
        "rows": _rows(list(page.object_list), request.user),
        "waiting_count": waiting_for(request.user).count(),
        "heads": heads_of(unfinished_of(request.user)),
        "query": _without_page(request),
    }


def _rows(requests: list[HitlRequest], user: Any) -> list[dict[str, Any]]:
    blocked = blocked_by(requests)
    shown = HitlRequest.objects.filter(pk__in=[one.pk for one in requests])
    mine = set(waiting_for_me(shown, user).values_list("pk", flat=True))
    now = timezone.now()
    return [
        {
            "request": one,
            "blocks": blocked[one.pk],
            "may_decide": one.pk in mine,
            "is_overdue": one.due_at is not None and one.due_at < now,
            "can_approve": one.kind != "clarification",
        }
        for one in requests
    ]


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()
