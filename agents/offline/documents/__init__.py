"""The documents that the rules write, one function an artifact type."""

from collections.abc import Callable

from pydantic import BaseModel

from agents.offline.case import Case
from agents.offline.documents.code import source_code
from agents.offline.documents.design import implementation_plan, system_architecture
from agents.offline.documents.plan import project_plan
from agents.offline.documents.release import deployment_log
from agents.offline.documents.run_plan import agent_output
from agents.offline.documents.specification import software_specification

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[[Case], BaseModel]] = {
    "agent_output": agent_output,
    "project_plan": project_plan,
    "software_specification": software_specification,
    "system_architecture": system_architecture,
    "implementation_plan": implementation_plan,
    "source_code": source_code,
    "deployment_log": deployment_log,
}
