"""Embeddings of texts, through pydantic-ai. Loaded only when somebody needs one."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from pydantic_ai.embeddings import Embedder, EmbedInputType, infer_embedding_model
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.providers import Provider, infer_provider

from agents.protocols import PermanentError, TransientError, Usage, WorkError
from agents.providers import quiet_libraries
from agents.providers.event_loop import run_on_loop, shared_client
from agents.providers.failures import UNREADABLE, work_error

OPENAI = "openai"
MALFORMED = "The answer is not one embedding for each text."


def embed(texts: Sequence[str], *, kind: EmbedInputType, seconds: float) -> list[list[float]]:
    """One vector for each text. Raises TransientError or PermanentError."""
    quiet_libraries()
    vectors, failure = run_on_loop(_outcome(list(texts), kind, seconds))
    if failure is not None:
        raise failure
    return vectors


async def _outcome(
    texts: list[str], kind: EmbedInputType, seconds: float
) -> tuple[list[list[float]], WorkError | None]:
    name = settings.EMBEDDING_MODEL
    usage = Usage(*name.partition(":")[::2], calls=1)
    try:
        async with asyncio.timeout(seconds):
            provider = await _shared_provider(name.partition(":")[0])
            embedder = Embedder(infer_embedding_model(name, provider_factory=lambda _: provider))
            result = await embedder.embed(texts, input_type=kind)
        vectors = [[float(number) for number in vector] for vector in result.embeddings]
    except TimeoutError:
        return [], TransientError("model_timeout", "The model did not answer in time.", usage=usage)
    except ImportError:
        detail = f"The library for embeddings of {name!r} is not installed."
        return [], PermanentError("model_misconfigured", detail)
    except (AgentRunError, UserError, *UNREADABLE) as error:
        return [], work_error(error, usage)
    lengths = {len(vector) for vector in vectors}
    is_finite = all(math.isfinite(number) for vector in vectors for number in vector)
    if len(vectors) != len(texts) or len(lengths) != 1 or 0 in lengths or not is_finite:
        return [], TransientError("model_malformed_answer", MALFORMED, usage=usage)
    return vectors, None


async def _shared_provider(name: str) -> Provider[Any]:
    keys = (settings.EMBEDDING_API_KEY, settings.OPENAI_API_KEY)
    urls = (settings.EMBEDDING_BASE_URL, settings.OPENAI_BASE_URL)
    return await shared_client(("embedding", name, keys, urls), lambda: _provider(name))


def _provider(name: str) -> Provider[Any]:
    """With retries off: the caller decides whether to call again."""
    if name != OPENAI:
        return infer_provider(name)
    from openai import AsyncOpenAI
    from pydantic_ai.providers.openai import OpenAIProvider

    key = settings.EMBEDDING_API_KEY or settings.OPENAI_API_KEY
    url = settings.EMBEDDING_BASE_URL or settings.OPENAI_BASE_URL
    if not key and not url:
        raise UserError("no key")
    # Self-hosted servers often need no key, but the client insists on one.
    client = AsyncOpenAI(api_key=key or "not-set", base_url=url or None, max_retries=0)
    return OpenAIProvider(openai_client=client)
