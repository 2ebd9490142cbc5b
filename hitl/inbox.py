from typing import Any

from django.db.models import F

from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me

# More than anybody looks through; the list of the REST API has pages.
MOST = 500
SHOWN = ("id", "project", "project__name", "kind", "title", "created_at", "due_at", "expires_at")


def inbox_items(user: Any) -> list[dict[str, Any]]:
    """What waits for the user over all their projects, the most pressing first."""
    waiting = waiting_for_me(HitlRequest.objects.all(), user)
    ordered = waiting.order_by(F("due_at").asc(nulls_last=True), "created_at", "id")
    return [_item(row) for row in ordered.values(*SHOWN)[:MOST]]


def _item(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: _text(row[name]) for name in ("created_at", "due_at", "expires_at")}
    return {
        "request": str(row["id"]),
        "project": str(row["project"]),
        "project_name": row["project__name"],
        "kind": row["kind"],
        "title": row["title"],
        **times,
    }


def _text(time: Any) -> str | None:
    """As the REST API writes times."""
    return time.isoformat().replace("+00:00", "Z") if time else None
