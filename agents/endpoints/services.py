"""Endpoints of a project: its owner's, with a key that nobody can read again."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from agents.events import MODEL_ENDPOINT_CHANGED, MODEL_ENDPOINT_DELETED
from agents.models import ModelEndpoint
from agents.protocols import PermanentError
from agents.providers import DEMO, EXTERNAL, configured_models
from agents.providers.endpoints import KINDS, SERVICES, Endpoint, endpoint_named
from agents.queue import TEST_ENDPOINT, enqueue
from audit.actors import Actor
from core.authentication import hash_key
from core.encryption import Unreadable, decrypt, encrypt
from core.errors import Conflict, InvalidInput, NotFound
from projects.access import MANAGE
from projects.models import Project
from projects.transaction import ProjectTransaction

PURPOSE = "paraph.model-endpoint.v1"
MOST_ENDPOINTS = 20
# Where a key of one's own may be sent without asking the operator. Else a worker, which stands
# inside, could be made to call what an owner of a project cannot reach.
PUBLIC_HOSTS = (
    *("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"),
    *("openrouter.ai", "api.mistral.ai", "api.groq.com", "api.together.xyz", "api.deepseek.com"),
    *("api.x.ai", "api.cerebras.ai", "api.fireworks.ai", "router.huggingface.co"),
)


def save_endpoint(
    *,
    project_id: UUID,
    actor: Actor,
    name: str,
    is_new: bool,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    **changes: Any,
) -> ModelEndpoint:
    """Make one, or change it; a key or headers that are not given stay as they are.

    Another address never gets the key that was meant for the one before.
    Raises InvalidInput, Conflict, NotFound, Forbidden.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        endpoint = ModelEndpoint.objects.filter(project=tx.project, name=name).first()
        if is_new:
            _check_new(tx.project, endpoint, name)
            endpoint = ModelEndpoint(project=tx.project, name=name, created_by=actor.user)
        elif endpoint is None:
            raise NotFound("not_found", "There is no such endpoint in this project.")
        secret = _secret_of(endpoint)
        moved = (changes.get("base_url", endpoint.base_url), changes.get("speaks", endpoint.speaks))
        if not is_new and moved != (endpoint.base_url, endpoint.speaks):
            secret = {"key": "", "headers": {}}
        for field, value in changes.items():
            setattr(endpoint, field, value)
        check_address(endpoint.base_url)
        if api_key is not None:
            secret["key"] = api_key.strip()
        if headers is not None:
            secret["headers"] = dict(headers)
        check_is_own(endpoint, secret)
        endpoint.encrypted_secret = encrypt(json.dumps(secret), purpose=PURPOSE)
        endpoint.has_key = bool(secret["key"])
        endpoint.header_names = sorted(secret["headers"])
        endpoint.tested_at, endpoint.test_asked_at = None, None
        endpoint.test_error_code = endpoint.test_error_detail = ""
        endpoint.save()
        tx.record(
            MODEL_ENDPOINT_CHANGED,
            name=name,
            speaks=endpoint.speaks,
            host=urlsplit(endpoint.base_url).hostname or "",
            has_key=endpoint.has_key,
            output=endpoint.output,
            # Every member reads the log: of the address they see the host alone.
            mark=hash_key(f"{endpoint.encrypted_secret}:{endpoint.base_url}"),
        )
    return endpoint


def delete_endpoint(*, project_id: UUID, actor: Actor, name: str) -> None:
    """Raises NotFound, Forbidden, and Conflict while an agent of the project uses it."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        endpoint = ModelEndpoint.objects.filter(project=tx.project, name=name).first()
        if endpoint is None:
            raise NotFound("not_found", "There is no such endpoint in this project.")
        users = [a for a, model in tx.project.agent_models.items() if model.startswith(f"{name}:")]
        if users:
            detail = f"Used by: {', '.join(sorted(users))}. Give them another model first."
            raise Conflict("in_use", detail)
        endpoint.delete()
        tx.record(MODEL_ENDPOINT_DELETED, name=name)


def ask_for_test(*, project_id: UUID, actor: Actor, name: str, model: str) -> ModelEndpoint:
    """A worker makes one call of a few tokens; what came of it stands with the endpoint then."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        endpoint = ModelEndpoint.objects.filter(project=tx.project, name=name).first()
        if endpoint is None:
            raise NotFound("not_found", "There is no such endpoint in this project.")
        endpoint.test_model, endpoint.test_asked_at, endpoint.tested_at = model, Now(), None
        endpoint.test_error_code = endpoint.test_error_detail = ""
        endpoint.save()
        tx.on_commit(lambda: enqueue(TEST_ENDPOINT, endpoint.pk))
    endpoint.refresh_from_db()
    return endpoint


def note_test(endpoint: ModelEndpoint, code: str, detail: str) -> None:
    """Of the model that was asked for; another test that was asked for meanwhile comes after."""
    same = ModelEndpoint.objects.filter(pk=endpoint.pk, test_asked_at=endpoint.test_asked_at)
    same.update(tested_at=Now(), test_error_code=code, test_error_detail=detail)


def endpoint_of(project: Project, name: str) -> Endpoint:
    """The project's own of that name, else that of the installation. Raises PermanentError."""
    own = ModelEndpoint.objects.filter(project=project, name=name).first()
    if own is None:
        return endpoint_named(name)
    try:
        check_address(own.base_url)
        secret = _secret_of(own)
        check_is_own(own, secret)
    except (InvalidInput, Unreadable) as error:
        reason = "Its key cannot be read any more; set it again."
        detail = error.detail if isinstance(error, InvalidInput) else reason
        text = f"The endpoint {name!r} of this project cannot be used. {detail}"
        raise PermanentError("model_misconfigured", text) from None
    return Endpoint(
        name,
        own.speaks,
        own.base_url,
        secret["key"],
        secret["headers"],
        own.output,
        is_of_project=True,
    )


def check_agent_models(project: Project, models: Mapping[str, str]) -> None:
    """Raises InvalidInput for a model that this project may not use."""
    if not models:
        return
    own = set(ModelEndpoint.objects.filter(project=project).values_list("name", flat=True))
    used = {*configured_models().values(), EXTERNAL, DEMO}
    used |= {name for one in settings.MODEL_OPTIONS.values() for name in one.fallbacks}
    for agent, model in models.items():
        name, colon, rest = model.partition(":")
        if model not in used and not (colon and rest and name in own):
            detail = (
                f"{model!r} is no model that this project can use: take external, a model that the "
                "installation uses, or endpoint:model of an endpoint of this project."
            )
            raise InvalidInput.of(f"agent_models.{agent}", "invalid_choice", detail)


def check_address(url: str) -> None:
    """Raises InvalidInput for a host that the operator has not allowed."""
    if not url:
        return
    parts = urlsplit(url)
    host, allowed = parts.hostname or "", settings.MODEL_ENDPOINT_HOSTS
    is_named = any(
        host == one or one == "*" or (one.startswith(".") and host.endswith(one)) for one in allowed
    )
    if is_named or (host in PUBLIC_HOSTS and parts.scheme == "https" and parts.port in (None, 443)):
        return
    detail = (
        f"The operator has not allowed {host or 'this address'}: MODEL_ENDPOINT_HOSTS in the "
        "settings names hosts; well-known providers may be used without, by https."
    )
    raise InvalidInput.of("base_url", "not_allowed", detail)


def check_is_own(endpoint: ModelEndpoint, secret: Mapping[str, Any]) -> None:
    """Without a key, or without an address, a client would take those of the installation.

    Raises InvalidInput.
    """
    if endpoint.base_url:
        return
    if endpoint.speaks not in SERVICES:
        detail = f"{endpoint.speaks} has no service of its own: give an address."
        raise InvalidInput.of("base_url", "required", detail)
    if not secret["key"]:
        detail = "The provider's own service needs a key of yours."
        raise InvalidInput.of("api_key", "required", detail)


def _check_new(project: Project, existing: ModelEndpoint | None, name: str) -> None:
    if existing is not None:
        raise Conflict("already_exists", f"There is an endpoint {name!r} already; change that.")
    taken = {*settings.MODEL_ENDPOINTS, *KINDS, *settings.MODEL_PROVIDERS, EXTERNAL}
    if name in taken:
        detail = f"{name!r} is taken by the installation. Choose another name."
        raise InvalidInput.of("name", "taken", detail)
    if ModelEndpoint.objects.filter(project=project).count() >= MOST_ENDPOINTS:
        raise Conflict("too_many", f"A project has at most {MOST_ENDPOINTS} endpoints.")


def _secret_of(endpoint: ModelEndpoint) -> dict[str, Any]:
    """Raises Unreadable."""
    if not endpoint.encrypted_secret:
        return {"key": "", "headers": {}}
    return json.loads(decrypt(endpoint.encrypted_secret, purpose=PURPOSE))
