from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.invariants import check
from projects.models import Project


class Command(BaseCommand):
    help = "Checks what must hold whatever has happened; exit status 1 where something does not."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("projects", nargs="*", type=UUID, help="All where left out.")
        parser.add_argument(
            "--histories", type=Path, metavar="DIR", help="what clients have written down"
        )
        parser.add_argument(
            "--settled", action="store_true", help="nothing may be under way any more"
        )

    def handle(
        self, *, projects: list[UUID], histories: Path | None, settled: bool, **options: Any
    ) -> None:
        if histories is not None and not histories.is_dir():
            raise CommandError(f"{histories} is not a folder.", returncode=2)
        known = set(Project.objects.filter(pk__in=projects).values_list("pk", flat=True))
        if unknown := [str(pk) for pk in projects if pk not in known]:
            raise CommandError(f"There is no project {', '.join(unknown)}.", returncode=2)
        found = 0
        for violation in check(
            project_ids=set(projects) or None, histories=histories, is_settled=settled
        ):
            found += 1
            self.stdout.write(str(violation))
        if found:
            raise CommandError(f"{found} violations.")
        self.stdout.write("Everything holds.")
