"""The first screen of the admin: what waits for the person who looks."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils import timezone

from core.content_security import STRICT
from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me
from ui.web.inbox.forms import InboxFilter
from ui.web.inbox.queries import blocked_by, heads_of, in_order, unfinished_of, waiting_for
from ui.web.inbox.request_status import clock_of

PER_PAGE = 50
PROJECTS_SHOWN = 12


def add_inbox(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Called by the theme for the admin's index."""
    chosen = InboxFilter(request.GET, user=request.user)
    page = _Pages(chosen).get_page(request.GET.get("page"))
    return context | {
        "content_policy": STRICT,
        "title": "Inbox",
        "filter": chosen,
        "is_filtered": chosen.is_about_all or chosen.is_narrow,
        "by_project": chosen.tally.by_project[:PROJECTS_SHOWN],
        "by_kind": chosen.tally.by_kind,
        "page": page,
        "rows": _rows(list(page.object_list), request.user),
        "waiting_count": _waiting_count(chosen),
        "heads": heads_of(unfinished_of(request.user)),
        "query": _without_page(request),
    }


class _Pages(Paginator):
    """Counts only what the tally has not counted already."""

    def __init__(self, chosen: InboxFilter) -> None:
        super().__init__(in_order(chosen.chosen()), PER_PAGE)
        if not chosen.is_narrow:
            self.count = chosen.tally.total


def _waiting_count(chosen: InboxFilter) -> int:
    return waiting_for(chosen.user).count() if chosen.is_about_all else chosen.tally.total


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
            "clock": clock_of(one, now),
            "claimant": one.claimed_by if one.claimant_id(now) else None,
            "can_approve": one.kind != "clarification",
        }
        for one in requests
    ]


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()
