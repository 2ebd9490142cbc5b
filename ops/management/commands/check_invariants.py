from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.invariants import check
from projects.models import Project


class Command(BaseCommand):
    help = "Checks what must hold whatever has happened; exit status 1 if something does not."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("projects", nargs="*", type=UUID, help="all projects if left out")
        parser.add_argument("--histories", type=Path, metavar="DIR", help="what clients wrote down")
        parser.add_argument(
            "--settled", action="store_true", help="also check that nothing is under way"
        )

    def handle(
        self, *, projects: list[UUID], histories: Path | None, settled: bool, **options: Any
    ) -> None:
        if histories is not None and not histories.is_dir():
            raise CommandError(f"{histories} is not a folder.", returncode=2)
        existing = set(Project.objects.filter(pk__in=projects).values_list("pk", flat=True))
        if unknown := [str(pk) for pk in projects if pk not in existing]:
            raise CommandError(f"There is no project {', '.join(unknown)}.", returncode=2)
        violations = 0
        for violation in check(
            project_ids=set(projects) or None, histories=histories, is_settled=settled
        ):
            violations += 1
            self.stdout.write(str(violation))
        if violations:
            raise CommandError(f"{violations} violations.")
        self.stdout.write("Everything holds.")
