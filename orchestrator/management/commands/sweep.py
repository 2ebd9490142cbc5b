from typing import Any

from django.core.management.base import BaseCommand

from audit.request_context import origin
from orchestrator.engine.sweep import sweep


class Command(BaseCommand):
    help = "One round of recovery, as the scheduler runs it every second. Safe to run at any time."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        with origin(channel="sweep"):
            repaired = sweep()
        for name, count in repaired.items():
            self.stdout.write(f"{name}: {count}")
