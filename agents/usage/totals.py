"""What the models of a project took: by agent, by model, by day."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import connection

from agents.services.budgets import budget_of
from projects.models import Project

COUNTS = ("calls", "input_tokens", "cached_tokens", "output_tokens", "cost_micros")
SUMS = (*COUNTS, "cost_unknown_calls")
# Each request that was counted by itself; else what an attempt reported as a whole: of the demo
# model, of workers that run elsewhere, and of older releases.
ROWS = """
    SELECT day, agent_type, provider, model, sum(calls)::bigint,
        coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(cached_tokens), 0)::bigint,
        coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost_micros), 0)::bigint,
        coalesce(sum(calls) FILTER (WHERE cost_micros IS NULL), 0)::bigint
    FROM (
        SELECT day, agent_type, provider, model, 1 AS calls,
            input_tokens, cached_tokens, output_tokens, cost_micros
        FROM model_calls WHERE project_id = %(project)s AND state <> 'reserved'
        UNION ALL
        SELECT (coalesce(attempt.finished_at, attempt.started_at) AT TIME ZONE 'UTC')::date,
            tasks.agent_type, attempt.provider, attempt.model, attempt.calls,
            attempt.input_tokens, NULL, attempt.output_tokens, attempt.cost_micros
        FROM task_attempts AS attempt JOIN tasks ON tasks.id = attempt.task_id
        WHERE tasks.project_id = %(project)s AND attempt.calls > 0 AND NOT EXISTS (
            SELECT 1 FROM model_calls
            WHERE model_calls.task = attempt.task_id AND model_calls.fence = attempt.fence)
    ) AS calls
    GROUP BY day, agent_type, provider, model ORDER BY day, agent_type, provider, model
"""
COLUMNS = ("day", "agent_type", "provider", "model", *SUMS)


def usage_rows(project: Project) -> list[dict[str, Any]]:
    """A row each day, agent and model, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, {"project": project.pk})
        return [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]


def usage_of(project: Project) -> dict[str, Any]:
    """As the API has it. What calls of unknown cost took is in no sum of costs."""
    rows = usage_rows(project)
    return {
        **_sums(rows),
        "by_agent": _grouped(rows, "agent_type"),
        "by_model": _grouped(rows, "provider", "model"),
        "by_day": _grouped(rows, "day"),
        "budget": budget_of(project),
    }


def _grouped(rows: Iterable[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return [dict(zip(names, key, strict=True)) | _sums(groups[key]) for key in sorted(groups)]


def _sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    rows = list(rows)
    return {name: sum(row[name] for row in rows) for name in SUMS}
