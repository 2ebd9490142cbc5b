import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.stream.client import Follower, Refused

DEFAULT_URL = "http://127.0.0.1:8000"
SESSION_SECONDS = 3600


class Command(BaseCommand):
    help = (
        "Show what happens in a project, from the running server: the past, and with --follow on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=UUID)
        parser.add_argument("--follow", action="store_true", help="Go on until Ctrl-C.")
        parser.add_argument("--after", type=int, default=0, help="Only beyond this sequence.")
        parser.add_argument("--json", action="store_true", help="One event a line, as JSON.")
        parser.add_argument("--token", default=os.environ.get("PARAPH_TOKEN"))
        parser.add_argument("--user", help="Instead of a token: as this user, from this machine.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["after"] < 0:
            raise CommandError("--after must not be negative.")
        follower = Follower(
            base_url=server_url(os.environ.get("PARAPH_URL") or DEFAULT_URL),
            project=str(options["project"]),
            headers=self.headers(options),
            notice=lambda text: self.stderr.write(text),
            after=options["after"],
        )
        show = json_line if options["json"] else readable_line
        try:
            for event in follower.frames(is_live=options["follow"]):
                print(show(event), flush=True)
        except Refused as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Whoever read has enough, as `head` does; the interpreter must not try to flush again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def headers(self, options: dict[str, Any]) -> Callable[[], dict[str, str]]:
        if options["user"]:
            return lambda: {
                "Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(options['user'])}"
            }
        if options["token"]:
            return lambda: {"Authorization": f"Token {options['token']}"}
        raise CommandError("Say who you are: --token (or PARAPH_TOKEN), or --user NAME.")


def server_url(text: str) -> str:
    """Raises CommandError for what is none."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise CommandError(f"PARAPH_URL is {text!r}. Use http://host:port, or https://host.")
    return text


def session_of(username: str) -> str:
    """A login of an hour, made past the password by who may run commands on the server anyway."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: username}, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username}.")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.set_expiry(SESSION_SECONDS)
    session.create()
    return session.session_key


def json_line(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False)


def readable_line(event: dict[str, Any]) -> str:
    time = event["created_at"][11:19]
    facts = " ".join(f"{name}={short(value)}" for name, value in event["data"].items())
    return (
        f"{event['sequence']:>6}  {time}  {event['event_type']:<24}  {event['actor']:<20}  {facts}"
    )


def short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # What others wrote must not move the cursor of this terminal.
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= 60 else f"{text[:59]}…"
