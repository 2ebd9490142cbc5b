"""What `up` prints for the person who typed it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.console
from rich.markup import escape


class Console:
    """Prints nothing, and raises nothing, once the terminal is gone."""

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
        name = first_start["username"]
        if first_start["is_new"]:
            password = first_start["password"]
            login = {
                "Login": name,
                "Password": f"{password} (shown only now)" if password else "see ADMIN_PASSWORD",
                "API token": f"{first_start['token']} (header: Authorization: Token ...)",
            }
        else:
            login = {
                "Login": f"{name} (forgotten the password? manage.py changepassword {name})",
                "API token": f"manage.py create_token {name} makes one",
            }
        models = json.dumps(dict(self.models))
        if len(set(self.models.values())) == 1:
            models = next(iter(self.models.values()))
        if models == "demo":
            models = "demo, which builds nothing (to connect one that does: docs/models.md)"
        rows = {
            "Admin": f"{base_url}/admin/",
            "API": f"{base_url}/api/v1/ (documentation: {base_url}/api/docs/)",
            **login,
            "Models": models,
            "Logs": str(data_dir / "logs"),
        }
        self.print(f"\n[bold green]Ready[/] after {seconds:.1f} s: [bold]{base_url}[/]\n")
        for label, value in rows.items():
            self.print(f"  [dim]{label:<9}[/] {escape(value)}")
        self.print("\nCtrl-C stops everything.\n")

    def stopping(self) -> None:
        self.print("Stopping. Running work is handed back; press Ctrl-C again to hurry.")

    def stopped(self) -> None:
        self.print("Stopped.")
