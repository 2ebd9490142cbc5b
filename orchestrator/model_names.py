import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from agents.providers import EXTERNAL

logger = logging.getLogger(__name__)

# What `demo` replaced. Settings of older installations still name it.
OLD_NAME = "offline"


def check_models(settings: Any) -> None:
    """Each is a registered provider, `provider:model` or `external`. Raises ImproperlyConfigured.

    The old name of the demo model is accepted, with a warning. Not checked where the variables are
    read, because custom settings may register providers after that.
    """
    if OLD_NAME not in settings.MODEL_PROVIDERS:
        renamed = [agent for agent, model in settings.AGENT_MODELS.items() if model == OLD_NAME]
        if renamed:
            settings.AGENT_MODELS.update(dict.fromkeys(renamed, "demo"))
            logger.warning("the model 'offline' is called 'demo' now; change MODEL_... in .env")
        if settings.MODEL_DEFAULT == OLD_NAME:
            settings.MODEL_DEFAULT = "demo"
    for agent_type, options in settings.MODEL_OPTIONS.items():
        for name in options.fallbacks:
            if name.partition(":")[0] in settings.MODEL_PROVIDERS:
                variable = (
                    f"MODEL_{agent_type.upper()}_FALLBACKS" if agent_type else "MODEL_FALLBACKS"
                )
                detail = "Use provider:model: the demo model never stands in for one that failed."
                raise ImproperlyConfigured(
                    f"{variable} is {','.join(options.fallbacks)!r}. {detail}"
                )
    for agent_type, name in settings.AGENT_MODELS.items():
        provider, _, model = name.partition(":")
        if name == EXTERNAL or provider in settings.MODEL_PROVIDERS or (provider and model):
            continue
        is_default = name == settings.MODEL_DEFAULT
        variable = "MODEL_DEFAULT" if is_default else f"MODEL_{agent_type.upper()}"
        providers = " or ".join([*settings.MODEL_PROVIDERS, EXTERNAL])
        detail = f"Use {providers}, or provider:model, such as openai:gpt-x."
        raise ImproperlyConfigured(f"{variable} is {name!r}. {detail}")


def check_tools(names: list[str]) -> None:
    """Of HITL_ASK_BEFORE_TOOLS: a slip would let a call through unseen. Raises as above."""
    if not names:
        return
    from agents.tool import tools

    if unknown := sorted(set(names) - set(tools.values)):
        detail = f"There is no tool {unknown[0]!r}; use {', '.join(tools.values)}."
        raise ImproperlyConfigured(f"HITL_ASK_BEFORE_TOOLS: {detail}")
