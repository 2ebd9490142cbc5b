"""The command line."""

import argparse
import re
import sys

from expenses.movements import Mistake, read_movements
from expenses.report import chosen, write_report


def main(arguments=None):
    """Writes one report; the exit status is 1 after a mistake."""
    parser = argparse.ArgumentParser(prog="main.py", description=__doc__)
    parser.add_argument("csv_file", help="the movements, as the bank exports them")
    parser.add_argument("--month", default="", help="only this month, such as 2024-05")
    parser.add_argument("--category", default="", help="only this category")
    parser.add_argument("--save", metavar="FILE", help="write the report to a file as well")
    options = parser.parse_args(arguments)
    try:
        if options.month and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", options.month):
            raise Mistake(f"{options.month} is no month. Write it as 2024-05.")
        movements, left_out, doubles = read_movements(options.csv_file)
        selected = chosen(movements, options.month, options.category)
        report = "\n".join(write_report(selected, left_out, doubles)) + "\n"
        print(report, end="")
        if options.save:
            with open(options.save, "w", encoding="utf-8") as file:
                file.write(report)
    except Mistake as mistake:
        print(f"Sorry: {mistake}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Sorry: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    return 0
