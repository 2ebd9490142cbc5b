"""Filters of the inbox that a person keeps by name."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from core.text import is_storable
from ui.web.inbox.inbox import InboxFilter
from ui.web.models import FILTERS_MAX, SavedFilter

LABELS = {"name": "Save this filter as", "query": "Filter"}


class SaveForm(forms.ModelForm):
    class Meta:
        model = SavedFilter
        fields = ("name", "query")

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if not is_storable(name):
            raise forms.ValidationError("Write the name in plain text.")
        return name

    def clean_query(self) -> str:
        """Only what the inbox filters by."""
        chosen, kept = QueryDict(self.cleaned_data["query"]), QueryDict(mutable=True)
        for field in InboxFilter.base_fields:
            if value := chosen.get(field):
                kept[field] = value
        if not kept:
            raise forms.ValidationError("Choose a filter first, then save it.")
        return kept.urlencode()


@require_POST
def save_filter(request: HttpRequest) -> HttpResponse:
    """The same name again replaces what it stood for."""
    form = SaveForm(request.POST)
    mine = SavedFilter.objects.filter(user=request.user)
    if not form.is_valid():
        for field, errors in form.errors.items():
            messages.error(request, f"{LABELS[field]}: {errors[0]}")
        return redirect("admin:index")
    fields = form.cleaned_data
    if mine.exclude(name=fields["name"]).count() >= FILTERS_MAX:
        messages.error(request, f"You have {FILTERS_MAX} saved filters. Remove one first.")
        return redirect("admin:index")
    mine.update_or_create(
        user=request.user, name=fields["name"], defaults={"query": fields["query"]}
    )
    return redirect(f"{reverse('admin:index')}?{fields['query']}")


@require_POST
def remove_filter(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Somebody else's is not there."""
    SavedFilter.objects.filter(user=request.user, pk=filter_id).delete()
    return redirect("admin:index")
