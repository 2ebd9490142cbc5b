from agents.models.checking import ProviderCheck
from agents.models.stopping import EmergencyStop, StopAcknowledgement, StopNotice, WorkerProcess
from agents.models.work import AgentStatus, Task, TaskAttempt

__all__ = [
    "AgentStatus",
    "EmergencyStop",
    "ProviderCheck",
    "StopAcknowledgement",
    "StopNotice",
    "Task",
    "TaskAttempt",
    "WorkerProcess",
]
