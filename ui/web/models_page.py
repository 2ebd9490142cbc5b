"""Which models serve a project, and from where: members read, an owner changes it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agents.endpoints.serializers import EndpointInput
from agents.endpoints.services import PUBLIC_HOSTS, ask_for_test, delete_endpoint, save_endpoint
from agents.external import model_of
from agents.models import ModelEndpoint
from agents.providers.endpoints import KINDS, OUTPUTS
from audit.actors import Actor
from core.errors import DomainError, NotFound
from projects.access import role_of
from projects.agent_types import agent_types
from projects.enums import Role
from projects.models import Project
from projects.services import update_project
from ui.web.pages import add_errors, render_page

OUTPUT_WORDS = {
    "tools": "by calling a function",
    "schema": "as JSON, by a schema that the server enforces",
    "text": "as JSON that it is merely asked for",
}
HEADERS_LABEL = "Headers, one a line, such as X-Team: library"


class EndpointForm(forms.Form):
    """Shape only; a key that is left empty is not sent, and stays what it is."""

    name = forms.CharField(label="Name", max_length=30)
    speaks = forms.ChoiceField(label="Speaks", choices=[(kind, kind) for kind in KINDS])
    base_url = forms.CharField(label="Address (empty: the provider's own)", required=False)
    api_key = forms.CharField(
        label="Key (never shown again)",
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    headers = forms.CharField(
        label=HEADERS_LABEL, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    output = forms.ChoiceField(
        label="Models hand in their work",
        choices=[(output, OUTPUT_WORDS[output]) for output in OUTPUTS],
    )

    def data_for_service(self) -> dict[str, Any]:
        """As the API takes it. Raises forms.ValidationError."""
        data = dict(self.cleaned_data)
        lines = [line.partition(":") for line in data.pop("headers").splitlines() if line.strip()]
        headers = {name.strip(): value.strip() for name, _, value in lines}
        data = {name: value for name, value in data.items() if value or name == "base_url"}
        checked = EndpointInput(data=data | ({"headers": headers} if headers else {}))
        if checked.is_valid():
            return checked.validated_data
        for name, faults in checked.errors.items():
            for fault in faults if isinstance(faults, list) else [faults]:
                self.add_error(name if name in self.fields else None, str(fault))
        raise forms.ValidationError("")


class AgentModelsForm(forms.Form):
    def __init__(self, data: Any, project: Project) -> None:
        super().__init__(data, initial=project.agent_models)
        for name in agent_types.values:
            usual = model_of(Project(agent_models={}), name)
            self.fields[name] = forms.CharField(
                label=name, required=False, widget=forms.TextInput(attrs={"placeholder": usual})
            )

    def models(self) -> dict[str, str]:
        chosen = {name: value.strip() for name, value in self.cleaned_data.items()}
        return {name: value for name, value in chosen.items() if value}


def show_models(request: HttpRequest, project: Project) -> HttpResponse:
    """Raises Http404 for who may not see the project."""
    verb = request.POST.get("verb", "") if request.method == "POST" else ""
    forms_of = {
        "endpoint": EndpointForm(request.POST if verb == "endpoint" else None),
        "agents": AgentModelsForm(request.POST if verb == "agents" else None, project),
    }
    status = 200
    if verb:
        status, done = _done(request, project, verb, forms_of.get(verb))
        if done:
            messages.success(request, done)
            return redirect("admin:project_models", project.pk)
    is_owner = request.user.is_superuser or role_of(request.user, project.pk) == Role.OWNER
    context = {
        "title": "Models",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "project": project,
        "endpoints": list(ModelEndpoint.objects.filter(project=project)),
        "endpoint_form": forms_of["endpoint"],
        "agents_form": forms_of["agents"],
        "hosts": ", ".join(PUBLIC_HOSTS),
        "may_change": is_owner,
    }
    return render_page(request, "ui/projects/models.html", context, status=status)


def _done(
    request: HttpRequest, project: Project, verb: str, form: forms.Form | None
) -> tuple[int, str]:
    """The status of the answer, and what was done; empty where it was not."""
    where = {"project_id": project.pk, "actor": Actor.of_user(request.user)}
    name = request.POST.get("name", "")
    try:
        if form is not None and not form.is_valid():
            return 400, ""
        if verb == "endpoint":
            is_new = not ModelEndpoint.objects.filter(project=project, name=name).exists()
            save_endpoint(**where, is_new=is_new, **form.data_for_service())
            return 200, "The endpoint is saved."
        if verb == "agents":
            update_project(**where, agent_models=form.models())
            return 200, "The models are saved."
        if verb == "delete":
            delete_endpoint(**where, name=name)
            return 200, f"The endpoint {name} is gone."
        if verb == "test":
            ask_for_test(**where, name=name, model=request.POST.get("model", "").strip()[:200])
            return 200, "A worker tries it. Load this page again in a moment."
    except NotFound as error:
        raise Http404(error.detail) from error
    except forms.ValidationError:
        return 400, ""
    except DomainError as error:
        if form is None:
            messages.error(request, f"{error.detail} ({error.code})")
        else:
            _show(form, error)
        return error.status, ""
    return 400, ""


def _show(form: forms.Form, error: DomainError) -> None:
    """A model of an agent is a field of its own here."""
    for reason in error.errors:
        reason["field"] = reason["field"].removeprefix("agent_models.")
    add_errors(form, error)
