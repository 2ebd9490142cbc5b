"""Money is held back before a call of a model, and counted after it (ADR 51).

Each of these is a short transaction of its own, on a connection of its own; never under a project's
lock, and no connection is held while a call waits.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from agents.metrics import BUDGET_REFUSALS
from agents.models import Task
from agents.protocols import PermanentError, TransientError, Usage

BATCH = 1000
EXCEEDED, SOFT = "budget_exceeded", "budget_soft_limit"
MICROS = 1_000_000

LIMITS = """
    SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date, budget_micros, budget_soft_micros,
        budget_day_micros, coalesce(agent_budgets_micros, '{}')
    FROM (SELECT %s::uuid AS id) AS wanted LEFT JOIN projects USING (id)
"""
# In the order of their names, so that two calls never wait for each other.
LOCK = """
    SELECT name, spent_micros, reserved_micros FROM budget_accounts
    WHERE name = ANY(%s) ORDER BY name FOR UPDATE
"""
OPEN = """
    INSERT INTO budget_accounts (name, spent_micros, reserved_micros)
    SELECT unnest(%s::text[]), 0, 0 ON CONFLICT DO NOTHING
"""
SPEND = "UPDATE budget_accounts SET spent_micros = spent_micros + %s WHERE name = ANY(%s)"
HOLD = """
    WITH held AS (
        UPDATE budget_accounts SET reserved_micros = reserved_micros + %(micros)s
        WHERE name = ANY(%(names)s)
    )
    INSERT INTO model_calls
        (project_id, task, fence, agent_type, provider, model, day, state, reserved_micros,
         charged_micros, error_code, started_at)
    VALUES (%(project)s, %(task)s, %(fence)s, %(agent_type)s, %(provider)s, %(model)s, %(day)s,
        'reserved', %(micros)s, 0, '', clock_timestamp())
    RETURNING id
"""
# All of it where it fits: all calls of the installation wait for the lock, which must not be held
# while a busy process comes to send the next statement. What does not fit, or has no accounts yet,
# makes nothing.
HOLD_AT_ONCE = """
    WITH today AS (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS day),
    limits AS (
        SELECT of_account.* FROM today, projects AS project, LATERAL (VALUES
            ('installation', %(limit)s::bigint),
            ('installation:' || day, %(day_limit)s::bigint),
            ('project:' || project.id, least(budget_micros, budget_soft_micros)),
            ('project:' || project.id || ':' || day, budget_day_micros),
            ('project:' || project.id || ':' || %(agent_type)s,
                (agent_budgets_micros ->> %(agent_type)s)::bigint)
        ) AS of_account (name, micros) WHERE project.id = %(project)s
    ), locked AS (
        SELECT name, spent_micros + reserved_micros + %(micros)s AS needed FROM budget_accounts
        WHERE name IN (SELECT name FROM limits) ORDER BY name FOR UPDATE
    ), fitting AS (
        SELECT name FROM locked WHERE (
            SELECT count(*) = 5 AND bool_and(micros IS NULL OR needed <= micros)
            FROM locked JOIN limits USING (name))
    ), held AS (
        UPDATE budget_accounts AS account SET reserved_micros = reserved_micros + %(micros)s
        FROM fitting WHERE account.name = fitting.name
    )
    INSERT INTO model_calls
        (project_id, task, fence, agent_type, provider, model, day, state, reserved_micros,
         charged_micros, error_code, started_at)
    SELECT %(project)s, %(task)s, %(fence)s, %(agent_type)s, %(provider)s, %(model)s, day,
        'reserved', %(micros)s, 0, '', clock_timestamp()
    FROM today WHERE EXISTS (SELECT 1 FROM fitting)
    RETURNING id
"""
# `before` has each call as it was; its reservation may have been returned meanwhile.
CLOSE = """
    sums AS (
        SELECT name, sum(before.charged) AS charged, sum(before.released) AS released
        FROM before JOIN model_calls AS call USING (id), unnest(ARRAY[
            'installation', 'installation:' || call.day, 'project:' || call.project_id,
            'project:' || call.project_id || ':' || call.day,
            'project:' || call.project_id || ':' || call.agent_type]) AS name
        GROUP BY name
    ), locked AS (
        SELECT name FROM budget_accounts
        WHERE name IN (SELECT name FROM sums) ORDER BY name FOR UPDATE
    )
    UPDATE budget_accounts AS account
    SET spent_micros = account.spent_micros + sums.charged,
        reserved_micros = greatest(0, account.reserved_micros - sums.released)
    FROM sums JOIN locked USING (name) WHERE account.name = sums.name
"""
SETTLE = f"""
    WITH before AS (
        SELECT id, %(charged)s::bigint AS charged,
            CASE state WHEN 'reserved' THEN reserved_micros ELSE 0 END AS released
        FROM model_calls WHERE id = %(call)s AND state <> 'settled' FOR UPDATE
    ), closed AS (
        UPDATE model_calls
        SET state = 'settled', charged_micros = %(charged)s, cost_micros = %(cost)s,
            input_tokens = %(input_tokens)s, cached_tokens = %(cached_tokens)s,
            output_tokens = %(output_tokens)s, error_code = %(error_code)s,
            finished_at = clock_timestamp()
        FROM before WHERE model_calls.id = before.id
    ), {CLOSE}
"""
# Calls whose attempt has ended without them: its worker died, lost its lease or was stopped.
RETURN_DEAD = f"""
    WITH before AS (
        SELECT id, 0::bigint AS charged, reserved_micros AS released FROM model_calls
        WHERE state = 'reserved' AND NOT EXISTS (
            SELECT 1 FROM tasks
            WHERE tasks.id = model_calls.task AND tasks.fence = model_calls.fence
              AND tasks.status = 'working')
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), closed AS (
        UPDATE model_calls
        SET state = 'returned', error_code = 'attempt_ended', finished_at = clock_timestamp()
        FROM before WHERE model_calls.id = before.id
    ), {CLOSE}
    RETURNING (SELECT count(*) FROM before)
"""


@dataclass(frozen=True)
class Reservation:
    """What is held back for one call."""

    call: int
    micros: int


@dataclass(frozen=True)
class Limit:
    """Of one account; `whose` names it to people, `remedy` says who can raise it."""

    account: str
    micros: int | None
    whose: str
    remedy: str


def account_names(project_id: UUID, agent_type: str, day: date) -> list[str]:
    project = f"project:{project_id}"
    names = ("installation", f"installation:{day}", project, f"{project}:{day}")
    return sorted([*names, f"{project}:{agent_type}"])


def reserve(task: Task, *, provider: str, model: str, micros: int) -> Reservation:
    """Hold back the most that a call can cost, in each of its budgets, or in none.

    Raises PermanentError `budget_exceeded` where it does not fit, and `budget_soft_limit` where a
    person is to be asked first; TransientError `budget_exceeded` where it fits unless other calls
    that are under way cost all that they may.
    """
    values = {"project": task.project_id, "task": task.pk, "fence": task.fence, "micros": micros}
    values |= {"agent_type": task.agent_type, "provider": provider, "model": model}
    of_installation = {"limit": settings.BUDGET_MICROS, "day_limit": settings.BUDGET_DAY_MICROS}
    with connection.cursor() as cursor:
        cursor.execute(HOLD_AT_ONCE, values | of_installation)
        if row := cursor.fetchone():
            return Reservation(row[0], micros)
        # Step by step, so that it can be said what stands in its way.
        cursor.execute(LIMITS, [task.project_id])
        day, project, soft, of_day, of_agents = cursor.fetchone()
        limits = _limits(task, day, project, soft, of_day, json.loads(of_agents))
        names = account_names(task.project_id, task.agent_type, day)
        with _locked_accounts(cursor, names) as accounts:
            _check(accounts, limits, micros)
            cursor.execute(HOLD, values | {"day": day, "names": names})
            return Reservation(cursor.fetchone()[0], micros)


def settle(
    reservation: Reservation,
    *,
    charged: int,
    cost: int | None,
    input_tokens: int | None,
    cached_tokens: int | None,
    output_tokens: int | None,
    error_code: str = "",
) -> None:
    """Count what a call took, and give back what was held for it. Once only."""
    values = {"call": reservation.call, "charged": charged, "cost": cost}
    values |= {"input_tokens": input_tokens, "cached_tokens": cached_tokens}
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, values | {"output_tokens": output_tokens, "error_code": error_code})


def add_spending(task: Task, usage: Usage) -> None:
    """What a worker that runs elsewhere reports: nobody could hold it back, but it counts."""
    micros = usage.cost_micros
    if micros is None:
        tokens = (usage.input_tokens or 0, usage.output_tokens or 0)
        micros = settings.MODEL_PRICE_UNKNOWN.micros(*tokens)
    if not micros:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
        names = account_names(task.project_id, task.agent_type, cursor.fetchone()[0])
        with _locked_accounts(cursor, names):
            cursor.execute(SPEND, [micros, names])


@contextmanager
def _locked_accounts(cursor: Any, names: list[str]) -> Iterator[dict[str, tuple[int, int]]]:
    """A transaction in which nobody else changes them: what is spent and reserved, by name.

    Missing ones are made before it: whoever holds some must never wait for others that are new.
    """
    while True:
        with transaction.atomic():
            cursor.execute(LOCK, [names])
            rows = cursor.fetchall()
            if len(rows) == len(names):
                yield {name: (spent, reserved) for name, spent, reserved in rows}
                return
        cursor.execute(OPEN, [names])


def return_dead_reservations() -> int:
    """Of attempts that are over; how many. For the sweep."""
    with connection.cursor() as cursor:
        cursor.execute(RETURN_DEAD, {"limit": BATCH})
        row = cursor.fetchone()
    return row[0] if row else 0


def _limits(
    task: Task,
    day: date,
    project_micros: int | None,
    soft_micros: int | None,
    day_micros: int | None,
    agents_micros: Mapping[str, int],
) -> tuple[list[Limit], Limit]:
    """The hard ones, and the soft one."""
    project = f"project:{task.project_id}"
    owner = "An owner of the project can raise it, on the project's page or by its API."
    operator = "An operator can raise it: {} in the settings."
    hard = [
        Limit(project, project_micros, "the project's budget", owner),
        Limit(f"{project}:{day}", day_micros, "the project's budget for today (UTC)", owner),
        Limit(
            f"{project}:{task.agent_type}",
            agents_micros.get(task.agent_type),
            f"the budget of the {task.agent_type} in this project",
            owner,
        ),
        Limit(
            "installation",
            settings.BUDGET_MICROS,
            "the installation's budget",
            operator.format("BUDGET"),
        ),
        Limit(
            f"installation:{day}",
            settings.BUDGET_DAY_MICROS,
            "the installation's budget for today (UTC)",
            operator.format("BUDGET_DAY"),
        ),
    ]
    return hard, Limit(project, soft_micros, "the project's soft limit", owner)


def _check(
    accounts: Mapping[str, tuple[int, int]], limits: tuple[list[Limit], Limit], micros: int
) -> None:
    """Raises as `reserve`."""
    hard, soft = limits
    for limit in hard:
        spent, reserved = accounts[limit.account]
        if limit.micros is None or spent + reserved + micros <= limit.micros:
            continue
        detail = (
            f"This call may cost up to {money(micros)}. Of {limit.whose}, {money(limit.micros)}, "
            f"{money(spent)} is spent and {money(reserved)} held back for calls under way. "
        )
        BUDGET_REFUSALS.labels("hard").inc()
        if spent + micros > limit.micros:
            raise PermanentError(EXCEEDED, detail + limit.remedy)
        raise TransientError(EXCEEDED, detail + "It is tried again when those have ended.")
    spent, reserved = accounts[soft.account]
    if soft.micros is None or spent + reserved + micros <= soft.micros:
        return
    raised = raised_soft_limit(soft.micros, spent + reserved + micros, hard[0].micros)
    BUDGET_REFUSALS.labels("soft").inc()
    error = PermanentError(
        SOFT,
        f"The project's models have cost {money(spent)}, {money(reserved)} is held back, and this "
        f"call may cost up to {money(micros)}: more than the soft limit of {money(soft.micros)}. "
        f"Trying again raises the soft limit to {money(raised)}.",
    )
    error.shown = {"raises_soft_limit_to_micros": raised}
    raise error


def raised_soft_limit(now: int, needed: int, hard: int | None) -> int:
    """Twice as much, and at least what is needed; no more than the hard limit."""
    raised = max(2 * now, needed)
    return raised if hard is None else min(raised, hard)


def money(micros: int) -> str:
    """In units of the currency, with as many digits as small amounts need."""
    text = f"{micros / MICROS:,.6f}".rstrip("0")
    whole, _, digits = text.partition(".")
    return f"{whole}.{digits:0<2}"


def budget_of(project: Any) -> dict[str, int | None]:
    """The project's limit, and what is spent and held back of it."""
    with connection.cursor() as cursor:
        statement = "SELECT spent_micros, reserved_micros FROM budget_accounts WHERE name = %s"
        cursor.execute(statement, [f"project:{project.pk}"])
        spent, reserved = cursor.fetchone() or (0, 0)
    return {
        "limit_micros": project.budget_micros,
        "soft_limit_micros": project.budget_soft_micros,
        "day_limit_micros": project.budget_day_micros,
        "spent_micros": spent,
        "reserved_micros": reserved,
    }
