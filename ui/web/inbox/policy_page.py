"""How a project decides: every member reads it, an owner changes it."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.actors import Actor
from core.errors import DomainError, NotFound
from hitl.policy import policy_of
from hitl.services import change_policy
from projects.access import role_of
from projects.enums import Role
from projects.models import Project
from ui.web.inbox.policy_form import PolicyForm
from ui.web.inbox.queries import waiting_for
from ui.web.pages import render_page


def show_policy(site: AdminSite, http: HttpRequest, project: Project) -> HttpResponse:
    """Raises Http404 for who may not see the project."""
    form = PolicyForm(http.POST if http.method == "POST" else None, policy_of(project.pk))
    if not form.is_bound:
        return _page(site, http, project, form)
    if not form.is_valid():
        return _page(site, http, project, form, status=400)
    try:
        change_policy(project_id=project.pk, actor=Actor.of_user(http.user), **form.changes())
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        form.take(error)
        return _page(site, http, project, form, status=error.status)
    messages.success(http, "Requests that are opened from now on are decided like this.")
    return redirect("admin:projects_project_change", project.pk)


def _page(
    site: AdminSite, http: HttpRequest, project: Project, form: PolicyForm, status: int = 200
) -> HttpResponse:
    may_change = http.user.is_superuser or role_of(http.user, project.pk) == Role.OWNER
    context: dict[str, Any] = {
        "title": f"How {project.name} decides",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "waiting_count": waiting_for(http.user).count(),
        "project": project,
        "form": form,
        "may_change": may_change,
    }
    return render_page(site, http, "ui/inbox/policy.html", context, status=status)
