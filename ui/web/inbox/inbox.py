"""The first page: what waits for the person who looks."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.db.models import Count, F, Q, QuerySet
from django.db.models.fields.json import KT, KeyTextTransform
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from agents.enums import RequestKind
from audit.models import Stream
from core.fields import MAX_DEPTH
from core.text import one_line
from hitl.actions import registered_actions
from hitl.agent_actions.digests import changed_call
from hitl.models import AgentAction, HitlRequest
from hitl.presenter import deadlines_of
from hitl.readings import readings_of
from hitl.selectors import overdue, waiting_for_me
from orchestrator.engine.progress import blocked_steps
from projects.agent_types import agent_types
from projects.enums import Phase
from projects.models import Project
from ui.web.artifacts.content_html import json_tree
from ui.web.models import SavedFilter
from ui.web.pages import render_page
from ui.wording import deadline_text, label

PER_PAGE = 50
PREVIEW_MAX = 240
PROJECTS_SHOWN = 12
# More than anybody reads through; a search finds the others.
PROJECT_CHOICES = 100
# As many subscriptions as one socket takes.
FOLLOWED_MAX = 100
# Of a group of identical calls, in characters; longer ones are read on their pages.
ARGUMENTS_SHOWN = 2_000
ANY = [("", "any")]
EXACT = ("project", "kind", "phase", "agent_type")


def waiting_for(user: Any) -> QuerySet[HitlRequest]:
    """Pending requests on which the user may decide."""
    return waiting_for_me(HitlRequest.objects.all(), user)


def most_pressing_first(requests: QuerySet[HitlRequest]) -> QuerySet[HitlRequest]:
    """The next deadline first, then the longest wait."""
    ordered = requests.order_by(F("due_at").asc(nulls_last=True), "created_at", "id")
    # Subjects and briefs may be long, and no list shows them.
    return ordered.select_related("project", "claimed_by").defer("subject", "project__brief")


def with_preview(requests: QuerySet[HitlRequest]) -> QuerySet[HitlRequest]:
    """With what `preview_of` puts in one line."""
    return requests.annotate(
        first_question=KT("subject__questions__0"),
        reason=KT("subject__reason"),
        error=KT("subject__error__detail"),
        verdict=KT("subject__verdict"),
        outputs=F("subject__outputs"),
        notes=Left(KeyTextTransform("notes", "task__result"), PREVIEW_MAX),
        why=Left("agent_action__why", PREVIEW_MAX),
    )


def preview_of(request: Any) -> str:
    """What it asks or shows, in the agent's own words, for a list."""
    made = ", ".join(
        f"{output.get('title', '')}, version {output['version']}"
        for output in request.outputs or []
    )
    verdict = f"Verdict: {request.verdict}." if request.verdict else ""
    asked = request.first_question or request.error or request.reason or request.why
    return one_line(asked or f"{verdict} {request.notes or made}".strip())[:PREVIEW_MAX]


def next_for(user: Any, *, exclude: UUID | None = None) -> HitlRequest | None:
    return most_pressing_first(waiting_for(user)).exclude(pk=exclude).first()


def stream_heads(projects: Sequence[UUID]) -> dict[str, int]:
    """By project: the sequence from which a page follows its events."""
    heads = dict(Stream.objects.filter(project__in=projects).values_list("project", "sequence"))
    return {str(project): heads.get(project, 0) for project in projects}


class InboxFilter(forms.Form):
    """Every field is optional, and a value that makes no sense is ignored."""

    q = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput({"type": "search"})
    )
    whose = forms.ChoiceField(
        label="Show", required=False, choices=[("", "waiting for me"), ("all", "all I can see")]
    )
    project = forms.UUIDField(label="Project", required=False, widget=forms.Select)
    kind = forms.ChoiceField(label="Kind", required=False)
    phase = forms.ChoiceField(label="Phase", required=False)
    agent_type = forms.ChoiceField(label="Agent", required=False)
    overdue = forms.BooleanField(label="Overdue only", required=False)
    #: The digest of a call: all requests about the same one.
    call = forms.CharField(required=False, max_length=71, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__(data)
        self.user = user
        for name, values in (
            ("kind", RequestKind.values),
            ("phase", Phase.values),
            ("agent_type", agent_types.values),
        ):
            self.fields[name].choices = ANY + [(value, label(value)) for value in values]
        self.is_valid()
        # Projects with something to decide, and the chosen one.
        names = {pk: name for (pk, name), _ in self.by_project.most_common(PROJECT_CHOICES)}
        chosen = self.cleaned_data.get("project")
        if chosen and chosen not in names:
            visible = Project.objects.visible_to(user).filter(pk=chosen)
            names |= dict(visible.values_list("pk", "name"))
        by_name = sorted(names.items(), key=lambda item: item[1])
        self.fields["project"].widget.choices = ANY + [(str(pk), name) for pk, name in by_name]

    @property
    def shows_all(self) -> bool:
        return self.cleaned_data.get("whose") == "all"

    @property
    def is_narrow(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("q", "overdue", "call", *EXACT))

    @cached_property
    def base(self) -> QuerySet[HitlRequest]:
        """Before the narrower filters: what the counts are about."""
        if self.shows_all:
            return HitlRequest.objects.pending().visible_to(self.user)
        return waiting_for(self.user)

    @cached_property
    def _counts(self) -> list[tuple[UUID, str, str, int]]:
        """By project and kind, in one query however many there are."""
        grouped = self.base.order_by().values_list("project", "project__name", "kind")
        counted = grouped.annotate(number=Count("pk"))
        return list(counted.order_by("project__name", "project", "kind"))

    @cached_property
    def by_project(self) -> Counter[tuple[UUID, str]]:
        counts = Counter()
        for project, name, _, number in self._counts:
            counts[project, name] += number
        return counts

    @cached_property
    def by_kind(self) -> Counter[str]:
        counts = Counter()
        for _, _, kind, number in self._counts:
            counts[kind] += number
        return counts

    def requests(self) -> QuerySet[HitlRequest]:
        requests, chosen = self.base, self.cleaned_data
        if words := chosen.get("q"):
            requests = requests.filter(
                Q(title__icontains=words) | Q(project__name__icontains=words) | Q(step=words)
            )
        if chosen.get("overdue"):
            requests = overdue(requests)
        if digest := chosen.get("call"):
            requests = requests.filter(agent_action__call_digest=digest)
        return requests.filter(**{name: chosen[name] for name in EXACT if chosen.get(name)})


def show_inbox(request: HttpRequest) -> HttpResponse:
    chosen = InboxFilter(request.GET, user=request.user)
    pages = Paginator(with_preview(most_pressing_first(chosen.requests())), PER_PAGE)
    if not chosen.is_narrow:
        # Already counted for the summary above the list.
        pages.count = chosen.by_kind.total()
    page = pages.get_page(request.GET.get("page"))
    visible = Project.objects.visible_to(request.user)
    unfinished = visible.filter(finished_at__isnull=True)
    followed = unfinished.order_by("-created_at").values_list("pk", flat=True)[:FOLLOWED_MAX]
    followed = list(followed)
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "title": "Inbox",
        "filter": chosen,
        "is_filtered": chosen.shows_all or chosen.is_narrow,
        "by_project": chosen.by_project.most_common(PROJECTS_SHOWN),
        "by_kind": chosen.by_kind.most_common(),
        "page": page,
        "rows": _grouped(_rows(list(page.object_list), request.user), chosen),
        "heads": stream_heads(followed),
        "has_projects": bool(followed) or visible.exists(),
        "query": query.urlencode(),
        "saved_filters": list(SavedFilter.objects.filter(user=request.user)),
        "bulk_actions": sorted(
            (
                action
                for action in registered_actions()
                if not action.needs_content and not action.is_destructive
            ),
            key=lambda action: action.key != "approve",
        ),
    }
    if not chosen.shows_all:
        context["waiting_count"] = chosen.by_kind.total()
    return render_page(request, "ui/inbox/inbox.html", context)


def _rows(requests: list[HitlRequest], user: Any) -> list[dict[str, Any]]:
    blocked = blocked_steps(requests)
    on_page = HitlRequest.objects.filter(pk__in=[request.pk for request in requests])
    mine = set(waiting_for_me(on_page, user).values_list("pk", flat=True))
    read = readings_of(user, [request.pk for request in requests])
    now = timezone.now()
    return [
        {
            "request": request,
            "preview": preview_of(request),
            "is_read": (request.pk, request.subject_digest) in read,
            "blocks": blocked[request.pk],
            "may_decide": request.pk in mine,
            "deadline": deadline_text(deadlines_of(request, now), now),
            "claimant": request.claimed_by if request.claimant_id(now) else None,
        }
        for request in requests
    ]


def _grouped(rows: list[dict[str, Any]], chosen: InboxFilter) -> list[dict[str, Any]]:
    """Identical calls of a project as one row, in the place of its most pressing one.

    Each is still decided by itself.
    """
    ids = [row["request"].agent_action_id for row in rows if row["request"].agent_action_id]
    digests = dict(AgentAction.objects.filter(pk__in=ids).values_list("pk", "call_digest"))
    calls = [
        (row["request"].project_id, digests.get(row["request"].agent_action_id)) for row in rows
    ]
    numbers = Counter(call for call in calls if call[1] is not None)
    groups: dict[Any, dict[str, Any]] = {}
    grouped = []
    for row, call in zip(rows, calls, strict=True):
        if numbers[call] < 2:
            grouped.append(row)
        elif call in groups:
            groups[call]["rows"].append(row)
        else:
            groups[call] = {"request": row["request"], "rows": [row], "digest": call[1]}
            grouped.append(groups[call])
    if groups:
        _describe(groups, chosen)
    return grouped


def _describe(groups: dict[Any, dict[str, Any]], chosen: InboxFilter) -> None:
    """How many there are in all, and the call, where all rows of a group bear its digest out."""
    digests = [digest for _, digest in groups]
    same = chosen.base.order_by().filter(agent_action__call_digest__in=digests)
    counted = same.values_list("project", "agent_action__call_digest").annotate(Count("pk"))
    totals = {(project, digest): number for project, digest, number in counted}
    ids = [row["request"].agent_action_id for group in groups.values() for row in group["rows"]]
    kinds = AgentAction.objects.filter(pk__in=ids).order_by().values("project", "call_digest")
    kinds = kinds.annotate(number=Count("arguments", distinct=True) * Count("tool", distinct=True))
    equal = {(kind["project"], kind["call_digest"]) for kind in kinds if kind["number"] == 1}
    firsts = AgentAction.objects.in_bulk(
        [group["request"].agent_action_id for group in groups.values()]
    )
    for call, group in groups.items():
        action = firsts[group["request"].agent_action_id]
        is_shown = call in equal and changed_call(action) is None
        is_short = len(action.arguments) <= ARGUMENTS_SHOWN
        group["total"] = totals.get(call, len(group["rows"]))
        group["tool"] = action.tool["name"] if is_shown else ""
        group["arguments"] = (
            json_tree(json.loads(action.arguments), open_levels=MAX_DEPTH)
            if is_shown and is_short
            else ""
        )


@require_GET
def count_waiting(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"waiting": waiting_for(request.user).count()})
