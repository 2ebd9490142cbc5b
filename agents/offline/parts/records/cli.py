"""The commands that a person types."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TextIO

from . import catalogue
from .model import DATA_FILE, ENTITIES, FEATURES, SUMMARY
from .records import Entity, Problem
from .store import Store
from .tables import table


def main(words: list[str] | None = None, out: TextIO | None = None) -> int:
    """Run one command. 0 is success, 1 a problem that was explained."""
    out = out or sys.stdout
    arguments = parser().parse_args(words)
    try:
        store = Store(Path(arguments.data))
        lines = arguments.run(store, arguments)
        store.save()
    except (Problem, OSError) as problem:
        print(f"Problem: {problem}", file=out)
        return 1
    print("\n".join(lines), file=out)
    return 0


def parser() -> argparse.ArgumentParser:
    """Every command of the program."""
    top = argparse.ArgumentParser(prog="main.py", description=SUMMARY)
    top.add_argument("--data", default=DATA_FILE, help="file that holds the records")
    top.add_argument("--today", type=_date, default=date.today(), help="the date to go by")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for entity in ENTITIES:
        if entity.actions:
            _add_entity(commands, entity)
    for feature in FEATURES:
        feature.add_commands(commands)
    return top


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date such as 2024-05-31") from None


def _add_entity(commands: argparse._SubParsersAction, entity: Entity) -> None:
    group = commands.add_parser(entity.name, help=f"work with {entity.plural}")
    actions = group.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name in entity.actions:
        action = actions.add_parser(name, help=f"{name}: {entity.plural}")
        action.set_defaults(run=_ACTIONS[name], entity=entity)
        _add_options(action, entity, name)


def _add_options(action: argparse.ArgumentParser, entity: Entity, name: str) -> None:
    if name in ("show", "change", "remove"):
        action.add_argument("number", type=int, help=f"number of the {entity.name}")
    if name == "list":
        fields = [field.name for field in entity.fields]
        action.add_argument("--sort", choices=fields, default="", help="field to sort by")
    if name == "find":
        action.add_argument("words", nargs="?", default="", help="words to look for in any field")
    if name in ("add", "change", "find"):
        for field in entity.fields:
            needed = name == "add" and field.required
            action.add_argument(field.option, dest=field.name, required=needed, help=field.kind)


def _texts(arguments: argparse.Namespace) -> dict[str, str]:
    given = vars(arguments)
    return {f.name: given[f.name] for f in arguments.entity.fields if given[f.name] is not None}


def _add(store: Store, arguments: argparse.Namespace) -> list[str]:
    row = catalogue.add(store, arguments.entity, _texts(arguments))
    return [f"Added {arguments.entity.label(row)}."]


def _list(store: Store, arguments: argparse.Namespace) -> list[str]:
    rows = catalogue.listed(store, arguments.entity, sort=arguments.sort)
    return table(arguments.entity, rows)


def _show(store: Store, arguments: argparse.Namespace) -> list[str]:
    row = store.get(arguments.entity.name, arguments.number)
    return [f"{name}: {value}" for name, value in row.items() if value != ""]


def _find(store: Store, arguments: argparse.Namespace) -> list[str]:
    chosen = catalogue.matching(store, arguments.entity, _texts(arguments))
    worded = catalogue.listed(store, arguments.entity, words=arguments.words)
    return table(arguments.entity, [row for row in chosen if row in worded])


def _change(store: Store, arguments: argparse.Namespace) -> list[str]:
    row = catalogue.change(store, arguments.entity, arguments.number, _texts(arguments))
    return [f"Changed {arguments.entity.label(row)}."]


def _remove(store: Store, arguments: argparse.Namespace) -> list[str]:
    row = catalogue.remove(store, arguments.entity, arguments.number)
    return [f"Removed {arguments.entity.label(row)}."]


_ACTIONS = {
    "add": _add,
    "list": _list,
    "show": _show,
    "find": _find,
    "change": _change,
    "remove": _remove,
}
