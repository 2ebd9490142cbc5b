from typing import Any

from django.core.exceptions import ImproperlyConfigured


def check_models(settings: Any) -> None:
    """Each is one of the registered providers, or `provider:model`. Raises ImproperlyConfigured.

    Not where the variables are read: settings of one's own may register providers after that.
    """
    for agent_type, chosen in settings.AGENT_MODELS.items():
        provider, _, model = chosen.partition(":")
        if provider in settings.MODEL_PROVIDERS or (provider and model):
            continue
        is_default = chosen == settings.MODEL_DEFAULT
        variable = "MODEL_DEFAULT" if is_default else f"MODEL_{agent_type.upper()}"
        known = " or ".join(settings.MODEL_PROVIDERS)
        detail = f"Use {known}, or provider:model, such as openai:gpt-x."
        raise ImproperlyConfigured(f"{variable} is {chosen!r}. {detail}")
