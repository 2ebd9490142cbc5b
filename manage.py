#!/usr/bin/env python3
import os
import sys

from ops.devserver import runtime


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
    runtime.for_command_line()

    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    try:
        run(sys.argv)
    except (ImproperlyConfigured, OperationalError) as error:
        if "--traceback" in sys.argv or not has_remedy(error):
            raise
        sys.exit(f"Error: {remedy(error)}")


def run(arguments: list[str]) -> None:
    if arguments[1:2] == ["up"]:
        # Without the apps, which it does not use and which take longest to load.
        from ops.management.commands.up import Command

        Command().run_from_argv(arguments)
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


def has_remedy(error: Exception) -> bool:
    """A server that answered gives its error a code; then it is not about the connection."""
    return getattr(error.__cause__, "sqlstate", None) is None


def remedy(error: Exception) -> str:
    from django.core.exceptions import ImproperlyConfigured

    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if "DATABASE_URL" in runtime.supplied and not runtime.is_live():
        return (
            f"Paraph is not running on the data folder {runtime.default_data_dir()}, so there "
            "is no database to ask. Start it with `make run` first (another folder: DATA_DIR=...), "
            "or set DATABASE_URL."
        )
    return f"The database does not answer. Check DATABASE_URL. It said: {error}".rstrip()


if __name__ == "__main__":
    main()
