from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from ops.health.check import Finding, Status, checks, run_checks

SERVICE = "paraph"
PASSES = {Status.HEALTHY, Status.NOT_CONFIGURED}


def probe(view: Callable[[HttpRequest], JsonResponse]) -> Callable[[HttpRequest], JsonResponse]:
    """Read-only and never cached."""
    return csrf_exempt(never_cache(require_safe(view)))


def overall(findings: dict[str, Finding]) -> Status:
    """Unhealthy where requests cannot be served; degraded where something else is wrong."""
    failed = [name for name, finding in findings.items() if finding.status == Status.UNHEALTHY]
    if any(checks[name].is_required for name in failed):
        return Status.UNHEALTHY
    is_fine = all(finding.status in PASSES for finding in findings.values())
    return Status.HEALTHY if is_fine else Status.DEGRADED


@probe
def basic(request: HttpRequest) -> JsonResponse:
    """The process answers. Looks at nothing else."""
    return JsonResponse(_basic(Status.HEALTHY))


@probe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether requests can be served now: 503 while the database or Redis is away."""
    findings = run_checks(check for check in checks if check.is_required)
    status = overall(findings)
    return JsonResponse(_basic(status) | _components(findings), status=_code(status))


@probe
def detailed(request: HttpRequest) -> JsonResponse:
    """A report on every component; the answer itself is always 200."""
    findings = run_checks(checks)
    return JsonResponse(_basic(overall(findings)) | _timestamp() | _components(findings))


@probe
def summary(request: HttpRequest) -> JsonResponse:
    """Pass or fail of every component, for monitors that count."""
    findings = run_checks(checks)
    passed = [name for name, finding in findings.items() if finding.status in PASSES]
    status = overall(findings)
    body = {
        "checks": {name: "pass" if name in passed else "fail" for name in findings},
        "health_percentage": round(100 * len(passed) / len(findings), 1),
        "services_healthy": f"{len(passed)}/{len(findings)}",
    }
    return JsonResponse(_basic(status) | _timestamp() | body, status=_code(status))


def _basic(status: Status) -> dict[str, Any]:
    return {"status": status, "service": SERVICE, "version": settings.VERSION}


def _timestamp() -> dict[str, str]:
    return {"timestamp": datetime.now(UTC).isoformat()}


def _components(findings: dict[str, Finding]) -> dict[str, Any]:
    return {"components": {name: finding.to_json() for name, finding in findings.items()}}


def _code(status: Status) -> int:
    return 503 if status == Status.UNHEALTHY else 200
