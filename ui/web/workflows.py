"""Workflows: everybody reads them, who runs the installation adds their own."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.actors import Actor
from core.errors import DomainError, NotFound
from orchestrator.engine.definition import DefinitionError, load_definition
from orchestrator.engine.marked_yaml import MAX_CHARACTERS
from orchestrator.engine.own_workflows import (
    describe_workflow,
    describe_workflows,
    may_change_workflows,
    save_workflow_text,
    workflow_text,
)
from ui.web.pages import add_errors, render_page
from ui.web.projects.new_project import picture_of

EXAMPLE = """\
name: notes
version: 1
title: Notes

steps:
  - id: notes
    title: Notes
    phase: plan
    agent: analyst
    creates: [agent_output]
    requires: [user_input]
    gate: result
    instructions: |
      Take notes of what the brief asks for.
"""


class WorkflowForm(forms.Form):
    text = forms.CharField(
        label="YAML",
        max_length=MAX_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 24, "class": "code", "spellcheck": "false"}),
    )


def show_workflows(request: HttpRequest) -> HttpResponse:
    """All of them; `?new` is the form of another one."""
    may_change = may_change_workflows(request.user)
    form = WorkflowForm(request.POST or None, initial={"text": EXAMPLE})
    if name := saved_name(request, form):
        return redirect("admin:workflow", name)
    context = {
        "title": "Workflows",
        "workflows": describe_workflows(),
        "may_change": may_change,
        "form": form if may_change and (form.is_bound or "new" in request.GET) else None,
    }
    return render_page(request, "ui/workflows.html", context, status=400 if form.errors else 200)


def show_workflow(request: HttpRequest, name: str) -> HttpResponse:
    try:
        workflow = describe_workflow(name)
    except NotFound as error:
        raise Http404(error.detail) from error
    picture, fault = None, ""
    try:
        picture = picture_of(load_definition(name))
    except DefinitionError as error:
        fault = error.faults
    form = WorkflowForm(request.POST or None, initial={"text": workflow_text(workflow)})
    if saved := saved_name(request, form):
        return redirect("admin:workflow", saved)
    context = {
        "title": workflow.title,
        "trail": [("Workflows", reverse("admin:workflows"))],
        "workflow": workflow,
        "picture": picture,
        "fault": fault,
        "form": form,
        "may_change": may_change_workflows(request.user),
    }
    return render_page(request, "ui/workflow.html", context, status=400 if form.errors else 200)


def saved_name(request: HttpRequest, form: WorkflowForm) -> str:
    """The text says which workflow it is, on whichever page it was written."""
    if request.method != "POST" or not form.is_valid():
        return ""
    actor = Actor.of_user(request.user)
    try:
        workflow, _ = save_workflow_text(actor=actor, text=form.cleaned_data["text"])
    except DomainError as error:
        add_errors(form, error)
        return ""
    messages.success(request, "Saved. It holds for projects that start from now on.")
    return workflow.name
