"""The status board of a project's agents follows their tasks."""

from agents.enums import AgentState
from agents.events import AGENT_STATUS_CHANGED
from agents.models import AgentStatus
from core import sql
from projects.agent_types import agent_types
from projects.transaction import ProjectTransaction


def create_agent_statuses(tx: ProjectTransaction) -> None:
    """Every agent type of a new project, idle."""
    AgentStatus.objects.bulk_create(
        [AgentStatus(project=tx.project, agent_type=agent) for agent in agent_types.values]
    )


def refresh_agent_statuses(tx: ProjectTransaction, agent_types: list[str]) -> None:
    """Bring their rows up to date, with an event for each whose status changed."""
    for agent_type in agent_types:
        row = sql.fetch_one("refresh_agent", project=tx.project.pk, agent_type=agent_type)
        if row is None:
            continue
        new, task_id, old = row
        old = old or str(AgentState.IDLE)
        if new != old:
            tx.record(AGENT_STATUS_CHANGED, task=task_id, agent_type=agent_type, old=old, new=new)
