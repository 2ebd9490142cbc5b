from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.actors import Actor
from audit.archive import erase_archived, write_archive
from audit.archive_verifier import Broken
from audit.checkpoints import NoCheckpoint, is_configured, make_checkpoint
from core.errors import DomainError
from projects.enums import ProjectStatus
from projects.models import Project
from projects.transaction import ProjectTransaction

FINISHED = (ProjectStatus.COMPLETED, ProjectStatus.FAILED, ProjectStatus.CANCELLED)


class Command(BaseCommand):
    help = "Writes the logs of finished projects to files that can be verified offline."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="an existing folder for the files")
        parser.add_argument("--project", type=UUID, help="only this project")
        parser.add_argument(
            "--older-than",
            type=int,
            default=0,
            metavar="DAYS",
            help="finished so long ago",
        )
        parser.add_argument(
            "--erase", action="store_true", help="then erase the payloads from the database"
        )

    def handle(self, *, folder: Path, erase: bool, **options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        if erase and not is_configured():
            raise CommandError(
                "An archive counts only where a signed checkpoint vouches for it: set "
                "CHECKPOINT_DIR and CHECKPOINT_KEY_FILE before you erase."
            )
        if erase and Path(settings.ARCHIVE_DIR or "/nonexistent").resolve() != folder.resolve():
            raise CommandError(
                "Verification looks for the files in ARCHIVE_DIR: set it to the folder before you "
                "erase, and keep them there."
            )
        finished_before = timezone.now() - timedelta(days=options["older_than"])
        projects = Project.objects.filter(
            status__in=FINISHED, finished_at__lte=finished_before, erased_at__isnull=True
        ).order_by("pk")
        if options["project"]:
            projects = projects.filter(pk=options["project"])
            if not projects:
                raise CommandError(f"There is no finished project {options['project']}.")
        for project in projects:
            self.archive(project, folder, erase)

    def archive(self, project: Project, folder: Path, erase: bool) -> None:
        actor, erased = Actor.of_system("archive"), 0
        try:
            archive = write_archive(project.pk, folder)
            if archive and erase:
                make_checkpoint()
                with ProjectTransaction(project.pk, actor) as tx:
                    # It may have been rewound meanwhile.
                    if tx.project.status in FINISHED:
                        erased = erase_archived(archive, actor)
        except (Broken, DomainError, NoCheckpoint, OSError) as error:
            raise CommandError(f"{project.pk}: {error}") from error
        if archive is None:
            self.stdout.write(f"{project.pk}: nothing to archive")
            return
        erasure = f", {erased} payloads erased" if erase else ""
        self.stdout.write(f"{archive.path}: events {archive.first} to {archive.last}{erasure}")
