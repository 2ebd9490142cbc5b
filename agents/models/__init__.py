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
    "EmergencyStop",
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
