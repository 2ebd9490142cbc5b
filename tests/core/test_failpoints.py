"""A fault point kills the process that comes by, and costs nothing where none is allowed."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from core import failpoints

PASS_BY_THREE_TIMES = textwrap.dedent("""
    import sys
    from django.conf import settings
    settings.configure(FAILPOINTS_ALLOWED=sys.argv[1] == "allowed")
    from core.failpoints import failpoint
    for number in range(3):
        print(number, flush=True)
        failpoint("after_claim")
""")


def passed_by(allowed: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", PASS_BY_THREE_TIMES, allowed]
    environment = os.environ | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_the_process_dies_at_the_point_when_it_comes_by_for_the_nth_time():
    done = passed_by("allowed", FAULT="after_claim:2")

    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1"]


def test_another_point_kills_nobody():
    assert passed_by("allowed", FAULT="before_commit:1").returncode == 0


def test_without_the_setting_the_variable_does_nothing():
    assert passed_by("forbidden", FAULT="after_claim:1").returncode == 0


def test_a_point_that_there_is_not_stops_the_start():
    done = passed_by("allowed", FAULT="before_lunch:1")

    assert done.returncode == 1
    assert "there is no failpoint 'before_lunch'" in done.stderr


def test_with_tokens_only_who_takes_one_dies(tmp_path):
    alive = passed_by("allowed", FAULT="after_claim", FAULT_TOKENS=str(tmp_path))
    (tmp_path / "after_claim").write_text("kill")
    dead = passed_by("allowed", FAULT="after_claim", FAULT_TOKENS=str(tmp_path))
    alive_again = passed_by("allowed", FAULT="after_claim", FAULT_TOKENS=str(tmp_path))

    outcomes = [one.returncode for one in (alive, dead, alive_again)]
    assert outcomes == [0, -signal.SIGKILL, 0]


@pytest.mark.skipif("FAULT" in os.environ, reason="faults are asked for")
def test_the_product_itself_has_an_empty_function_there():
    assert failpoints.failpoint is failpoints._nothing
