"""Credentials of agents that run elsewhere: they ask, work and read, and never decide or manage."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from audit.actors import Actor
from audit.services import record
from core.authentication import hash_key, new_key
from core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from core.text import is_storable
from projects.access import MANAGE
from projects.enums import CredentialScope
from projects.events import CREDENTIAL_CREATED, CREDENTIAL_REFUSED, CREDENTIAL_REVOKED
from projects.models import ERASED_TEXT, AgentCredential, Project
from projects.transaction import ProjectTransaction

KEYWORD = "bearer"
PREFIX = "paraph_agent"
# How exactly it is known when a credential was last used.
LAST_USED = timedelta(minutes=1)


class CredentialPrincipal:
    """Who a request with a credential is from: no user, and a member of nothing."""

    pk = id = None
    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, credential: AgentCredential) -> None:
        self.credential = credential
        self.throttle_key = f"credential:{credential.pk}"

    def __str__(self) -> str:
        return self.credential.name

    def get_username(self) -> str:
        return self.credential.name

    def has_perm(self, permission: str, obj: Any = None) -> bool:
        return False


class CredentialAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`.

    A view says in `credential_scopes` which scope each of its actions takes: `{"retrieve": READ}`,
    by the name of the action, or of the method where a view has none. What is not named there is
    closed to agents, whatever permissions the view checks.
    """

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def authenticate(self, request: Request) -> tuple[CredentialPrincipal, AgentCredential] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != KEYWORD.encode():
            return None
        token = words[1].decode("latin-1") if len(words) == 2 else ""
        credential = find_credential(token)
        if credential is None:
            detail = "There is no such credential, or it was revoked or has expired."
            raise AuthenticationFailed(detail)
        view = request.parser_context.get("view")
        action = getattr(view, "action", None) or request.method.lower()
        scope = getattr(view, "credential_scopes", {}).get(action)
        if scope is None:
            operation = f"{request.method} {request.resolver_match.route}"
            note_refusal(credential, operation)
            raise Forbidden(
                "credential_cannot_decide",
                "A credential of an agent asks, works and reads; it never decides or manages. "
                "Log in as a person.",
            )
        if scope not in credential.scopes:
            raise Forbidden("scope_missing", f"This needs a credential with the scope {scope}.")
        return CredentialPrincipal(credential), credential


class CredentialScheme(OpenApiAuthenticationExtension):
    """In the API's description, for those operations alone that a credential may use."""

    target_class = CredentialAuthentication
    name = "agentCredential"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "A credential of an agent, made by an owner of its project."
        return {"type": "http", "scheme": "bearer", "description": description}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list] | None:
        view = auto_schema.view
        action = getattr(view, "action", None) or auto_schema.method.lower()
        if action not in getattr(view, "credential_scopes", {}):
            return None
        return super().get_security_requirement(auto_schema)


def find_credential(token: str) -> AgentCredential | None:
    """The usable credential of a token. Notes now and then that it is used."""
    usable = AgentCredential.objects.usable().select_related("created_by")
    credential = usable.filter(token_sha256=hash_key(token)).first()
    if credential is not None:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - LAST_USED)
        used = credential.last_used_at
        if used is None or used < timezone.now() - LAST_USED:
            AgentCredential.objects.filter(stale, pk=credential.pk).update(last_used_at=Now())
    return credential


def token_of_header(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of an ASGI request; empty where it comes without one."""
    value = next((value for name, value in headers if name.lower() == b"authorization"), b"")
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == KEYWORD else ""


def usable_hashes(hashes: Collection[str]) -> set[str]:
    """Those of tokens that have not ended."""
    usable = AgentCredential.objects.usable().filter(token_sha256__in=hashes)
    return set(usable.values_list("token_sha256", flat=True)) if hashes else set()


def actor_of(credential: AgentCredential) -> Actor:
    return Actor("agent", f"credential:{credential.pk}", credential.name)


def credential_of(request: Request) -> AgentCredential:
    """Raises Forbidden for a person: people decide, agents ask and work."""
    if not isinstance(request.auth, AgentCredential):
        raise Forbidden(
            "credential_required",
            "Agents ask and work with a credential of their own (`Authorization: Bearer`). An "
            "owner makes it at projects/{id}/credentials/.",
        )
    return request.auth


def create_credential(
    *,
    project_id: UUID,
    actor: Actor,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> tuple[AgentCredential, str]:
    """A credential and its token, which is kept nowhere.

    Raises NotFound, Forbidden, InvalidInput, Conflict `name_taken`.
    """
    name = name.strip()
    if not name or len(name) > 100 or not is_storable(name):
        raise InvalidInput.of(
            "name", "invalid", "Give the credential a name of 1 to 100 characters."
        )
    unknown = set(scopes) - set(CredentialScope.values)
    if not scopes or unknown:
        detail = f"Name at least one of {', '.join(CredentialScope.values)}."
        raise InvalidInput.of("scopes", "invalid_choice", detail)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput.of("expires_at", "in_the_past", "Send a time in the future, or null.")
    token = new_key(PREFIX)
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        try:
            with transaction.atomic():
                credential = AgentCredential.objects.create(
                    project=tx.project,
                    name=name,
                    scopes=sorted(set(scopes)),
                    token_sha256=hash_key(token),
                    created_by=actor.user,
                    expires_at=expires_at,
                )
        except IntegrityError as error:
            detail = "The project has a credential of this name. Revoke it, or choose another name."
            raise Conflict("name_taken", detail) from error
        tx.record(
            CREDENTIAL_CREATED,
            credential=str(credential.pk),
            name=name,
            scopes=credential.scopes,
            expires_at=expires_at.isoformat() if expires_at else None,
            token_mark=hash_key(credential.token_sha256),
        )
    return credential, token


def revoke_credential(*, project_id: UUID, actor: Actor, credential_id: UUID) -> AgentCredential:
    """From now on it is worth nothing. Idempotent. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        credential = tx.lock(AgentCredential, credential_id)
        if credential.revoked_at is None:
            credential.revoked_at = timezone.now()
            credential.save(update_fields=["revoked_at"])
            tx.record(CREDENTIAL_REVOKED, credential=str(credential.pk), name=credential.name)
    return credential


def revoke_all_credentials(project: Project, actor: Actor) -> None:
    """Of a project that is to be erased, under its lock; the names go with it."""
    credentials = AgentCredential.objects.filter(project=project, revoked_at=None)
    for pk in list(credentials.values_list("pk", flat=True)):
        facts = {"credential": str(pk), "name": ERASED_TEXT}
        record(project_id=project.pk, event_type=CREDENTIAL_REVOKED, actor=actor, data=facts)
    credentials.update(revoked_at=timezone.now())


def lock_usable_credential(tx: ProjectTransaction, credential: AgentCredential) -> None:
    """Under the project's lock, where revoking waits. Raises Forbidden, NotFound."""
    if credential.project_id != tx.project.pk:
        raise NotFound("not_found", "There is no such project, or you may not see it.")
    if not AgentCredential.objects.usable().filter(pk=credential.pk).exists():
        raise Forbidden("credential_revoked", "The credential was revoked or has expired.")


def note_refusal(credential: AgentCredential, operation: str) -> None:
    """In the project's log, in a transaction of its own; once a minute is enough."""
    same = AgentCredential.objects.filter(pk=credential.pk)
    same.update(refusals=F("refusals") + 1)
    is_due = Q(refused_at=None) | Q(refused_at__lt=Now() - LAST_USED)
    if not same.filter(is_due).update(refused_at=Now()):
        return
    try:
        with ProjectTransaction(credential.project_id, actor_of(credential)) as tx:
            data = {"credential": str(credential.pk), "name": credential.name}
            tx.record(CREDENTIAL_REFUSED, operation=operation, **data)
    except DomainError:
        pass  # an erased project keeps no new facts
