"""The commands that a person types."""

from __future__ import annotations

import argparse
import csv
import sys
from decimal import Decimal, InvalidOperation
from typing import TextIO

from .engine import Input, Problem, calculate, total
from .rules import INPUTS, RULES, SUMMARY


def main(words: list[str] | None = None, out: TextIO | None = None) -> int:
    """Run one command. 0 is success, 1 a problem that was explained."""
    out = out or sys.stdout
    arguments = parser().parse_args(words)
    try:
        lines = arguments.run(arguments)
    except (Problem, OSError, UnicodeError) as problem:
        print(f"Problem: {problem}", file=out)
        return 1
    print("\n".join(lines), file=out)
    return 0


def parser() -> argparse.ArgumentParser:
    """Every command of the program."""
    top = argparse.ArgumentParser(prog="main.py", description=SUMMARY)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    one = commands.add_parser("calculate", help="calculate one result, line by line")
    for item in INPUTS:
        _add_input(one, item)
    one.set_defaults(run=_calculate)
    rules = commands.add_parser("rules", help="show every rule that the program goes by")
    rules.set_defaults(run=_rules)
    batch = commands.add_parser("batch", help="calculate every row of a CSV file")
    batch.add_argument("file", help="CSV file whose columns are named like the inputs")
    batch.set_defaults(run=_batch)
    return top


def _add_input(command: argparse.ArgumentParser, item: Input) -> None:
    if item.is_flag:
        command.add_argument(item.option, dest=item.name, action="store_const", const="1")
    else:
        command.add_argument(item.option, dest=item.name, required=item.required, help=item.unit)


def read(texts: dict[str, str | None]) -> dict[str, Decimal]:
    """The inputs that were given, as numbers. Raises Problem."""
    inputs = {}
    for item in INPUTS:
        text = (texts.get(item.name) or "").strip()
        if item.is_flag:
            text = "1" if text.lower() in ("1", "yes", "true", "x") else ""
        if not text and item.required:
            raise Problem(f"{item.option} is missing")
        if text:
            inputs[item.name] = _number(item, text)
    return inputs


def _number(item: Input, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Problem(f"{item.option} must be a number, not {text}") from None
    if not number.is_finite() or number < 0 or number > 10**9:
        raise Problem(f"{item.option} must be a number from 0 up, not {text}")
    return number


def _calculate(arguments: argparse.Namespace) -> list[str]:
    lines = calculate(RULES, read(vars(arguments)))
    texts = [f"{line.amount:>12}  {line.text} ({line.source})" for line in lines]
    return [*texts, f"{total(lines):>12}  total"]


def _rules(arguments: argparse.Namespace) -> list[str]:
    return [f"{rule.source}: {rule.text}" for rule in RULES]


def _batch(arguments: argparse.Namespace) -> list[str]:
    results = []
    with open(arguments.file, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            results.append(f"line {number}: {_row(row)}")
    return results or ["The file has no rows."]


def _row(row: dict) -> str:
    texts = {str(k).strip().lower().replace(" ", "_"): v for k, v in row.items() if k}
    try:
        return str(total(calculate(RULES, read(texts))))
    except Problem as problem:
        return str(problem)
