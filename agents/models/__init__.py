from agents.models.checking import ProviderCheck
from agents.models.stopping import (
    WORKER_SEEN_SECONDS,
    EmergencyStop,
    StopAcknowledgement,
    StopNotice,
    WorkerProcess,
)
from agents.models.work import AgentStatus, Task, TaskAttempt

__all__ = [
    "WORKER_SEEN_SECONDS",
    "AgentStatus",
    "EmergencyStop",
    "ProviderCheck",
    "StopAcknowledgement",
    "StopNotice",
    "Task",
    "TaskAttempt",
    "WorkerProcess",
]
