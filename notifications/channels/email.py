"""E-mail, by whatever Django is set up to send it with."""

import smtplib
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from notifications.channel import Channel, person, register_channel
from notifications.messages import Message, absolute, cut_line
from notifications.models import Notification, Preferences
from notifications.personal import NotSent, send_due

PERMANENT = 500


@register_channel
class Email(Channel):
    name, label = "email", "E-mail"

    def recipients_of(self, user: Any, preferences: Preferences) -> list[str]:
        return [person(user)] if address_of(user) and preferences.by_email else []

    def send(self, deadline: float) -> int:
        return send_due(self.name, send_mail, deadline)


def send_mail(told: list[tuple[Notification, Message]]) -> None:
    """One mail about all of them, in HTML and as text. Raises NotSent."""
    first, message = told[0]
    user = first.user
    to = address_of(user)
    if not to:
        raise NotSent("The person has no e-mail address any more.", is_final=True)
    subject = message.subject
    if len(told) > 1:
        subject = f"Paraph: {len(told)} things since you were last told"
    context = {
        "user": user,
        "messages": [message for _, message in told],
        "preferences": absolute("admin:notification_preferences"),
    }
    mail = EmailMultiAlternatives(
        subject=cut_line(subject),
        body=render_to_string("notifications/mail.txt", context),
        to=[to],
        headers={
            # The same when it is sent again: mail programs then show it once.
            "Message-ID": f"<{first.key}.{first.recipient.replace(':', '')}@{domain()}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    mail.attach_alternative(render_to_string("notifications/mail.html", context), "text/html")
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotSent(
            f"The mail server does not take mail to this address ({codes[0]}).",
            is_final=min(codes) >= PERMANENT,
        ) from error
    except smtplib.SMTPResponseException as error:
        is_away = not isinstance(error, smtplib.SMTPDataError)
        raise NotSent(f"The mail server answered {error.smtp_code}.", is_away=is_away) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"The mail server was not reached: {error}", is_away=True) from error


def address_of(user: Any) -> str:
    """On the page Outbox everybody has one: whoever tries Paraph sees what it would send."""
    is_local = settings.EMAIL_BACKEND == settings.OUTBOX_BACKEND
    return user.email or (f"{user.get_username()}@localhost" if is_local else "")


def domain() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"
