import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)

# What `demo` replaced. Settings of older installations still name it.
OLD_NAME = "offline"


def check_models(settings: Any) -> None:
    """Each is one of the registered providers, or `provider:model`. Raises ImproperlyConfigured.

    The old name of the demo model is accepted, with a warning.

    Not where the variables are read: settings of one's own may register providers after that.
    """
    _rename_old(settings)
    for agent_type, chosen in settings.AGENT_MODELS.items():
        provider, _, model = chosen.partition(":")
        if provider in settings.MODEL_PROVIDERS or (provider and model):
            continue
        is_default = chosen == settings.MODEL_DEFAULT
        variable = "MODEL_DEFAULT" if is_default else f"MODEL_{agent_type.upper()}"
        known = " or ".join(settings.MODEL_PROVIDERS)
        detail = f"Use {known}, or provider:model, such as openai:gpt-x."
        raise ImproperlyConfigured(f"{variable} is {chosen!r}. {detail}")


def _rename_old(settings: Any) -> None:
    old = [agent for agent, model in settings.AGENT_MODELS.items() if model == OLD_NAME]
    if old and OLD_NAME not in settings.MODEL_PROVIDERS:
        settings.AGENT_MODELS.update(dict.fromkeys(old, "demo"))
        logger.warning("the model 'offline' is called 'demo' now; change MODEL_... in .env")
    if settings.MODEL_DEFAULT == OLD_NAME and OLD_NAME not in settings.MODEL_PROVIDERS:
        settings.MODEL_DEFAULT = "demo"
