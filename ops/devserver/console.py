"""What `up` prints for the person who typed it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.console
from rich.markup import escape


class Console:
    """Goes on when the terminal is gone."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self.models = models
        self.out = rich.console.Console(highlight=False, soft_wrap=True)

    def print(self, text: str) -> None:
        try:
            self.out.print(text)
        except OSError:
            pass

    def starting(self, data_dir: Path, needs: set[str]) -> None:
        kinds = {"DATABASE_URL": "PostgreSQL", "REDIS_URL": "Redis"}
        own = " and ".join(kind for key, kind in kinds.items() if key in needs)
        servers = f"with its own {own}" if own else "on DATABASE_URL and REDIS_URL"
        self.print(f"Paraph starts {servers}. Data: {escape(str(data_dir))}")

    def warn(self, text: str) -> None:
        self.print(f"[yellow]![/] {escape(text)}")

    def error(self, text: str) -> None:
        self.print(f"[red]Error:[/] {escape(text)}")

    def ready(
        self, base_url: str, data_dir: Path, first_start: Mapping[str, Any], seconds: float
    ) -> None:
        rows = {
            "Admin": f"{base_url}/admin/",
            "API": f"{base_url}/api/v1/ (documentation: {base_url}/api/docs/)",
            **_login(first_start),
            "Models": _served_by(self.models),
            "Logs": str(data_dir / "logs"),
        }
        self.print(f"\n[bold green]Ready[/] after {seconds:.1f} s: [bold]{base_url}[/]\n")
        for name, value in rows.items():
            self.print(f"  [dim]{name:<9}[/] {escape(value)}")
        self.print("\nCtrl-C stops everything.\n")

    def stopping(self) -> None:
        self.print("Stopping. Running work is handed back; Ctrl-C again hastens it.")

    def stopped(self) -> None:
        self.print("Stopped.")


def _login(first_start: Mapping[str, Any]) -> dict[str, str]:
    name = first_start["username"]
    if not first_start["is_new"]:
        return {
            "Login": f"{name} (forgotten the password? manage.py changepassword {name})",
            "API token": f"manage.py drf_create_token {name} shows it",
        }
    password = first_start["password"]
    shown = f"{password} (shown only now)" if password else "the one in ADMIN_PASSWORD"
    return {
        "Login": name,
        "Password": shown,
        "API token": f"{first_start['token']} (header: Authorization: Token ...)",
    }


def _served_by(models: Mapping[str, str]) -> str:
    if set(models.values()) == {"demo"}:
        return "demo, which builds nothing (to connect one that does: docs/models.md)"
    if len(set(models.values())) == 1:
        return next(iter(models.values()))
    return json.dumps(dict(models))
