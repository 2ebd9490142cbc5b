"""The types of agents: everybody reads them, who runs the installation changes them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agents.own_types import (
    INSTRUCTIONS_MAX,
    Description,
    delete_agent_type,
    describe,
    may_change_agent_types,
    save_agent_type,
)
from agents.providers import configured_models
from agents.tool import tool_choices
from audit.actors import Actor
from core.errors import DomainError, NotFound
from projects.agent_types import agent_types
from projects.enums import Phase
from ui.web.pages import add_errors, render_page


class ToolsField(forms.MultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def __init__(self, label: str) -> None:
        super().__init__(label=label, choices=tool_choices, required=False)


class LimitField(forms.IntegerField):
    def __init__(self, label: str) -> None:
        super().__init__(label=label, min_value=1, required=False)


class AgentTypeForm(forms.Form):
    title = forms.CharField(label="Title", max_length=100)
    phase = forms.ChoiceField(label="Where most of its work is", choices=Phase.choices)
    instructions = forms.CharField(
        label="Instructions",
        max_length=INSTRUCTIONS_MAX,
        widget=forms.Textarea(attrs={"rows": 14}),
        required=False,
        strip=False,
    )
    model = forms.CharField(label="Model (empty: as the settings say)", required=False)
    tools = ToolsField("Tools that its model may call")
    ask_before = ToolsField("People are asked before each call of")
    max_turns = LimitField("Turns for one artifact (empty: as the settings say)")
    max_tokens = LimitField("Tokens for one artifact (empty: as the settings say)")
    max_seconds = LimitField("Seconds at work for one artifact (empty: as the settings say)")

    def clean_instructions(self) -> str:
        """As they were where nobody changed them: browsers send line ends of their own."""
        return str(self.cleaned_data["instructions"]).replace("\r\n", "\n")

    @property
    def texts(self) -> list[forms.BoundField]:
        return [self[name] for name in ("title", "phase", "instructions", "model")]

    @property
    def choices(self) -> list[forms.BoundField]:
        return [self["tools"], self["ask_before"]]

    @property
    def limits(self) -> list[forms.BoundField]:
        return [self[name] for name in ("max_turns", "max_tokens", "max_seconds")]


class NewAgentTypeForm(AgentTypeForm):
    name = forms.CharField(label="Name (a-z, 0-9 and _)", max_length=20)

    @property
    def texts(self) -> list[forms.BoundField]:
        return [self["name"], *super().texts]


def show_agent_types(request: HttpRequest) -> HttpResponse:
    """All of them; `?new` is the form of another one."""
    may_change = may_change_agent_types(request.user)
    form = NewAgentTypeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        name = values.pop("name")
        if save(request, form, name, values, is_new=True):
            return redirect("admin:agent_type", name)
    models = configured_models()
    described = [describe(name) for name in agent_types.values]
    context = {
        "title": "Agents",
        "types": [(item, models.get(item.name, "none")) for item in described],
        "may_change": may_change,
        "form": form if may_change and (form.is_bound or "new" in request.GET) else None,
    }
    status = 400 if form.is_bound and form.errors else 200
    return render_page(request, "ui/agent_types.html", context, status=status)


def show_agent_type(request: HttpRequest, agent_type: str) -> HttpResponse:
    name = agent_type
    try:
        item = describe(name)
    except NotFound as error:
        raise Http404(error.detail) from error
    form = AgentTypeForm(request.POST or None, initial=vars(item))
    if request.method == "POST":
        if "delete" in request.POST:
            return remove(request, name)
        if form.is_valid() and save(request, form, name, changes_of(item, form), is_new=False):
            return redirect("admin:agent_type", name)
    context = {
        "title": item.title,
        "trail": [("Agents", reverse("admin:agent_types"))],
        "item": item,
        "form": form,
        "may_change": may_change_agent_types(request.user),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render_page(request, "ui/agent_type.html", context, status=status)


def changes_of(item: Description, form: AgentTypeForm) -> dict[str, Any]:
    """What is as it was stays as it ships, also where a later release ships something else."""
    return {
        name: value for name, value in form.cleaned_data.items() if value != getattr(item, name)
    }


def save(
    request: HttpRequest, form: forms.Form, name: str, values: dict[str, Any], *, is_new: bool
) -> bool:
    actor = Actor.of_user(request.user)
    try:
        save_agent_type(actor=actor, name=name, is_new=is_new, **values)
    except DomainError as error:
        add_errors(form, error)
        return False
    agent_types.refresh()
    messages.success(request, "Saved. It holds for work that begins from now on.")
    return True


def remove(request: HttpRequest, name: str) -> HttpResponse:
    try:
        delete_agent_type(actor=Actor.of_user(request.user), name=name)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("admin:agent_type", name)
    agent_types.refresh()
    messages.success(request, f"{name} was deleted.")
    return redirect("admin:agent_types")
