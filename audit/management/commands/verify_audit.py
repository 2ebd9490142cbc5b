from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.installation import INSTALLATION
from audit.models import Event, Stream
from audit.verification import verify_stream


class Command(BaseCommand):
    help = "Recompute the hash chain of the audit trail; exit status 1 where it is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", type=UUID, help="All projects where left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        project, known = options["project"], projects_with_a_trail()
        if project and project not in known:
            raise CommandError(f"There is no audit trail of a project {project}.")
        results = [self.verify(project_id) for project_id in ([project] if project else known)]
        if not all(results):
            raise CommandError(f"{results.count(False)} of {len(results)} audit trails are broken.")
        self.stdout.write(f"{len(results)} audit trails verified.")

    def verify(self, project_id: UUID) -> bool:
        result = verify_stream(project_id)
        name = "The installation" if project_id == INSTALLATION else project_id
        if result.valid:
            erased = f", {result.erased} of them erased" if result.erased else ""
            self.stdout.write(f"{name}: {result.events} events{erased}, {result.head_hash[:16]}")
        else:
            strays = f", {result.beyond_head} rows are in no chain" if result.beyond_head else ""
            self.stderr.write(
                f"{name}: broken at sequence {result.first_broken_sequence} "
                f"(head {result.head_sequence}){strays}"
            )
        return result.valid


def projects_with_a_trail() -> list[UUID]:
    """Those with events count even where the head's row is gone."""
    heads = Stream.objects.values_list("project", flat=True)
    return sorted(heads.union(Event.rows.values_list("project", flat=True)))
