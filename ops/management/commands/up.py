import argparse
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.devserver import DevServerError, runtime
from ops.devserver.console import Console
from ops.devserver.data_dir import open_data_dir
from ops.devserver.dev_server import DevServer
from orchestrator.environment import with_secrets
from orchestrator.model_names import check_models


class Command(BaseCommand):
    help = "Runs everything on this machine until Ctrl-C: servers, workers, scheduler, web."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=port_number, default=8000, help="on 127.0.0.1; 0 takes a free one"
        )
        parser.add_argument(
            "--data-dir",
            type=Path,
            help="where everything is kept (default: DATA_DIR, else .data beside manage.py)",
        )
        parser.add_argument(
            "--stop-with-parent", action="store_true", help="stop when the calling process ends"
        )

    def handle(
        self, *, port: int, data_dir: Path | None, stop_with_parent: bool, **options: Any
    ) -> None:
        began = time.monotonic()
        # First of all: loading the settings reads `.env` and what an earlier start wrote down.
        check_models(settings)
        console = Console(settings.AGENT_MODELS)
        try:
            # Before the port is taken: a killed run may have left a web server that listens on it.
            data = open_data_dir(data_dir or runtime.default_data_dir(), report=console.warn)
            listener = listen(port)
        except DevServerError as error:
            raise CommandError(str(error)) from error
        needs = forget_supplied()
        console.starting(data.path, needs)
        server = DevServer(
            data,
            listener,
            needs=needs,
            environment=with_secrets(os.environ),
            console=console,
            extension="vector" if settings.SEMANTIC_SEARCH else "",
            disk_floor_mb=settings.DISK_FLOOR_MB,
            agent_concurrency=settings.AGENT_CONCURRENCY,
            sandbox_concurrency=settings.SANDBOX_CONCURRENCY,
            with_slack=bool(settings.SLACK_APP_TOKEN and settings.SLACK_BOT_TOKEN),
            stop_with_parent=stop_with_parent,
        )
        sys.exit(server.run(began))


def forget_supplied() -> set[str]:
    """The variables that nobody has set; their values from an earlier start are dropped."""
    for key in runtime.supplied:
        os.environ.pop(key, None)
    if "DATABASE_URL" in runtime.supplied:
        os.environ.pop(runtime.OWNER_KEY, None)
    return set(runtime.supplied)


def listen(port: int) -> socket.socket:
    """Takes the port before anything starts. Raises DevServerError when it is not free."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        raise DevServerError(
            f"Port {port} on 127.0.0.1 is not free ({error.strerror}). Stop what uses it, or "
            f"choose another port: make run PORT={port + 1} (manage.py up --port {port + 1})."
        ) from error
    return listener


def port_number(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port; use a number from 0 to 65535.")
