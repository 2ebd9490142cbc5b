"""The menu of every page. An item with a `permission` is only for those whom it lets."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy

from agents.models import EmergencyStop
from agents.selectors import stops_for
from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me


def is_superuser(request: HttpRequest) -> bool:
    return request.user.is_superuser


def _item(title: str, icon: str, view: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{view}"), **more}


def _operator_item(title: str, icon: str, view: str) -> dict[str, Any]:
    return _item(title, icon, view, permission=is_superuser)


# Names of icons are those of Material Symbols.
NAVIGATION = [
    {
        "title": "Work",
        "items": [
            _item("Inbox", "inbox", "index"),
            _item("Projects", "account_tree", "projects_project_changelist"),
            _item("All requests", "approval", "hitl_hitlrequest_changelist"),
            _item("Artifacts", "description", "context_artifact_changelist"),
            _item("Emergency stop", "front_hand", "agents_emergencystop_control"),
            _item("Agents", "smart_toy", "agent_types"),
            _item("Workflows", "route", "workflows"),
            _item("Statistics", "monitoring", "hitl_statistics"),
            _item("Search", "search", "search"),
        ],
    },
    {
        "title": "Records",
        "collapsible": True,
        "items": [
            _item("Decisions", "how_to_reg", "hitl_decision_changelist"),
            _item("Artifact versions", "history", "context_artifactversion_changelist"),
            _item("Context builds", "visibility", "context_contextbuild_changelist"),
            _item("Tasks", "task_alt", "agents_task_changelist"),
            _item("Attempts", "replay", "agents_taskattempt_changelist"),
            _item("Agent status", "smart_toy", "agents_agentstatus_changelist"),
            _item("Workflow runs", "route", "orchestrator_workflowrun_changelist"),
            _item("Members", "group", "projects_membership_changelist"),
        ],
    },
    {
        "title": "Installation",
        "collapsible": True,
        "items": [
            _operator_item("Events", "event_note", "audit_event_changelist"),
            _operator_item("Streams", "stream", "audit_stream_changelist"),
            _operator_item("Failed jobs", "error", "django_celery_results_taskresult_changelist"),
            _operator_item("Outbox", "outbox", "outbox"),
            _operator_item("Installation floor", "rule", "installation_floor"),
            _operator_item("Users", "person", "auth_user_changelist"),
            _operator_item("Groups", "group", "auth_group_changelist"),
            _operator_item("Second factors", "lock", "mfa_authenticator_changelist"),
            _operator_item("API tokens", "key", "accounts_personaltoken_changelist"),
        ],
    },
]
# Below the name of who is logged in, above "Log out".
ACCOUNT_MENU = [
    _item("Your profile", "person", "profile"),
    _item("Notifications", "notifications", "notification_preferences"),
]
STOPS_SHOWN = 3


def layout_context(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page shows; each query is made once, where it is used."""
    user = request.user
    if not user.is_authenticated:
        return {}

    @cache
    def waiting_count() -> int:
        return waiting_for_me(HitlRequest.objects.all(), user).count()

    @cache
    def standing_stops() -> list[EmergencyStop]:
        return list(stops_for(user).active())

    return {
        "navigation": [
            group | {"items": items, "is_open": is_open_in(request, group, items)}
            for group in NAVIGATION
            if (items := permitted(request, group["items"]))
        ],
        "account_menu": permitted(request, ACCOUNT_MENU),
        "waiting_count": waiting_count,
        "standing_stops": standing_stops,
        "stops_shown": STOPS_SHOWN,
    }


def permitted(request: HttpRequest, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        item | {"is_current": request.path == str(item["link"])}
        for item in items
        if "permission" not in item or item["permission"](request)
    ]


def is_open_in(request: HttpRequest, group: dict[str, Any], items: list[dict[str, Any]]) -> bool:
    """A folded group is open where one of its pages is looked at."""
    if not group.get("collapsible"):
        return True
    return any(request.path.startswith(str(item["link"])) for item in items)
