"""The commands that a person types."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TextIO

from .figures import above, figures, group_of, top
from .reading import Problem, Row, Table, read
from .sections import Section
from .settings import COLUMNS, FLAG, SECTIONS, SUMMARY, TOP


def main(words: list[str] | None = None, out: TextIO | None = None) -> int:
    """Run one command. 0 is success, 1 a problem that was explained."""
    out = out or sys.stdout
    arguments = parser().parse_args(words)
    try:
        lines = arguments.run(arguments)
    except (Problem, OSError) as problem:
        print(f"Problem: {problem}", file=out)
        return 1
    print("\n".join(lines), file=out)
    return 0


def parser() -> argparse.ArgumentParser:
    """Every command of the program."""
    top_level = argparse.ArgumentParser(prog="main.py", description=SUMMARY)
    commands = top_level.add_subparsers(title="commands", required=True, metavar="COMMAND")
    report = commands.add_parser("report", help="read a CSV file and print the report")
    _add_choice(report)
    report.add_argument("--output", help="write the report to this file as well")
    report.set_defaults(run=_report)
    check = commands.add_parser("check", help="list the rows that cannot be used")
    check.add_argument("file", help="the CSV file")
    check.set_defaults(run=_check)
    clean = commands.add_parser("clean", help="write the good rows to a new CSV file")
    _add_choice(clean)
    clean.add_argument("output", help="the new CSV file")
    clean.set_defaults(run=_clean)
    return top_level


def _add_choice(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="the CSV file")
    command.add_argument("--month", default="", help="only this month, such as 2024-05")
    command.add_argument("--from", dest="start", type=_date, help="only from this day on")
    command.add_argument("--to", dest="end", type=_date, help="only up to this day")
    for name, kind in COLUMNS:
        if kind == "text":
            command.add_argument(
                f"--{name.replace('_', '-')}", dest=f"only_{name}", help=f"only this {name}"
            )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date such as 2024-05-31") from None


def chosen(table: Table, arguments: argparse.Namespace) -> list[Row]:
    return [row for row in table.rows if _fits(row, arguments)]


def _fits(row: Row, arguments: argparse.Namespace) -> bool:
    days = [value for value in row.values.values() if isinstance(value, date)]
    if arguments.month and not (days and group_of("month", row) == arguments.month):
        return False
    if arguments.start and not (days and days[0] >= arguments.start):
        return False
    if arguments.end and not (days and days[0] <= arguments.end):
        return False
    wanted = {
        k.removeprefix("only_"): v
        for k, v in vars(arguments).items()
        if k.startswith("only_") and v
    }
    return all(str(row.values[name]).lower() == text.lower() for name, text in wanted.items())


def _report(arguments: argparse.Namespace) -> list[str]:
    table = read(Path(arguments.file))
    rows = chosen(table, arguments)
    lines = [f"{len(rows)} rows"]
    lines += [line for section in SECTIONS for line in _section(section, rows)]
    if TOP:
        lines += ["", f"The {TOP[1]} largest by {TOP[0]}", *map(_shown, top(rows, *TOP))]
    if FLAG:
        lines += ["", f"{FLAG[0]} above {FLAG[1]}", *map(_shown, above(rows, *FLAG))]
    if table.duplicates:
        lines += ["", f"{table.duplicates} duplicate rows were left out."]
    if table.bad:
        lines += ["", *_bad(table)]
    if arguments.output:
        Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines


def _section(section: Section, rows: list[Row]) -> Iterable[str]:
    found = figures(section, rows)
    width = max((len(name) for name, _ in found), default=0)
    return ["", section.title, *(f"  {name.ljust(width)}  {number}" for name, number in found)]


def _shown(row: Row) -> str:
    return f"  line {row.line}: {', '.join(str(value) for value in row.values.values())}"


def _bad(table: Table) -> list[str]:
    return [
        f"{len(table.bad)} rows could not be used:",
        *(f"  line {b.line}: {b.reason}" for b in table.bad),
    ]


def _check(arguments: argparse.Namespace) -> list[str]:
    table = read(Path(arguments.file))
    return _bad(table) if table.bad else [f"All {len(table.rows)} rows are good."]


def _clean(arguments: argparse.Namespace) -> list[str]:
    table = read(Path(arguments.file))
    rows = chosen(table, arguments)
    names = list(rows[0].values) if rows else [name for name, _ in COLUMNS]
    with open(arguments.output, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(row.values for row in rows)
    return [f"Wrote {len(rows)} rows to {arguments.output}.", *(_bad(table) if table.bad else [])]
