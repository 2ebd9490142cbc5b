"""`paraph mcp` and `paraph mcp-proxy`: for hosts that speak the Model Context Protocol."""

import argparse
import asyncio
import logging
import sys
from typing import Any

from paraph.client import AsyncClient
from paraph.command.exits import YES
from paraph.connection import Connection
from paraph.errors import ParaphError
from paraph.mcp.bridge import serve_tools
from paraph.mcp.gated import Options
from paraph.mcp.proxy import serve_proxy

Parsers = Any


def add_commands(commands: Parsers) -> None:
    tools = commands.add_parser(
        "mcp",
        help="the tools of the server, for an MCP host that starts a program",
        description="Speaks MCP on standard input and output, with the tools that the credential "
        "opens: request_approval, wait_for_approval, report_outcome, list_artifacts, "
        "read_artifact.",
    )
    tools.set_defaults(run=run_tools)

    proxy = commands.add_parser(
        "mcp-proxy",
        help="wrap an MCP server, so that chosen tools ask people first",
        description="paraph mcp-proxy --tools 'delete_*,refund' -- npx some-mcp-server\n\nStarts "
        "the command and speaks MCP with it and with the host. A call of a chosen tool is asked "
        "about, and reaches the server exactly as it was approved, once.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    proxy.add_argument(
        "--tools",
        default="*",
        help="names or patterns of the tools that ask, separated by commas (default: all)",
    )
    proxy.add_argument("--server", default="", help="its name on the card (default: the command's)")
    proxy.add_argument(
        "--effect",
        action="append",
        default=[],
        metavar="TOOL=EFFECT",
        help="what must happen once, as refund=refund:{order}; may be repeated",
    )
    proxy.add_argument(
        "--hold",
        type=float,
        default=50.0,
        help="seconds that a call waits for people, before it answers that it is pending",
    )
    proxy.set_defaults(run=run_proxy, takes_command=True)


def run_tools(options: argparse.Namespace) -> int:
    asyncio.run(serve_tools(Connection.load()))
    return YES


def run_proxy(options: argparse.Namespace) -> int:
    if not options.command:
        raise ParaphError("Name the MCP server's command after --.")
    tools = [name.strip() for name in options.tools.split(",") if name.strip()]
    effects = dict(pair.split("=", 1) for pair in options.effect if "=" in pair)
    if not tools or len(effects) != len(options.effect):
        raise ParaphError("Write --tools NAME,NAME and --effect TOOL=EFFECT.")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="paraph: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wrapped = Options(options.command, tools, options.server, effects, options.hold)
    client = AsyncClient()
    if not client.connection.project:
        raise ParaphError("There is no project: set PARAPH_PROJECT.")
    try:
        return asyncio.run(serve_proxy(wrapped, client))
    except OSError as error:
        raise ParaphError(f"{options.command[0]} could not be started: {error}") from error
