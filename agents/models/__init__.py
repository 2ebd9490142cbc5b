from agents.models.budgets import BudgetAccount, ModelCall
from agents.models.endpoints import ModelEndpoint
from agents.models.exchanges import ModelExchange
from agents.models.provider_checks import ProviderCheck
from agents.models.runs import ModelRun, ToolUse, WorkspaceFile
from agents.models.stops import (
    WORKER_SEEN_SECONDS,
    EmergencyStop,
    StopAcknowledgement,
    StopNotice,
    WorkerProcess,
)
from agents.models.types import AgentType
from agents.models.work import AgentStatus, Task, TaskAttempt

__all__ = [
    "WORKER_SEEN_SECONDS",
    "AgentStatus",
    "AgentType",
    "BudgetAccount",
    "EmergencyStop",
    "ModelCall",
    "ModelEndpoint",
    "ModelExchange",
    "ModelRun",
    "ProviderCheck",
    "StopAcknowledgement",
    "StopNotice",
    "Task",
    "TaskAttempt",
    "ToolUse",
    "WorkerProcess",
    "WorkspaceFile",
]
