from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from ops.health.check import Check, Finding, Status, run_checks
from ops.health.models import check_models
from ops.health.servers import (
    check_audit,
    check_channel_layer,
    check_database,
    check_redis,
)
from ops.health.workers import check_workers

SERVICE = "paraph"
CHECKS = {
    "database": Check("database", check_database),
    "redis": Check("redis", check_redis),
    "celery": Check("celery", check_workers),
    "channel_layer": Check("channel_layer", check_channel_layer),
    "audit": Check("audit", check_audit),
    "llm_providers": Check("llm_providers", check_models),
}
# Without one of these no request can be served.
NEEDED = ("database", "redis")
PASSES = {Status.HEALTHY, Status.NOT_CONFIGURED}


def probe(view: Callable[[HttpRequest], JsonResponse]) -> Callable[[HttpRequest], JsonResponse]:
    """Only to be read, and never from a cache; writing is 405, and no matter of forms."""
    return csrf_exempt(never_cache(require_safe(view)))


def findings(names: tuple[str, ...] = tuple(CHECKS)) -> dict[str, Finding]:
    return run_checks(CHECKS[name] for name in names)


def overall(found: dict[str, Finding]) -> Status:
    """Unhealthy where requests cannot be served; degraded where something else is amiss."""
    if any(found[name].status == Status.UNHEALTHY for name in NEEDED):
        return Status.UNHEALTHY
    is_fine = all(one.status in PASSES for one in found.values())
    return Status.HEALTHY if is_fine else Status.DEGRADED


@probe
def basic(request: HttpRequest) -> JsonResponse:
    """The process answers. Looks at nothing else."""
    return JsonResponse(_basic(Status.HEALTHY))


@probe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether requests can be served now: 503 while the database or Redis is away."""
    found = findings(NEEDED)
    status = overall(found)
    return JsonResponse(_basic(status) | _components(found), status=_code(status))


@probe
def detailed(request: HttpRequest) -> JsonResponse:
    """A report on every component; the answer itself is always 200."""
    found = findings()
    return JsonResponse(_basic(overall(found)) | _timestamp() | _components(found))


@probe
def summary(request: HttpRequest) -> JsonResponse:
    """Pass or fail of every component, for monitors that count."""
    found = findings()
    checks = {name: "pass" if one.status in PASSES else "fail" for name, one in found.items()}
    passed = sum(1 for verdict in checks.values() if verdict == "pass")
    status = overall(found)
    body = {
        "checks": checks,
        "health_percentage": round(100 * passed / len(checks), 1),
        "services_healthy": f"{passed}/{len(checks)}",
    }
    return JsonResponse(_basic(status) | _timestamp() | body, status=_code(status))


def _basic(status: Status) -> dict[str, Any]:
    return {"status": status, "service": SERVICE, "version": settings.VERSION}


def _timestamp() -> dict[str, str]:
    return {"timestamp": datetime.now(UTC).isoformat()}


def _components(found: dict[str, Finding]) -> dict[str, Any]:
    return {"components": {name: one.shown() for name, one in found.items()}}


def _code(status: Status) -> int:
    return 503 if status == Status.UNHEALTHY else 200
