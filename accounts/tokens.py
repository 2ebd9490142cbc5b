"""Personal tokens: made, found by their key, ended."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.events import TOKEN_CREATED, TOKEN_REVOKED
from accounts.models import PersonalToken, password_mark
from audit.actors import Actor
from audit.installation import record_installation
from core.authentication import Grant, Scope, hash_key, new_key
from core.errors import Conflict, InvalidInput, NotFound

KEY_PREFIX = "paraph"
# Of one person, at a time: a script that makes one a run would fill the table.
MOST_TOKENS = 100
MOST_LOGIN_TOKENS = 50
LONGEST_DAYS = 366
USE_IS_NOTED_EVERY = timedelta(minutes=10)
# An expired token is shown for so long, so that its owner sees why something stopped working.
KEPT_AFTER_EXPIRY = timedelta(days=30)


class PersonalTokens:
    """The scheme `Token`, registered with `core.authentication`."""

    def find(self, key_hash: str) -> PersonalToken | None:
        tokens = PersonalToken.objects.current().select_related("user")
        token = tokens.filter(key_hash=key_hash).first()
        if token is None or not token.is_of_password(token.user.password):
            return None
        _note_use(token)
        return token

    def still_valid(self, key_hashes: set[str]) -> set[str]:
        tokens = PersonalToken.objects.current().filter(key_hash__in=key_hashes)
        rows = tokens.values_list("key_hash", "password_mark", "user__password")
        return {key_hash for key_hash, mark, password in rows if mark == password_mark(password)}


def _note_use(token: PersonalToken) -> None:
    """One write in ten minutes. Never waits for another request, and never fails this one."""
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < USE_IS_NOTED_EVERY:
        return
    rows = PersonalToken.objects.filter(pk=token.pk).order_by()
    try:
        with transaction.atomic():
            free = rows.select_for_update(skip_locked=True, no_key=True)
            PersonalToken.objects.filter(pk__in=free.values("pk")).update(last_used_at=Now())
    except DatabaseError:
        # A database that takes no writes still answers reads.
        return


def create_token(
    *,
    user: Any,
    name: str,
    scopes: list[str],
    expires_at: datetime | None = None,
    through: Grant | None = None,
    actor: Actor | None = None,
) -> tuple[PersonalToken, str]:
    """A new token and its key, which nobody can read again.

    `through` is the key with which it is asked for: what is made with it opens no more, and not for
    longer. `actor`: who makes it, if not the user. Raises Forbidden, InvalidInput, Conflict.
    """
    now = timezone.now()
    latest = now + timedelta(days=LONGEST_DAYS)
    if through is not None:
        for scope in scopes:
            through.require(Scope(scope))
        latest = min(latest, through.expires_at)
    expires_at = expires_at or min(latest, now + timedelta(days=settings.TOKEN_DAYS))
    if not now < expires_at <= latest:
        detail = f"Choose a time that is to come, and at the latest {latest:%Y-%m-%d %H:%M} UTC."
        raise InvalidInput.of("expires_at", "out_of_range", detail)
    with transaction.atomic():
        _lock(user)
        if PersonalToken.objects.current().filter(user=user).count() >= MOST_TOKENS:
            detail = f"You have {MOST_TOKENS} tokens, and may not have more. Revoke some first."
            raise Conflict("too_many_tokens", detail)
        return _insert(user, name, scopes, expires_at, actor=actor)


def create_login_token(user: Any) -> str:
    """A key with all scopes, for who gave name and password."""
    expires_at = timezone.now() + timedelta(days=settings.TOKEN_DAYS)
    with transaction.atomic():
        _lock(user)
        earlier = PersonalToken.objects.filter(user=user, is_login=True).order_by("-created_at")
        for token in earlier[MOST_LOGIN_TOKENS - 1 :]:
            token.delete()
        return _insert(user, "Login by password", Scope.values, expires_at, is_login=True)[1]


def _lock(user: Any) -> None:
    """One after the other, or two would be counted as one."""
    get_user_model().objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)


def _insert(
    user: Any,
    name: str,
    scopes: list[str],
    expires_at: datetime,
    *,
    is_login: bool = False,
    actor: Actor | None = None,
) -> tuple[PersonalToken, str]:
    key = new_key(KEY_PREFIX)
    token = PersonalToken.objects.create_for(
        user,
        key,
        name=name,
        scopes=[scope for scope in Scope.values if scope in scopes],
        is_login=is_login,
        expires_at=expires_at,
    )
    record_installation(TOKEN_CREATED, actor or Actor.of_user(user), **facts_of(token))
    return token, key


def facts_of(token: PersonalToken) -> dict[str, Any]:
    """As the log has it, by which the row is held against it."""
    return _name_of(token) | {
        "scopes": token.scopes,
        "expires_at": token.expires_at.isoformat(),
        "is_login": token.is_login,
        "key_mark": hash_key(token.key_hash),
    }


def _name_of(token: PersonalToken) -> dict[str, Any]:
    user = {"user": token.user_id, "username": token.user.get_username()}
    return {"token": str(token.pk), "name": token.name} | user


def revoke_token(*, token_id: UUID, actor: Actor, owner: Any = None) -> None:
    """It opens nothing from now on. Raises NotFound, also where it is not this owner's."""
    with transaction.atomic():
        tokens = PersonalToken.objects.select_for_update(of=("self",)).select_related("user")
        token = (tokens.filter(user=owner) if owner else tokens).filter(pk=token_id).first()
        if token is None:
            raise NotFound("not_found", "There is no such token, or it is not yours.")
        record_installation(TOKEN_REVOKED, actor, why="revoked", **_name_of(token))
        token.delete()


def end_tokens_of(user: Any, *, actor: Actor, why: str) -> int:
    """All of a person's; returns how many."""
    with transaction.atomic():
        ended, _ = PersonalToken.objects.filter(user=user).delete()
        if ended:
            data = {"user": user.pk, "username": user.get_username(), "tokens": ended}
            record_installation(TOKEN_REVOKED, actor, why=why, **data)
    return ended


def forget_expired_tokens() -> int:
    return PersonalToken.objects.filter(expires_at__lt=Now() - KEPT_AFTER_EXPIRY).delete()[0]
