"""The six roles, each under its agent type."""

from agents.protocols import Role
from agents.roles.analyst import Analyst
from agents.roles.architect import Architect
from agents.roles.coder import Coder
from agents.roles.deployer import Deployer
from agents.roles.orchestrator import Orchestrator
from agents.roles.tester import Tester

__all__ = ["ROLES", "role_for"]

ROLES: dict[str, Role] = {
    role.agent_type: role
    for role in (Orchestrator(), Analyst(), Architect(), Coder(), Tester(), Deployer())
}


def role_for(agent_type: str) -> Role:
    """The role of an agent type. Raises KeyError for an unknown one."""
    return ROLES[agent_type]
