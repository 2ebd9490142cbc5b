"""Commands that act as a person; they and their options are found, not listed."""

import argparse
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from tests.isolation.test_paths import head_of
from tests.isolation.things import OURS, Things, Unknown

pytestmark = pytest.mark.django_db(transaction=True)


def parsers() -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    for name, app in get_commands().items():
        if app in (*OURS, "ops", "ui.terminal"):
            parser = load_command_class(app, name).create_parser("manage.py", name)
            yield from with_subcommands([name], parser)


def with_subcommands(words: list[str], parser: Any) -> Iterator[tuple[list[str], Any]]:
    nested = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not nested:
        yield words, parser
    for action in nested:
        for name, sub in action.choices.items():
            yield from with_subcommands([*words, name], sub)


def acts_as_a_person(parser: argparse.ArgumentParser) -> bool:
    return any("--user" in action.option_strings for action in parser._actions)


# What only makes something of the person's own.
TAKES_NO_ID = {"import_project"}
COMMANDS = [
    (words, parser)
    for words, parser in parsers()
    if acts_as_a_person(parser) and words[0] not in TAKES_NO_ID
]
# An option that takes an id: what it names.
IDS = {
    **{"project": "project", "resume": "project", "id": "request", "request": "request"},
    "task": "task",
}
# Positional arguments that may be left out where an option names the project.
LEFT_OUT = {"brief", "reason"}
GIVEN = {
    "--digest": ["0" * 64],
    "--yes": [],
    "--comment": ["No."],
    "--text": ["Yes."],
    "--reason": ["Asked for."],
    "--to": ["owner"],
}


def arguments(parser: argparse.ArgumentParser, things: Things) -> list[str]:
    found: list[str] = []
    for action in parser._actions:
        if action.dest in IDS:
            found += [*action.option_strings[-1:], str(things.named(IDS[action.dest]))]
        elif GIVEN.keys() & set(action.option_strings):
            option = action.option_strings[-1]
            found += [option, *GIVEN[option]]
        elif action.required and action.dest not in LEFT_OUT:
            raise Unknown(f"What goes into {action.dest} of {parser.prog}?")
    return found


def test_as_an_outsider_no_command_finds_anything(
    web_server, things, outsider, monkeypatch, subtests
):
    monkeypatch.setenv("PARAPH_URL", web_server.url)
    before = head_of(things)

    for words, parser in COMMANDS:
        with subtests.test(" ".join(words)):
            said = run([*words, *arguments(parser, things), "--user", "outsider"])

            assert things.project.name not in said
            assert str(things.project.pk) not in said
    assert head_of(things) == before


def run(words: list[str]) -> str:
    """What it printed; the one error that is allowed says that there is nothing."""
    output = StringIO()
    try:
        call_command(*words, stdout=output)
    except CommandError as error:
        if "may not see" not in str(error):
            raise
    return output.getvalue()


def test_the_commands_were_found():
    assert {" ".join(words) for words, _ in COMMANDS} >= {
        "events",
        "hitl list",
        "hitl approve",
        "run_project",
    }
