from agents.models.provider_checks import ProviderCheck
from agents.models.stops import (
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
