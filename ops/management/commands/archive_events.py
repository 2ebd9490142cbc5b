from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from audit.actors import Actor
from audit.archive import Archive, erase_archived, write_archive
from audit.archive_verifier import Broken
from core.errors import DomainError
from projects.enums import ProjectStatus
from projects.models import Project
from projects.transaction import ProjectTransaction

FINISHED = (ProjectStatus.COMPLETED, ProjectStatus.FAILED, ProjectStatus.CANCELLED)


class Command(BaseCommand):
    help = "Writes the logs of finished projects to files that can be verified offline."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where the files go; it must be there")
        parser.add_argument("--project", type=UUID, help="of this one only")
        parser.add_argument(
            "--older-than", type=int, default=0, metavar="DAYS", help="finished so long ago"
        )
        parser.add_argument(
            "--erase", action="store_true", help="then erase the payloads from the database"
        )

    def handle(self, *, folder: Path, erase: bool, **options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        found = self.wanted(options["project"], options["older_than"])
        if options["project"] and not found:
            raise CommandError(f"There is no finished project {options['project']}.")
        for project in found:
            self.archive(project, folder, erase)

    def wanted(self, project_id: UUID | None, days: int) -> QuerySet[Project]:
        finished_before = timezone.now() - timedelta(days=days)
        found = Project.objects.filter(
            status__in=FINISHED, finished_at__lte=finished_before, erased_at__isnull=True
        )
        return (found.filter(pk=project_id) if project_id else found).order_by("pk")

    def archive(self, project: Project, folder: Path, erase: bool) -> None:
        try:
            archive = write_archive(project.pk, folder)
            erased = _erase(archive) if archive and erase else 0
        except (Broken, DomainError, OSError) as error:
            raise CommandError(f"{project.pk}: {error}") from error
        if archive is None:
            self.stdout.write(f"{project.pk}: nothing to archive")
            return
        done = f", {erased} payloads erased" if erase else ""
        self.stdout.write(f"{archive.path}: events {archive.first} to {archive.last}{done}")


def _erase(archive: Archive) -> int:
    actor = Actor.of_system("archive")
    with ProjectTransaction(archive.project, actor) as tx:
        return erase_archived(archive, actor) if tx.project.status in FINISHED else 0
