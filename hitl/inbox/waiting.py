"""What waits for people: the reads behind the inbox."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from audit.models import Stream
from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me
from hitl.words import RequestKind
from projects.models import Project
from projects.words import AgentType, Phase

Pending = QuerySet[HitlRequest]
# As many subscriptions as one socket takes.
FOLLOWED = 100
ANY = [("", "any")]
EXACT = ("project", "kind", "phase", "agent_type")


def waiting_for(user: Any) -> Pending:
    """Pending requests on which the user may decide."""
    return waiting_for_me(HitlRequest.objects.all(), user)


def in_order(requests: Pending) -> Pending:
    """Whose time runs out first, then who waits longest."""
    return requests.select_related("project").order_by(
        F("due_at").asc(nulls_last=True), "created_at", "id"
    )


def next_for(user: Any, *, but: UUID | None = None) -> HitlRequest | None:
    """What to decide on next."""
    return in_order(waiting_for(user)).exclude(pk=but).first()


def tally(requests: Pending) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """How many wait, by project and by kind; the most first."""
    by_project = requests.values("project", "project__name").annotate(number=Count("pk"))
    by_kind = requests.values("kind").annotate(number=Count("pk"))
    return (
        list(by_project.order_by("-number", "project__name")[:12]),
        list(by_kind.order_by("-number", "kind")),
    )


def blocked_by(requests: Sequence[HitlRequest]) -> dict[UUID, list[str]]:
    """The titles of the steps that cannot start before each request is decided."""
    outlook: Callable[[Sequence[HitlRequest]], dict[UUID, list[str]]] = import_string(
        settings.HITL_OUTLOOK
    )
    return outlook(requests)


def heads_of(projects: QuerySet[Project]) -> dict[str, int]:
    """Where each project's stream of events stands, for a page that follows it from there."""
    ids = list(projects.values_list("pk", flat=True)[:FOLLOWED])
    heads = dict(Stream.objects.filter(project__in=ids).values_list("project", "sequence"))
    return {str(pk): heads.get(pk, 0) for pk in ids}


def unfinished_of(user: Any) -> QuerySet[Project]:
    """The projects in which something may still come up, newest first."""
    return Project.objects.visible_to(user).filter(finished_at__isnull=True).order_by("-created_at")


def _words(values: Any) -> list[tuple[str, str]]:
    return ANY + [(value, value.replace("_", " ")) for value in values]


class InboxFilter(forms.Form):
    """What of all that waits is shown. Everything may be left out."""

    q = forms.CharField(label="Search", required=False, max_length=200)
    whose = forms.ChoiceField(
        label="Whose", required=False, choices=[("", "waiting for me"), ("all", "all I may see")]
    )
    project = forms.ModelChoiceField(
        label="Project", required=False, queryset=Project.objects.none(), empty_label="any"
    )
    kind = forms.ChoiceField(label="Kind", required=False, choices=_words(RequestKind.values))
    phase = forms.ChoiceField(label="Phase", required=False, choices=_words(Phase.values))
    agent_type = forms.ChoiceField(label="Agent", required=False, choices=_words(AgentType.values))
    overdue = forms.BooleanField(label="Overdue only", required=False)

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__(data)
        self.user = user
        self.fields["q"].widget.input_type = "search"
        self.fields["project"].queryset = Project.objects.visible_to(user).filter(
            pk__in=HitlRequest.objects.pending().values("project")
        )

    def base(self) -> Pending:
        """Before the narrower filters: what the counts are about."""
        self.is_valid()
        is_all = self.cleaned_data.get("whose") == "all"
        everything = HitlRequest.objects.pending().visible_to(self.user)
        return everything if is_all else waiting_for(self.user)

    def chosen(self) -> Pending:
        requests, said = self.base(), self.cleaned_data
        exact = {name: said[name] for name in EXACT if said.get(name)}
        if words := said.get("q"):
            requests = requests.filter(
                Q(title__icontains=words) | Q(project__name__icontains=words) | Q(step=words)
            )
        if said.get("overdue"):
            requests = requests.filter(due_at__lt=timezone.now())
        return requests.filter(**exact)
