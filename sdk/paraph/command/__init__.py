"""The command `paraph`: for shell scripts, CI, coding agents, and for people who decide."""

import argparse
import sys
from collections.abc import Sequence

from paraph.command import agents, demo, hook, mcp, people, verify, work
from paraph.command.exits import ERROR, exit_of
from paraph.errors import ParaphError


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 yes, 1 it did not happen, 2 an error, 3 nobody has decided, 4 unknown."""
    parser = argparse.ArgumentParser(
        prog="paraph",
        description="Agents ask people before they act.",
        epilog="Exit status: 0 yes, 1 it did not happen, 2 an error, 3 nobody has decided yet, "
        "4 it may have happened.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (people, agents, work, mcp, verify, hook, demo):
        module.add_commands(commands)
    given = list(sys.argv[1:] if arguments is None else arguments)
    command: list[str] = []
    if "--" in given:
        # What comes after it is a command of the caller's, whatever it looks like.
        given, command = given[: given.index("--")], given[given.index("--") + 1 :]
    options = parser.parse_args(given)
    if command and not getattr(options, "takes_command", False):
        parser.error("only ask, work and mcp-proxy take a command after --")
    options.command = command
    try:
        return int(options.run(options))
    except ParaphError as error:
        print(f"paraph: {error}", file=sys.stderr)
        return exit_of(error)
    except BrokenPipeError:
        return ERROR
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
