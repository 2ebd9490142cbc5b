"""Pages that need the engine or the installation, and how users are kept."""

from orchestrator.admin.accounts import GroupAdmin, TokenAdmin, UserAdmin
from orchestrator.admin.projects import RunningProjectAdmin, WorkflowRunAdmin

__all__ = ["GroupAdmin", "RunningProjectAdmin", "TokenAdmin", "UserAdmin", "WorkflowRunAdmin"]
