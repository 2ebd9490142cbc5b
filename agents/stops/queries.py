"""Whether an emergency stop stands in the way. Always asked of the database, never of a copy."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from agents.models import Task
from core import sql
from projects.agent_types import agent_types

STOPPED_AGENTS = """
    SELECT agent_type FROM emergency_stops
    WHERE released_at IS NULL AND (project_id IS NULL OR project_id = %s)
"""
EVERYTHING = """
    SELECT EXISTS (
        SELECT 1 FROM emergency_stops
        WHERE released_at IS NULL AND project_id IS NULL AND agent_type = ''
    )
"""
ACTIVE = """
    SELECT stop.id, stop.project_id, stop.agent_type,
        acknowledgement.stop_id IS NOT NULL AND acknowledgement.acknowledged_at IS NULL
    FROM emergency_stops AS stop
    LEFT JOIN emergency_stop_acknowledgements AS acknowledgement
           ON acknowledgement.stop_id = stop.id AND acknowledgement.worker = %s
    WHERE stop.released_at IS NULL
"""


def all_agents() -> frozenset[str]:
    return frozenset(agent_types.values)


def is_stopped(task: Task, fence: int) -> bool | None:
    """Of a claimed task; None where the claim is lost."""
    row = sql.fetch_one("may_call", task=task.pk, fence=fence)
    return None if row is None else row[0]


def stopped_agents(project_id: UUID) -> frozenset[str]:
    """The agent types that may not work in the project now."""
    with connection.cursor() as cursor:
        cursor.execute(STOPPED_AGENTS, [project_id])
        return agents_under([row[0] for row in cursor.fetchall()])


def agents_under(stops: Collection[str]) -> frozenset[str]:
    """The agent types that these stops name; "" stands for all."""
    return all_agents() if "" in stops else frozenset(stops)


def is_wholly_stopped(project_id: UUID) -> bool:
    """Whether no agent at all may work in the project now."""
    return stopped_agents(project_id) == all_agents()


def is_everything_stopped() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(EVERYTHING)
        return cursor.fetchone()[0]


@dataclass(frozen=True)
class ActiveStop:
    """As one worker process sees it: does it still have to acknowledge it?"""

    id: UUID
    project_id: UUID | None
    agent_type: str
    is_acknowledgement_due: bool

    def covers(self, task: Task) -> bool:
        return self.project_id in (None, task.project_id) and self.agent_type in (
            "",
            task.agent_type,
        )


def active_stops(worker: str) -> list[ActiveStop]:
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE, [worker])
        return [ActiveStop(*row) for row in cursor.fetchall()]
