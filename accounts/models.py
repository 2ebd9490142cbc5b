import hashlib
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from core.authentication import Scope, hash_key
from core.errors import Forbidden
from core.ids import new_id


def password_mark(password_hash: str) -> str:
    """What changes with the password, and tells nothing of it."""
    return hashlib.sha256(b"paraph.token.password:" + password_hash.encode()).hexdigest()


def email_mark(email: str) -> str:
    """By which an address that somebody exchanged is found: links for a new password go there."""
    return hashlib.sha256(b"paraph.user.email:" + email.encode()).hexdigest()


class PersonalTokenQuerySet(models.QuerySet):
    def current(self) -> "PersonalTokenQuerySet":
        """Not expired, of active users. Whether the password is the same is asked of each."""
        return self.filter(expires_at__gt=Now(), user__is_active=True)

    def create_for(self, user: Any, key: str, **fields: Any) -> "PersonalToken":
        """A token with this key, which ends with the password that the user has now."""
        mark = password_mark(user.password)
        return self.create(user=user, key_hash=hash_key(key), password_mark=mark, **fields)


class PersonalToken(models.Model):
    """A key that acts for a person, within its scopes. Only its hash is kept."""

    scheme = "token"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal_tokens"
    )
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    key_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the key.")
    password_mark = models.CharField(max_length=64, help_text="Of the password it was made under.")
    is_login = models.BooleanField(
        default=False, help_text="Made for name and password, at `auth/token/`."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="To within ten minutes; empty before the first use."
    )

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        db_table = "personal_tokens"
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["expires_at"], name="tokens_by_expiry")]

    def __str__(self) -> str:
        return self.name

    def require(self, scope: Scope) -> None:
        """Raises Forbidden `scope_missing`."""
        if scope not in self.scopes:
            detail = (
                f"This token lacks the scope {scope}; it has {', '.join(self.scopes) or 'none'}. "
                "Use a token that has it."
            )
            raise Forbidden("scope_missing", detail, scope=str(scope))

    def is_of_password(self, password_hash: str) -> bool:
        return self.password_mark == password_mark(password_hash)


class Profile(models.Model):
    """What a person has chosen for themselves. Without a row: nothing yet."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="profile",
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="By its name, such as Europe/Vienna."
    )

    class Meta:
        db_table = "user_profiles"

    def __str__(self) -> str:
        return f"profile of {self.user_id}"
