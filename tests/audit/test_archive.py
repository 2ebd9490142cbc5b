"""A log in a file: verified by a program that shares nothing with the product but the format."""

import json
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from audit.actors import Actor
from audit.archive import erase_archived, write_archive
from audit.archive_verifier import Broken, verify
from audit.checkpoints import make_checkpoint
from audit.models import Event, Stream
from audit.rows import verify_rows
from audit.verification import verify_stream
from ops.devserver.runtime import PROJECT_DIR
from projects.models import Project
from projects.services import cancel_project
from tests.live import write

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

PROGRAM = PROJECT_DIR / "audit" / "archive_verifier.py"


@pytest.fixture
def finished(project, owner):
    write(project.pk, 3, who="J\u00e4nis \ue000 \U0001f600", nothing=None, numbers=[1, -2])
    return cancel_project(project_id=project.pk, actor=Actor.of_user(owner), reason="Enough.")


@pytest.fixture(autouse=True)
def folders(settings, tmp_path, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys")
    settings.ARCHIVE_DIR = str(tmp_path)
    settings.CHECKPOINT_DIR = str(keys / "checkpoints")
    settings.CHECKPOINT_KEY_FILE = str(keys / "key")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-I", PROGRAM, *arguments], capture_output=True, text=True, timeout=60
    )


def test_the_file_is_verified_by_a_program_on_its_own(finished, tmp_path):
    archive = write_archive(finished.pk, tmp_path)
    head = Stream.objects.get(project=finished.pk)

    done = run(archive.path, "--head", head.head_hash)

    assert done.returncode == 0, done.stderr
    assert f"events 1 to {head.sequence} hold, head {head.head_hash}" in done.stdout
    assert archive.path.stat().st_mode & 0o077 == 0


def change(line, **fields):
    return json.dumps(json.loads(line) | fields).encode()


@pytest.mark.parametrize(
    ("tamper", "complaint"),
    [
        (lambda lines: [*lines[:2], change(lines[2], actor="user:0"), *lines[3:]], "3 was changed"),
        (lambda lines: [*lines[:2], change(lines[2], data={}), *lines[3:]], "3 has other data"),
        (lambda lines: [*lines[:2], change(lines[2], salt="00" * 16), *lines[3:]], "3 has other"),
        (lambda lines: [*lines[:2], change(lines[2], salt=""), *lines[3:]], "erased and has data"),
        (
            lambda lines: [
                *lines[:2],
                change(lines[2], salt="", data={"erased": True}),
                *lines[3:],
            ],
            "event 3 has no data",
        ),
        (lambda lines: [*lines[:2], *lines[3:]], "follows 2"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "event 3 follows 1"),
        (lambda lines: [*lines[:2], b"{}", *lines[3:]], "line 3 is not an event"),
        (lambda lines: [*lines[:2], b"\xff", *lines[3:]], "line 3 is not an event"),
        (lambda lines: [], "no events"),
        (lambda lines: lines[:-1], "the last event is"),
    ],
)
def test_whatever_was_changed_is_found(finished, tmp_path, tamper, complaint):
    archive = write_archive(finished.pk, tmp_path)
    lines = tamper(archive.path.read_bytes().splitlines())

    with pytest.raises(Broken, match=complaint):
        verify(lines, archive.head_hash)


def test_what_was_archived_may_be_erased_and_the_log_goes_on(finished, tmp_path):
    first = write_archive(finished.pk, tmp_path)
    make_checkpoint()
    Project.objects.lock().get(pk=finished.pk)
    erased = erase_archived(first, Actor.of_system("archive"))
    write(finished.pk, 2)
    second = write_archive(finished.pk, tmp_path)

    result = verify_stream(finished.pk)
    assert (result.valid, result.erased) == (True, erased)
    assert (second.first, first.last) == (first.last + 1, erased)
    assert verify(first.path.read_bytes().splitlines()).erased == 0
    assert run(first.path, second.path).returncode == 0
    assert run(second.path, first.path).returncode == 1
    assert "is not in these files" in run(second.path).stdout
    said = Event.objects.get(project=finished.pk, event_type="events_archived").data
    assert (said["sha256"], said["through"]) == (first.sha256, first.last)


def test_an_archive_counts_only_with_its_file_and_a_checkpoint(finished, tmp_path, settings):
    Project.objects.lock().get(pk=finished.pk)
    archive = write_archive(finished.pk, tmp_path)
    erase_archived(archive, Actor.of_system("archive"))
    assert verify_stream(finished.pk).first_broken_sequence == 1

    make_checkpoint()
    assert verify_stream(finished.pk).valid

    content = archive.path.read_bytes()
    archive.path.write_bytes(content.replace(b"J\xc3\xa4nis", b"Somebody"))
    assert not verify_stream(finished.pk).valid
    archive.path.write_bytes(content)
    settings.ARCHIVE_DIR = ""
    assert not verify_stream(finished.pk).valid


def test_rows_are_held_against_what_was_archived(finished, tmp_path):
    call_command("archive_events", tmp_path, "--erase")
    assert not verify_rows(finished.pk).problems
    assert not [found for found in verify_rows().problems if found.project == finished.pk]

    Project.objects.update(oversight_level="low")

    problem = "project: its oversight is low, not high"
    assert problem in map(str, verify_rows(finished.pk).problems)
    assert problem in map(str, verify_rows().problems)


def test_nothing_is_erased_that_would_not_count(finished, tmp_path, settings):
    settings.ARCHIVE_DIR = ""
    with pytest.raises(CommandError, match="ARCHIVE_DIR"):
        call_command("archive_events", tmp_path, "--erase")
    settings.CHECKPOINT_DIR = ""
    with pytest.raises(CommandError, match="CHECKPOINT_DIR"):
        call_command("archive_events", tmp_path, "--erase")


def test_the_command_archives_what_is_finished(finished, tmp_path, make_project, capsys):
    make_project(name="Still going")

    call_command("archive_events", tmp_path, "--erase")
    call_command("verify_archive", *sorted(tmp_path.iterdir()))
    call_command("verify_audit", finished.pk)

    assert len(list(tmp_path.iterdir())) == 1
    assert "payloads erased" in capsys.readouterr().out


def test_the_command_says_what_it_cannot_do(finished, make_project, tmp_path):
    with pytest.raises(CommandError, match="not a folder"):
        call_command("archive_events", tmp_path / "nowhere")
    with pytest.raises(CommandError, match="no finished project"):
        call_command("archive_events", tmp_path, "--project", make_project().pk)
    (tmp_path / "bad").write_text("{}")
    with pytest.raises(SystemExit):
        call_command("verify_archive", tmp_path / "bad")
