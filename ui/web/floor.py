"""The page of what no project may go below, for superusers."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from agents.enums import RequestKind
from audit.actors import Actor
from audit.installation import record_installation
from hitl.models import APPROVALS_MAX
from projects.events import FLOOR_CHANGED
from projects.floor import Floor, installation_floor
from projects.models import InstallationFloor
from ui.web.pages import render_page
from ui.wording import OVERSIGHT, floor_text, label

# An answer to a question is one person's.
KINDS = [kind for kind in RequestKind.values if kind != RequestKind.CLARIFICATION]
FIELDS = ("oversight_level", "required_approvals", "prevent_self_approval")


class FloorForm(forms.Form):
    oversight_level = forms.ChoiceField(
        label="Least oversight",
        choices=[(level, f"{level.capitalize()}: {text}") for level, text in OVERSIGHT.items()],
        widget=forms.RadioSelect,
    )
    prevent_self_approval = forms.BooleanField(
        label="In no project can authors decide on their own work", required=False
    )

    def __init__(self, data: object, floor: InstallationFloor) -> None:
        initial = {name: getattr(floor, name) for name in FIELDS} | floor.required_approvals
        super().__init__(data, initial=initial)
        for kind in KINDS:
            self.fields[kind] = forms.IntegerField(
                label=f"Least approvals: {label(kind)}",
                min_value=1,
                max_value=APPROVALS_MAX,
                initial=1,
            )

    @property
    def approvals(self) -> list[forms.BoundField]:
        return [self[kind] for kind in KINDS]


def show_floor(request: HttpRequest) -> HttpResponse:
    if not request.user.is_superuser:
        raise PermissionDenied
    with transaction.atomic():
        rows = InstallationFloor.objects.select_for_update()
        row = rows.filter(pk=1).first() or InstallationFloor()
        form = FloorForm(request.POST if request.method == "POST" else None, row)
        if form.is_bound and form.is_valid():
            save_floor(request, row, form)
            messages.success(request, "Saved. It holds for what starts or is asked from now on.")
            return redirect("admin:installation_floor")
    context = {
        "title": "Installation floor",
        "form": form,
        "holds": floor_text(installation_floor()),
        "by_settings": floor_text(Floor(**settings.POLICY_FLOOR)),
    }
    status = 400 if form.errors else 200
    return render_page(request, "ui/floor.html", context, status=status)


def save_floor(request: HttpRequest, row: InstallationFloor, form: FloorForm) -> None:
    old = {name: getattr(row, name) for name in FIELDS}
    values = form.cleaned_data
    row.oversight_level = values["oversight_level"]
    row.prevent_self_approval = values["prevent_self_approval"]
    row.required_approvals = {kind: values[kind] for kind in KINDS if values[kind] > 1}
    row.pk, row.updated_by = 1, request.user
    row.save()
    new = {name: getattr(row, name) for name in FIELDS}
    changes = {n: {"old": old[n], "new": new[n]} for n in FIELDS if old[n] != new[n]}
    if changes:
        record_installation(FLOOR_CHANGED, Actor.of_user(request.user), fields=changes)
