"""Pages that need the engine or the installation, and how users are kept."""

from orchestrator.admin.accounts import GroupAdmin, TokenAdmin, UserAdmin
from orchestrator.admin.projects import RunningProjectAdmin, WorkflowRunAdmin
from orchestrator.admin.stopping import EmergencyStopAdmin

__all__ = [
    "EmergencyStopAdmin",
    "GroupAdmin",
    "RunningProjectAdmin",
    "TokenAdmin",
    "UserAdmin",
    "WorkflowRunAdmin",
]
