#!/usr/bin/env python3
import os
import sys

from orchestrator.local import runtime


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
    runtime.for_command_line()

    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if not is_about_the_connection(error):
            raise
        sys.exit(remedy(error))


def is_about_the_connection(error: Exception) -> bool:
    """A server that answered gives its error a code."""
    return getattr(error.__cause__, "sqlstate", None) is None


def remedy(error: Exception) -> str:
    if "DATABASE_URL" in runtime.supplied and not runtime.is_live():
        return (
            f"Countersign is not running on the data folder {runtime.default_data_dir()}, so there "
            "is no database to ask. Start it with `make run` first (another folder: DATA_DIR=...), "
            "or set DATABASE_URL."
        )
    return f"The database does not answer. Check DATABASE_URL. It said: {error}".rstrip()


if __name__ == "__main__":
    main()
