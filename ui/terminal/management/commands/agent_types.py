from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.own_types import FIELDS, describe, save_agent_type
from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line, visible
from projects.agent_types import agent_types
from ui.terminal.lookup import acting_user, add_user_option

KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("title", "phase", "instructions", "model"), (str,)),
    "tools": (list, type(None)),
    "ask_before": (list,),
    **dict.fromkeys(("max_turns", "max_tokens", "max_seconds"), (int, type(None))),
}


class Command(BaseCommand):
    help = "Makes or changes types of agents as a YAML file says; without a file, prints them all."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="one type, or a list of them")
        add_user_option(parser)

    def handle(self, *, file: Path | None, user: str | None, **options: Any) -> None:
        if file is None:
            rows = [
                {"name": name} | {field: getattr(describe(name), field) for field in FIELDS}
                for name in agent_types.values
            ]
            self.stdout.write(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True))
            return
        actor = Actor.of_user(acting_user(user))
        # All of it is looked at before any of it is written.
        for values in [checked(entry) for entry in entries_of(file)]:
            name = values.pop("name")
            try:
                with origin(channel="cli"):
                    save_agent_type(actor=actor, name=name, **values)
            except DomainError as error:
                reasons = "; ".join(f"{e['field']}: {e['detail']}" for e in error.errors or [])
                detail = f"{name}: {reasons or error.detail} ({error.code})"
                raise CommandError(visible(detail)) from error
            self.stdout.write(one_line(f"Saved: {name}"))


def entries_of(file: Path) -> list[Any]:
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(visible(f"{file} cannot be read as YAML: {error}")) from error
    return content if isinstance(content, list) else [content]


def checked(entry: Any) -> dict[str, Any]:
    """Fields that there are, of the right kind; what they say is checked where it is written."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise CommandError("Each type is a mapping with a name.")
    for field, value in entry.items():
        if field == "name":
            continue
        if field not in KINDS:
            names = ", ".join(["name", *KINDS])
            raise CommandError(visible(f"{entry['name']}: {field!r} is no field; use {names}."))
        is_texts = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if not isinstance(value, KINDS[field]) or isinstance(value, bool) or not is_texts:
            raise CommandError(visible(f"{entry['name']}: {field} has a value of another kind."))
    return dict(entry)
