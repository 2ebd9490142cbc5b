"""The status board of a project's agents follows their tasks."""

from django.db import connection

from agents.enums import AgentState
from agents.events import AGENT_STATUS_CHANGED
from agents.models import AgentStatus
from projects.agent_types import agent_types
from projects.transaction import ProjectTransaction

# The most telling of a type's current tasks decides. All agents of a change in one statement; an
# agent that the project has had no row for, gets one.
REFRESH = """
    WITH current AS (
        SELECT agent.type, coalesce(task.state, 'idle') AS status, task.id AS task
        FROM unnest(%(agents)s::text[]) AS agent(type)
        LEFT JOIN LATERAL (
            SELECT id, CASE status WHEN 'failed' THEN 'error' ELSE status END AS state
            FROM tasks
            WHERE project_id = %(project)s AND agent_type = agent.type AND is_current
              AND status IN ('working', 'waiting_for_hitl', 'failed')
            ORDER BY CASE status WHEN 'working' THEN 0 WHEN 'waiting_for_hitl' THEN 1 ELSE 2 END,
                     created_at
            LIMIT 1) AS task ON true
    ), before AS (
        SELECT agent_type, status, task_id FROM agent_status
        WHERE project_id = %(project)s AND agent_type = ANY(%(agents)s)
    )
    INSERT INTO agent_status AS board (project_id, agent_type, status, task_id, updated_at)
    SELECT %(project)s, current.type, current.status, current.task, now()
    FROM current LEFT JOIN before ON before.agent_type = current.type
    WHERE (before.status, before.task_id) IS DISTINCT FROM (current.status, current.task)
    ON CONFLICT (project_id, agent_type) DO UPDATE
    SET status = EXCLUDED.status, task_id = EXCLUDED.task_id, updated_at = EXCLUDED.updated_at
    RETURNING board.agent_type, board.status, board.task_id,
              (SELECT status FROM before WHERE before.agent_type = board.agent_type)
"""


def create_agent_statuses(tx: ProjectTransaction) -> None:
    """Every agent type of a new project, idle."""
    AgentStatus.objects.bulk_create(
        [AgentStatus(project=tx.project, agent_type=agent) for agent in agent_types.values]
    )


def refresh_agent_statuses(tx: ProjectTransaction, agent_types: list[str]) -> None:
    """Bring their rows up to date, with an event for each whose status changed."""
    with connection.cursor() as cursor:
        cursor.execute(REFRESH, {"project": tx.project.pk, "agents": agent_types})
        rows = sorted(cursor.fetchall())
    for agent_type, new, task_id, old in rows:
        if new != (old or AgentState.IDLE):
            tx.record(
                AGENT_STATUS_CHANGED,
                task=task_id,
                agent_type=agent_type,
                old=old or str(AgentState.IDLE),
                new=new,
            )
