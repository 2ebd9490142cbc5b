"""How the model providers answered most recently, at work or to `check_providers`.

The health check itself calls none of them, because that would cost money.
"""

from datetime import datetime
from typing import Any

from django.conf import settings

from agents.providers import EXTERNAL
from ops.health.check import Finding, Status, check
from ops.health.clients import database_cursor

DEMO = "demo"
# Listed as not configured where no agent uses them.
LISTED_PROVIDERS = ("openai",)
# These errors do not go away by themselves.
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
LAST_CHECKS = """
    SELECT provider, 'check_succeeded', succeeded_at, '' FROM provider_checks
    WHERE provider = ANY(%s) AND succeeded_at IS NOT NULL
    UNION ALL
    SELECT provider, 'check_failed', failed_at, error_code FROM provider_checks
    WHERE provider = ANY(%s) AND failed_at IS NOT NULL
"""


@check("llm_providers", order=6)
def check_providers() -> Finding:
    """A provider is configured where an agent uses it; only workers know the keys."""
    configured = {model.partition(":")[0] for model in settings.AGENT_MODELS.values()}
    names = sorted(configured - {DEMO, EXTERNAL})
    answers: dict[str, dict[str, tuple[datetime, str]]] = {name: {} for name in names}
    if names:
        with database_cursor() as cursor:
            cursor.execute(f"{LAST} UNION ALL {LAST_CHECKS}", [names] * 3)
            for name, outcome, answered_at, code in cursor.fetchall():
                answers[name][outcome] = (answered_at, code)
    providers = {name: provider_state(answers[name]) for name in names}
    facts = {"providers": dict(providers)}
    for name in LISTED_PROVIDERS:
        if name not in configured:
            facts["providers"][name] = {"status": Status.NOT_CONFIGURED}
    if DEMO in configured:
        facts["providers"][DEMO] = {"status": Status.HEALTHY}
    if not providers and EXTERNAL in configured:
        detail = "workers that run elsewhere serve the agents, or the demo model"
        return Finding(Status.NOT_CONFIGURED, detail, facts)
    if not providers:
        return Finding(Status.NOT_CONFIGURED, "the demo model serves every agent", facts)
    worst = max((state["status"] for state in providers.values()), key=list(Status).index)
    failed = [name for name, state in providers.items() if state["status"] != Status.HEALTHY]
    message = f"the last call failed: {', '.join(failed)}" if failed else "ok"
    return Finding(worst, message, facts)


def provider_state(answers: dict[str, tuple[datetime, str]]) -> dict[str, Any]:
    """`answers`: when each outcome was last seen, and its error code."""
    succeeded = max((at for at, code in answers.values() if not code), default=None)
    failed_at, code = max((answer for answer in answers.values() if answer[1]), default=(None, ""))
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
