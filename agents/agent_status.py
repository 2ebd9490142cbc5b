"""The status board follows the tasks."""

from typing import Any
from uuid import UUID

from agents.enums import AgentState
from agents.models import AgentStatus
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft
from core.sql import prepared_cursor
from projects.enums import AgentType

# The most telling of a type's current tasks decides.
UPDATE = """
    UPDATE agent_status AS board
    SET status = now_is.status, task_id = now_is.task, updated_at = now()
    FROM (SELECT coalesce(found.state, 'idle') AS status, found.id AS task
          FROM (SELECT 1) AS one LEFT JOIN LATERAL (
            SELECT id, CASE status WHEN 'failed' THEN 'error' ELSE status END AS state
            FROM tasks
            WHERE project_id = %(project)s AND agent_type = %(agent)s AND is_current
              AND status IN ('working', 'waiting_for_hitl', 'failed')
            ORDER BY CASE status WHEN 'working' THEN 0 WHEN 'waiting_for_hitl' THEN 1 ELSE 2 END,
                     created_at
            LIMIT 1) AS found ON true) AS now_is,
         (SELECT id, status FROM agent_status
          WHERE project_id = %(project)s AND agent_type = %(agent)s) AS before
    WHERE board.id = before.id
      AND (board.status, board.task_id) IS DISTINCT FROM (now_is.status, now_is.task)
    RETURNING before.status, board.status, board.task_id
"""


def open_board(project_id: UUID) -> None:
    """Every agent type of a new project, idle."""
    AgentStatus.objects.bulk_create(
        [AgentStatus(project_id=project_id, agent_type=agent) for agent in AgentType.values],
        ignore_conflicts=True,
    )


def refresh_board(project_id: UUID, agent_type: str, actor: Actor) -> list[Draft]:
    """Bring the agent's row up to date; the event to record, if its status changed.

    The caller holds the project's lock.
    """
    with prepared_cursor() as cursor:
        cursor.execute(UPDATE, {"project": project_id, "agent": agent_type})
        row: Any = cursor.fetchone()
    if row is None or row[0] == row[1]:
        return []
    old, new, task = row
    data = {"agent_type": agent_type, "old": old, "new": str(AgentState(new))}
    return [Draft(EventType.AGENT_STATUS_CHANGED, actor, data, task=task)]
