from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.models import EmergencyStop
from agents.stops.services import acknowledge_stops
from agents.worker.registry import report_process
from tests.scenes import stop

pytestmark = pytest.mark.django_db


def command(*arguments: object, user: str = "staff") -> str:
    out = StringIO()
    call_command("emergency_stop", *map(str, arguments), f"--user={user}", stdout=out)
    return out.getvalue()


def test_everything_is_stopped_and_released(staff):
    assert command("activate", "--reason=Now").splitlines() == [
        "Stopped: all agents in all projects.",
        "no worker was there",
    ]
    assert EmergencyStop.objects.active().get().activated_by == staff

    assert command("release", "--reason=Over") == "Released: all agents in all projects.\n"
    assert not EmergencyStop.objects.active().exists()


def test_an_owner_stops_an_agent_of_the_own_project(project, owner):
    said = command(
        "activate", "--reason=Now", f"--project={project.pk}", "--agent-type=coder", user="owner"
    )

    assert said.startswith("Stopped: the agent coder in Library.")


def test_the_same_again_says_so(staff):
    command("activate", "--reason=Now")

    assert command("activate", "--reason=Again").startswith("Stopped already")
    command("release", "--reason=Over")
    assert command("release", "--reason=Again").startswith("Released already")


@pytest.mark.parametrize("verb", ["activate", "release"])
def test_who_may_not_is_told_why(project, viewer, verb):
    with pytest.raises(CommandError, match="role_too_low"):
        command(verb, "--reason=Now", f"--project={project.pk}", user="viewer")
    with pytest.raises(CommandError, match="permission_required"):
        command(verb, "--reason=Now", user="viewer")


def test_a_worker_that_does_not_acknowledge_is_named_and_the_stop_stands(staff):
    report_process("host:1:2")
    report_process("host:1:3")

    with pytest.raises(CommandError, match=r"Not acknowledged: host:1:2, host:1:3"):
        command("activate", "--reason=Now", "--wait=0.1")

    assert EmergencyStop.objects.get().is_active


def test_status_shows_who_stopped_what_why_and_how_fast(staff, owner, project):
    report_process("host:1:2")
    standing = stop(staff, reason="It deletes\nfiles.")
    acknowledge_stops("host:1:2", [standing.pk])

    (line,) = command("status").splitlines()

    assert "active all agents in all projects since" in line
    assert "by staff: It deletes files. [1 of 1 workers have stopped, the last after 0." in line


def test_status_shows_what_is_over_only_if_asked(staff):
    command("activate", "--reason=Now")
    command("release", "--reason=Over")

    assert command("status") == "Nothing is stopped.\n"
    assert command("status", "--all").startswith("released all agents")


@pytest.mark.parametrize("wanted", ["--project=x", "--agent-type=gardener"])
def test_what_makes_no_sense_is_refused(staff, wanted):
    with pytest.raises(CommandError):
        command("activate", "--reason=Now", wanted)
