"""How the model providers have answered lately, at work or to `check_providers`.

No probe calls them, for that would cost money.
"""

from datetime import datetime
from typing import Any

from django.conf import settings

from ops.health.check import Finding, Status, check
from ops.health.clients import database_cursor

DEMO = "demo"
# Shown as not configured where no agent is given to them.
KNOWN = ("openai",)
# These do not pass by themselves.
PERMANENT = frozenset(
    {"model_unauthorized", "model_quota_exceeded", "model_not_found", "model_misconfigured"}
)
# One look into the index `attempts_of_a_provider` for each provider and outcome.
LAST = """
    SELECT provider, outcome, last.finished_at, last.error_code
    FROM unnest(%s::text[]) AS provider,
         unnest('{completed,needs_person,transient_error,permanent_error}'::text[]) AS outcome,
    LATERAL (
        SELECT finished_at, error_code FROM task_attempts
        WHERE task_attempts.provider = provider.provider
          AND task_attempts.outcome = outcome.outcome
          AND task_attempts.provider NOT IN ('', 'offline')
          AND (error_code = '' OR error_code LIKE 'model\\_%%')
        ORDER BY finished_at DESC LIMIT 1) AS last
"""
LAST_CHECKED = """
    SELECT provider, 'check_succeeded', succeeded_at, '' FROM provider_checks
    WHERE provider = ANY(%s) AND succeeded_at IS NOT NULL
    UNION ALL
    SELECT provider, 'check_failed', failed_at, error_code FROM provider_checks
    WHERE provider = ANY(%s) AND failed_at IS NOT NULL
"""


@check("llm_providers", order=6)
def check_providers() -> Finding:
    """Configured is a provider that an agent is given to; only workers know the keys."""
    chosen = {model.partition(":")[0] for model in settings.AGENT_MODELS.values()}
    outside = sorted(chosen - {DEMO})
    last = _last_answers(outside) if outside else {}
    providers = {name: _provider(last.get(name, {})) for name in outside}
    others = {name: {"status": Status.NOT_CONFIGURED} for name in KNOWN if name not in chosen}
    if DEMO in chosen:
        others[DEMO] = {"status": Status.HEALTHY}
    facts = {"providers": others | providers}
    if not providers:
        return Finding(Status.NOT_CONFIGURED, "the demo model serves every agent", facts)
    worst = max((state["status"] for state in providers.values()), key=list(Status).index)
    names = [name for name, state in providers.items() if state["status"] != Status.HEALTHY]
    message = f"the last call failed: {', '.join(names)}" if names else "ok"
    return Finding(worst, message, facts)


def _last_answers(providers: list[str]) -> dict[str, dict[str, tuple[datetime, str]]]:
    answers: dict[str, dict[str, tuple[datetime, str]]] = {}
    with database_cursor() as cursor:
        cursor.execute(f"{LAST} UNION ALL {LAST_CHECKED}", [providers] * 3)
        for provider, outcome, at, code in cursor.fetchall():
            answers.setdefault(provider, {})[outcome] = (at, code)
    return answers


def _provider(last: dict[str, tuple[datetime, str]]) -> dict[str, Any]:
    succeeded = max((at for at, code in last.values() if not code), default=None)
    failed_at, code = max((answer for answer in last.values() if answer[1]), default=(None, ""))
    is_failing = failed_at is not None and (succeeded is None or failed_at > succeeded)
    status = Status.HEALTHY
    if is_failing:
        status = Status.UNHEALTHY if code in PERMANENT else Status.DEGRADED
    return {
        "status": status,
        "last_success_at": succeeded and succeeded.isoformat(),
        "last_error_at": failed_at and failed_at.isoformat(),
        "last_error_code": code or None,
    }
