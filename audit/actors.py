from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Actor:
    """Who did it. `id` goes into the hashed header, a person's name into the erasable payload."""

    source: str
    id: str
    name: str
    user: Any = None

    @classmethod
    def of_user(cls, user: Any) -> "Actor":
        return cls("user", f"user:{user.pk}", user.get_username(), user)

    @classmethod
    def of_agent(cls, agent_type: str) -> "Actor":
        return cls("agent", f"agent:{agent_type}", agent_type)

    @classmethod
    def of_system(cls, part: str) -> "Actor":
        return cls("system", f"system:{part}", part)

    @classmethod
    def of_scheduler(cls) -> "Actor":
        return cls("scheduler", "system:sweep", "sweep")
