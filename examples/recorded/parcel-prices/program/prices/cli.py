"""The commands that riders and the office type."""

import argparse
import csv
import sys
from decimal import Decimal, InvalidOperation

from prices.tariff import Mistake, Parcel, price_lines, rules

NUMBERS = ("weight", "distance", "length", "value")
YES = {"yes": True, "y": True, "1": True, "no": False, "n": False, "0": False, "": False}
FLAGS = ("express", "fragile", "member")


def main(arguments=None):
    """Runs one command; the exit status is 1 after a mistake."""
    try:
        options = _parser().parse_args(arguments)
        for line in options.run(options):
            print(line)
    except Mistake as mistake:
        print(f"Sorry: {mistake}", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Mistake(f"{message}. {self.prog} --help shows how.")


def _parser():
    parser = _Parser(prog="main.py", description="What a parcel costs, and why.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    price = commands.add_parser("price", help="one parcel")
    price.add_argument("--weight", required=True, metavar="KG")
    price.add_argument("--distance", required=True, metavar="KM")
    price.add_argument("--length", default="0", metavar="CM")
    price.add_argument("--value", default="0", metavar="EUR")
    price.add_argument("--parcels-a-month", default="0", metavar="NUMBER")
    for flag in FLAGS:
        price.add_argument(f"--{flag}", action="store_const", const="yes", default="")
    price.set_defaults(run=_price)
    commands.add_parser("rules", help="the tariff").set_defaults(run=lambda options: rules())
    many = commands.add_parser("file", help="many parcels from a CSV file")
    many.add_argument("csv_file", help="columns: weight, distance, and the others of `price`")
    many.set_defaults(run=_file)
    return parser


def _price(options):
    lines = price_lines(_parcel(vars(options)))
    yield from (f"{amount:9.2f}  {what}" for what, amount in lines)
    yield f"{sum(amount for _, amount in lines):9.2f}  EUR in total"


def _file(options):
    """One line a parcel; a mistake in one does not stop the others."""
    try:
        with open(options.csv_file, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError):
        raise Mistake(f"{options.csv_file} cannot be read.") from None
    for number, row in enumerate(rows, start=2):
        try:
            lines = price_lines(_parcel({key: value or "" for key, value in row.items() if key}))
            yield f"line {number}: {sum(amount for _, amount in lines):.2f} EUR"
        except Mistake as mistake:
            yield f"line {number}: {mistake}"


def _parcel(texts):
    """Of what somebody typed, or of a row of the file."""
    values = {name: _number(name, texts.get(name) or "0") for name in NUMBERS}
    if not values["weight"]:
        raise Mistake("The weight is missing. Give it in kg, such as 2.5.")
    flags = {name: _flag(name, texts.get(name, "")) for name in FLAGS}
    count = _number("parcels a month", texts.get("parcels_a_month") or "0")
    return Parcel(**values, **flags, parcels_a_month=int(count))


def _number(name, text):
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        raise Mistake(f"The {name} {text!r} is no number. Write it as 2.5.") from None
    if not number.is_finite() or number < 0:
        raise Mistake(f"The {name} {text!r} cannot be. Write it as 2.5.")
    return number


def _flag(name, text):
    if text.strip().lower() not in YES:
        raise Mistake(f"{name} is {text!r}. Write yes or no.")
    return YES[text.strip().lower()]
