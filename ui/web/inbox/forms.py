"""What of all that waits is shown."""

from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Q

from hitl.enums import RequestKind
from hitl.models import HitlRequest
from hitl.selectors import overdue
from projects.agent_types import agent_type_choices
from projects.enums import Phase
from projects.models import Project
from ui.web.inbox.queries import Pending, Tally, tally, waiting_for

ANY = [("", "any")]
EXACT = ("project", "kind", "phase", "agent_type")
# More than anybody reads through; a search finds the others.
MOST_PROJECTS = 100


def _agent_choices() -> list[tuple[str, str]]:
    return ANY + agent_type_choices()


class InboxFilter(forms.Form):
    """Everything may be left out; what cannot be is taken for left out."""

    q = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput({"type": "search"})
    )
    whose = forms.ChoiceField(
        label="Whose", required=False, choices=[("", "waiting for me"), ("all", "all I may see")]
    )
    project = forms.UUIDField(label="Project", required=False, widget=forms.Select)
    kind = forms.ChoiceField(label="Kind", required=False, choices=ANY + RequestKind.choices)
    phase = forms.ChoiceField(label="Phase", required=False, choices=ANY + Phase.choices)
    agent_type = forms.ChoiceField(label="Agent", required=False, choices=_agent_choices)
    overdue = forms.BooleanField(label="Overdue only", required=False)

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__(data)
        self.user = user
        self.is_valid()
        self.fields["project"].widget.choices = ANY + self._projects()

    @property
    def is_about_all(self) -> bool:
        return self.cleaned_data.get("whose") == "all"

    @property
    def is_narrow(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("q", "overdue", *EXACT))

    @cached_property
    def base(self) -> Pending:
        """Before the narrower filters: what the counts are about."""
        if self.is_about_all:
            return HitlRequest.objects.pending().visible_to(self.user)
        return waiting_for(self.user)

    @cached_property
    def tally(self) -> Tally:
        return tally(self.base)

    def chosen(self) -> Pending:
        requests, said = self.base, self.cleaned_data
        exact = {name: said[name] for name in EXACT if said.get(name)}
        if words := said.get("q"):
            requests = requests.filter(
                Q(title__icontains=words) | Q(project__name__icontains=words) | Q(step=words)
            )
        return (overdue(requests) if said.get("overdue") else requests).filter(**exact)

    def _projects(self) -> list[tuple[str, str]]:
        """Those in which something waits, and the chosen one."""
        known = {pk: name for (pk, name), _ in self.tally.by_project[:MOST_PROJECTS]}
        chosen = self.cleaned_data.get("project")
        if chosen and chosen not in known:
            visible = Project.objects.visible_to(self.user).filter(pk=chosen)
            known |= dict(visible.values_list("pk", "name"))
        return sorted(((str(pk), name) for pk, name in known.items()), key=lambda one: one[1])
