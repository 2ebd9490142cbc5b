from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.checkpoints import (
    LATEST,
    NoCheckpoint,
    is_configured,
    latest_signed,
    public_key,
    verify_tree,
)
from audit.installation import INSTALLATION
from audit.models import Event, Leaf, Stream
from audit.notes import BadNote, SignedTree, Verifier
from audit.rows import verify_rows
from audit.timestamps import SUFFIX, NoStamp, verify_stamp
from audit.verification import verify_stream


class Command(BaseCommand):
    help = (
        "Recompute the hash chain of the audit trail, hold it against the last checkpoint of "
        "CHECKPOINT_DIR, or the one that is named, and other tables against it; exit status 1 "
        "where something does not hold."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", type=UUID, help="All projects where left out.")
        parser.add_argument(
            "--checkpoint", type=Path, metavar="FILE", help="a signed checkpoint that you have kept"
        )
        parser.add_argument(
            "--key", metavar="KEY", help="the public key, NAME+ID+KEY; else that of this machine"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project, known = options["project"], projects_with_a_trail()
        # First: without its tree, a chain may be one that somebody computed anew.
        is_signed = self.verify_tree(options["checkpoint"], options["key"])
        if project and project not in known:
            raise CommandError(f"There is no audit trail of a project {project}.")
        results = [self.verify(project_id) for project_id in ([project] if project else known)]
        rows = verify_rows(project)
        for problem in rows.problems:
            where = "the installation" if problem.project == INSTALLATION else problem.project
            self.stderr.write(f"{where}: {problem}")
        if not all(results):
            raise CommandError(f"{results.count(False)} of {len(results)} audit trails are broken.")
        if not is_signed:
            raise CommandError("The log is not the one that was signed.")
        if rows.differing:
            raise CommandError(f"{rows.differing} rows are not what the log says.")
        self.stdout.write(f"{rows.checked} rows are as the log says.")
        self.stdout.write(f"{len(results)} audit trails verified.")

    def verify_tree(self, file: Path | None, key: str | None) -> bool:
        try:
            verifier = Verifier.parse(key) if key else None
            if file is not None:
                signed = SignedTree.parse(file.read_text(), verifier or public_key())
            elif not is_configured():
                self.stdout.write("No checkpoint: CHECKPOINT_DIR is not set.")
                return True
            elif (signed := latest_signed(verifier or public_key())) is None:
                self.stdout.write("No checkpoint has been made yet.")
                return True
        except (OSError, UnicodeDecodeError, BadNote, NoCheckpoint) as error:
            raise CommandError(str(error)) from error
        result = verify_tree(signed)
        if result.problem:
            self.stderr.write(f"checkpoint of {result.size} events: {result.problem}")
        else:
            self.stdout.write(f"checkpoint of {result.size} events by {signed.origin}: it holds")
        file = file or Path(settings.CHECKPOINT_DIR) / LATEST
        return self.verify_stamp(file) and not result.problem

    def verify_stamp(self, note: Path) -> bool:
        """Where there is one beside the checkpoint, or there should be."""
        stamp, roots = note.with_suffix(SUFFIX), settings.CHECKPOINT_TSA_ROOTS
        if not stamp.exists():
            if settings.CHECKPOINT_TSA_URL:
                self.stdout.write(f"No time stamp beside {note.name}.")
        elif not roots:
            text = f"Time stamp not verified: CHECKPOINT_TSA_ROOTS is not set ({stamp.name})."
            self.stdout.write(text)
        else:
            try:
                at = verify_stamp(stamp, note.read_text(), Path(roots))
            except NoStamp as error:
                self.stderr.write(f"time stamp {stamp.name}: {error}")
                return False
            self.stdout.write(f"time stamp: it was there on {at:%Y-%m-%d at %H:%M:%S} UTC")
        return True

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
    """Those with events, or leaves, count even where the head's row is gone."""
    heads, rows, leaves = (
        query.values_list("project", flat=True)
        for query in (Stream.objects, Event.rows, Leaf.objects)
    )
    return sorted(heads.union(rows, leaves))
