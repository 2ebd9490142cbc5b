"""Goes when nothing imports it any more: use `context.artifact_types` and `context.types`."""

from pydantic import BaseModel

from context.artifact_types import ContentError, artifact_types, validate_content
from context.types.agent_output import AgentOutput
from context.types.deployment_log import DeploymentLog
from context.types.implementation_plan import ImplementationPlan
from context.types.project_plan import ProjectPlan
from context.types.software_specification import SoftwareSpecification
from context.types.source_code import SourceCode
from context.types.system_architecture import SystemArchitecture

__all__ = [
    "SCHEMAS",
    "AgentOutput",
    "ContentError",
    "DeploymentLog",
    "ImplementationPlan",
    "ProjectPlan",
    "SoftwareSpecification",
    "SourceCode",
    "SystemArchitecture",
    "validate_content",
]

SCHEMAS: dict[str, type[BaseModel]] = {
    name: artifact_types[name].schema for name in artifact_types.values
}
