"""What is asked of a model beside the work: how long, how freely, and who stands in for it."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

REASONING = ("off", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class ModelOptions:
    """Of one agent. None: what the provider takes where nothing is said."""

    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    reasoning: str = ""
    #: `endpoint:model`, in the order in which they are asked when the one before fails.
    fallbacks: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """As pydantic-ai has them."""
        chosen: dict[str, Any] = {"max_tokens": self.max_tokens or settings.MODEL_MAX_TOKENS}
        if self.temperature is not None:
            chosen["temperature"] = self.temperature
        if self.seed is not None:
            chosen["seed"] = self.seed
        if self.reasoning:
            chosen["thinking"] = False if self.reasoning == "off" else self.reasoning
        return chosen


def options_of(agent_type: str) -> ModelOptions:
    return settings.MODEL_OPTIONS.get(agent_type) or settings.MODEL_OPTIONS[""]
