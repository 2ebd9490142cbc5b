"""Invitations by mail: a link that works once, for a while, and for whoever has the mailbox."""

import logging
import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import timezone

from audit.actors import Actor
from core.authentication import hash_key, new_key
from core.errors import Conflict, Forbidden, Gone, InvalidInput, NotFound
from core.text import is_storable, one_line
from projects.access import MANAGE, check_role, role_of
from projects.enums import Role
from projects.events import INVITATION_WITHDRAWN, MEMBER_ADDED, MEMBER_INVITED
from projects.models import Invitation, Membership
from projects.transaction import ProjectTransaction

logger = logging.getLogger(__name__)

KEY_PREFIX = "paraph_invitation"
# Open ones of a project: nobody sends mail to the world through it.
MOST_OPEN = 50
TAKEN = "Somebody has this user name. Choose another."
ENDED = "This invitation was used or withdrawn, or its time is over. Ask for a new one."


def invite_member(
    *, project_id: UUID, actor: Actor, email: str, role: str, link_to: Callable[[str], str]
) -> Invitation:
    """Sends a mail after the commit. The same address again: a new link, and the old one ends.

    `link_to` makes the address of the page from the key, which nobody can read again.
    Raises NotFound, Forbidden, InvalidInput, Conflict `too_many_invitations`.
    """
    email = _checked_address(email)
    key = new_key(KEY_PREFIX)
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        now = timezone.now()
        still_open = Invitation.objects.filter(project=tx.project).open()
        for earlier in still_open.filter(email=email):
            _close(tx, earlier, INVITATION_WITHDRAWN)
        if still_open.filter(expires_at__gt=now).count() >= MOST_OPEN:
            detail = f"{MOST_OPEN} invitations are open in this project. Withdraw some first."
            raise Conflict("too_many_invitations", detail)
        invitation = Invitation.objects.create(
            project=tx.project,
            email=email,
            role=Role(role),
            token_sha256=hash_key(key),
            invited_by=actor.user,
            expires_at=now + timedelta(days=settings.INVITATION_DAYS),
        )
        # Not the address: every member reads the log.
        link_mark = hash_key(f"{invitation.token_sha256}:{email}")
        facts = {"invitation": str(invitation.pk), "role": str(role), "link_mark": link_mark}
        tx.record(MEMBER_INVITED, **facts, expires_at=invitation.expires_at.isoformat())
        tx.on_commit(lambda: _send(invitation, link_to(key)))
    return invitation


def _checked_address(email: str) -> str:
    email = email.strip().lower()
    try:
        if len(email) > 254 or not is_storable(email):
            raise ValidationError("")
        validate_email(email)
    except ValidationError:
        detail = "This is no mail address. Write it as name@example.org."
        raise InvalidInput.of("email", "invalid", detail) from None
    return email


def _send(invitation: Invitation, link: str) -> None:
    """The row says whether a mail server took it; the page then offers to send it again."""
    project = one_line(invitation.project.name)
    context = {"invitation": invitation, "project": project, "link": link}
    message = EmailMessage(
        subject=f"{invitation.invited_by.get_username()} invites you to {project}",
        body=render_to_string("projects/invitation.txt", context),
        to=[invitation.email],
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException):
        logger.exception("invitation not sent", extra={"invitation": str(invitation.pk)})
        return
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=Now())


def withdraw_invitation(*, project_id: UUID, actor: Actor, invitation_id: UUID) -> None:
    """Its link is worth nothing from now on. Again: nothing happens. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        invitation = tx.lock(Invitation, invitation_id)
        if invitation.closed_at is None:
            _close(tx, invitation, INVITATION_WITHDRAWN)


def _close(tx: ProjectTransaction, invitation: Invitation, event_type: Any) -> None:
    invitation.closed_at = timezone.now()
    invitation.save(update_fields=["closed_at"])
    tx.record(event_type, invitation=str(invitation.pk), role=invitation.role)


def find_invitation(key: str) -> Invitation:
    """Reads only. Raises Gone `invitation_ended`, the same for a key that there never was."""
    rows = Invitation.objects.open().select_related("project", "invited_by")
    invitation = rows.filter(token_sha256=hash_key(key), expires_at__gt=Now()).first()
    if invitation is None:
        raise Gone("invitation_ended", ENDED)
    return invitation


def accept_invitation(*, key: str, user: Any) -> Membership:
    """The user becomes a member; who is one already keeps the higher role. Raises Gone."""
    invitation = find_invitation(key)
    with ProjectTransaction(invitation.project_id, Actor.of_user(user)) as tx:
        return _join(tx, invitation.pk, user)


def accept_as_new_user(*, key: str, username: str, password: str) -> Membership:
    """A new account, with the address of the invitation.

    Raises Gone, Forbidden `accounts_not_made`, InvalidInput.
    """
    invitation = find_invitation(key)
    if not settings.INVITATIONS_MAKE_ACCOUNTS:
        detail = "Log in with the account that you have here; invitations make none."
        raise Forbidden("accounts_not_made", detail)
    user = _checked_user(username, password, invitation.email)
    with ProjectTransaction(invitation.project_id, Actor.of_system("invitation")) as tx:
        # Below the lock of the project, above that of the installation's log.
        _lock_open(tx, invitation.pk)
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError as error:
            # Since the check, by another invitation.
            raise InvalidInput.of("username", "taken", TAKEN) from error
        return _join(tx, invitation.pk, user)


def _checked_user(username: str, password: str, email: str) -> Any:
    users = get_user_model()
    errors = []

    def refuse(field: str, code: str, detail: str) -> None:
        errors.append({"field": field, "code": code, "detail": detail})

    username = username.strip()
    user = users(username=username, email=email)
    try:
        # People sign with it: no letters that only look like those of somebody else.
        ASCIIUsernameValidator()(username)
        is_name = 0 < len(username) <= 150
    except ValidationError:
        is_name = False
    if not is_name:
        refuse("username", "invalid", "Use letters a to z, digits and @ . + - _, at most 150.")
    elif users.objects.filter(username__iexact=username).exists():
        refuse("username", "taken", TAKEN)
    try:
        validate_password(password, user)
    except ValidationError as error:
        for message in error.messages:
            refuse("password", "weak", message)
    if errors:
        raise InvalidInput("invalid", "Correct the fields below.", errors=errors)
    return user


def _lock_open(tx: ProjectTransaction, invitation_id: UUID) -> Invitation:
    """Under the project's lock, where a second use waits. Raises Gone."""
    invitation = tx.lock(Invitation, invitation_id)
    is_over = invitation.closed_at is not None or invitation.expires_at <= timezone.now()
    inviter = invitation.invited_by
    try:
        # What an owner gave ends when they are none any more.
        check_role(role_of(inviter, tx.project.pk), inviter, MANAGE)
    except (NotFound, Forbidden):
        is_over = True
    if is_over or not inviter.is_active:
        raise Gone("invitation_ended", ENDED)
    return invitation


def _join(tx: ProjectTransaction, invitation_id: UUID, user: Any) -> Membership:
    invitation = _lock_open(tx, invitation_id)
    member = Membership.objects.filter(project=tx.project, user=user).first()
    old_role = member.role if member else None
    # In the order in which they may do more.
    ranks = [None, Role.VIEWER, Role.APPROVER, Role.OWNER]
    if ranks.index(old_role) < ranks.index(invitation.role):
        member, _ = Membership.objects.update_or_create(
            project=tx.project, user=user, defaults={"role": invitation.role, "group": None}
        )
        tx.record(
            MEMBER_ADDED,
            actor=Actor.of_user(user),
            user=user.pk,
            username=user.get_username(),
            role=invitation.role,
            invitation=str(invitation.pk),
            invited_by=invitation.invited_by_id,
            **({"old_role": old_role} if old_role else {}),
        )
    invitation.closed_at, invitation.accepted_by = timezone.now(), user
    invitation.save(update_fields=["closed_at", "accepted_by"])
    return member
