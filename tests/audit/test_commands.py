import io
import json
import os
import signal
import subprocess
import sys
import uuid

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from tests.databases import administrator
from tests.fixtures import note_people
from tests.live import WebServer, bounded, test_database_url, token_of, write

pytestmark = pytest.mark.django_db(transaction=True)


def run_events(web_server: WebServer, *arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "django", "events", *arguments],
        env=os.environ
        | {"DATABASE_URL": test_database_url(), "PARAPH_URL": web_server.url}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_events_prints_what_is_there(web_server: WebServer, project, viewer, monkeypatch, capsys):
    monkeypatch.setenv("PARAPH_URL", web_server.url)
    monkeypatch.setenv("PARAPH_TOKEN", token_of(viewer))
    head = write(project.pk, 2)

    call_command("events", str(project.pk), "--json")

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, head + 1))


@pytest.mark.slow
def test_events_follows_on_as_a_user_of_this_machine(web_server: WebServer, project, viewer):
    head = write(project.pk)

    following = run_events(
        web_server, str(project.pk), "--follow", "--after", str(head - 1), "--user", "viewer"
    )
    first = following.stdout.readline()
    write(project.pk, source="later")
    second = following.stdout.readline()
    following.send_signal(signal.SIGINT)
    following.wait(20)

    assert first.split()[0] == str(head)
    assert second.split()[0] == str(head + 1)
    assert "source=later" in second
    assert following.returncode == 0


@pytest.mark.slow
def test_events_goes_on_after_the_server_was_killed(mortal, project, viewer):
    head = write(project.pk)
    command = [sys.executable, "-m", "django", "events", str(project.pk), "--follow", "--json"]
    environment = {"DATABASE_URL": test_database_url(), "PARAPH_URL": mortal.url}
    environment["PARAPH_TOKEN"] = token_of(viewer)
    sequences = []
    with bounded(command, seconds=60, **environment) as following:
        for line in following.stdout:
            sequences.append(json.loads(line)["sequence"])
            if sequences[-1] == head:
                mortal.kill()
                write(project.pk, 4)
                mortal.start()
            elif sequences[-1] == head + 4:
                write(project.pk, 4)
            elif sequences[-1] == head + 8:
                break

    assert sequences == list(range(1, head + 9))


def test_events_of_a_project_that_one_may_not_see(
    web_server: WebServer, project, outsider, monkeypatch
):
    monkeypatch.setenv("PARAPH_URL", web_server.url)

    with pytest.raises(CommandError, match="no such project"):
        call_command("events", str(project.pk), "--user", "outsider")


def test_verify_audit_says_that_all_is_well(project, make_project):
    make_project()
    note_people()
    output = io.StringIO()

    call_command("verify_audit", stdout=output)

    assert "3 audit trails verified" in output.getvalue()


def test_verify_audit_names_the_first_broken_sequence(project):
    write(project.pk, 3)
    tamper(
        "UPDATE event_log SET data = '{\"number\": 9}' WHERE project = %s AND sequence = 5", project
    )
    errors = io.StringIO()

    with pytest.raises(CommandError):
        call_command("verify_audit", str(project.pk), stderr=errors)

    assert "broken at sequence 5" in errors.getvalue()


def test_verify_audit_notices_that_the_end_is_gone(project):
    assert write(project.pk, 3) == 6
    tamper("DELETE FROM event_log WHERE project = %s AND sequence = 6", project)
    errors = io.StringIO()

    with pytest.raises(CommandError):
        call_command("verify_audit", stderr=errors)

    assert "broken at sequence 6" in errors.getvalue()


def test_verify_audit_notices_that_the_head_is_gone(project):
    tamper("DELETE FROM event_streams WHERE project = %s", project)
    errors = io.StringIO()

    with pytest.raises(CommandError):
        call_command("verify_audit", stderr=errors)

    assert "broken at sequence 1" in errors.getvalue()


def test_verify_audit_of_an_unknown_project():
    with pytest.raises(CommandError, match="no audit trail"):
        call_command("verify_audit", str(uuid.uuid4()))


def tamper(statement: str, project) -> None:
    """As only the database's owner can, past the triggers."""
    owner = administrator()
    owner.execute("SET session_replication_role = replica")
    owner.execute(statement, [project.pk])
    owner.execute("SET session_replication_role = origin")
    assert Event.rows.filter(project=project.pk).exists()


@pytest.mark.parametrize("url", ["xyz", "ws://host", "http://", "http://host:port"])
def test_a_server_that_cannot_be_one_is_refused_and_named(url, monkeypatch):
    monkeypatch.setenv("PARAPH_URL", url)

    with pytest.raises(CommandError, match=r"PARAPH_URL is .*Use http://host:port"):
        call_command("events", str(uuid.uuid4()), token="x")
