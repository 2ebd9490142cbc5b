"""Where models are served: the settings' endpoints by name, and the providers' own services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from pydantic_ai.providers import Provider

OPENAI = ("openai", "openai-chat", "openai-responses")
#: What an endpoint can speak.
KINDS = (*OPENAI, "anthropic", "google", "ollama")
# How a model hands in its work: by calling a function, as JSON whose schema the server enforces, or
# as JSON that it is merely asked for.
TOOLS, SCHEMA, TEXT = OUTPUTS = ("tools", "schema", "text")
# Where the providers' own services are. A client that is told no address looks into the environment
# for one, which may be another server's.
SERVICES = {
    **dict.fromkeys(OPENAI, "https://api.openai.com/v1"),
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com",
}
# Self-hosted servers often need none, but the clients insist on one.
NO_KEY = "not-set"


@dataclass(frozen=True)
class Endpoint:
    """`kind` is the language it speaks; without `base_url` it is the provider's own service."""

    name: str
    kind: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    output: str = TOOLS
    #: Of a project, whose owner chose where its work goes; not of the installation.
    is_of_project: bool = False

    @property
    def is_listed(self) -> bool:
        """Public prices are those of the provider's own service, whatever a model is called."""
        return not self.base_url

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Who has another one needs another client."""
        return (self.name, self.kind, self.base_url, self.key)

    def provider(self) -> "Provider[Any]":
        """The client's side of it. Raises ImportError, and UserError without a key."""
        key = self.key or (NO_KEY if self.base_url else None)
        url = self.base_url or (SERVICES.get(self.kind) if self.name != self.kind else None)
        if self.kind in OPENAI:
            from pydantic_ai.providers.openai import OpenAIProvider

            return OpenAIProvider(api_key=key, base_url=url)
        if self.kind == "anthropic":
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicProvider(api_key=key, base_url=url)
        if self.kind == "google":
            from pydantic_ai.providers.google import GoogleProvider

            return GoogleProvider(api_key=key, base_url=url)
        if self.kind == "ollama":
            from pydantic_ai.providers.ollama import OllamaProvider

            return OllamaProvider(api_key=key, base_url=url)
        from pydantic_ai.providers import infer_provider

        # Another one of pydantic-ai: its library and its key variable are the operator's affair.
        return infer_provider(self.kind)


def endpoint_named(name: str) -> Endpoint:
    """Of the settings; a name that stands for none is a provider's own service."""
    if named := settings.MODEL_ENDPOINTS.get(name):
        return named
    if name in OPENAI:
        return Endpoint(name, name, settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY)
    if name == "ollama":
        return Endpoint(name, name, settings.OLLAMA_BASE_URL)
    keys = {"anthropic": settings.ANTHROPIC_API_KEY, "google": settings.GOOGLE_API_KEY}
    return Endpoint(name, name, key=keys.get(name, ""))
