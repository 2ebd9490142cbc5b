"""What makes the pages an app that a browser can install, and be told things for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(no_cache=True)
def show_push_worker(request: HttpRequest) -> HttpResponse:
    """Here and not among the static files: it is for the pages below its own address."""
    return render(request, "ui/notifications/push_worker.js", content_type="text/javascript")


@require_safe
@cache_control(max_age=3600)
def show_manifest(request: HttpRequest) -> HttpResponse:
    name, kind = "ui/notifications/manifest.webmanifest", "application/manifest+json"
    return render(request, name, content_type=kind)
