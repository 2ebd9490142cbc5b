"""Many who ask share one look, and a look that hangs holds up nobody twice."""

import threading
import time

import pytest

from ops.health.check import TIMEOUT_SECONDS, Check, Finding, Status, run_checks


@pytest.fixture
def long_fresh(monkeypatch):
    monkeypatch.setattr("ops.health.check.FRESH_SECONDS", 60.0)


def test_probes_that_come_together_share_one_run(long_fresh):
    runs = []

    def look():
        runs.append(1)
        time.sleep(0.05)
        return Finding()

    check = Check("shared", look)
    threads = [threading.Thread(target=run_checks, args=([check],)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(runs) == 1


def test_a_finding_is_kept_for_a_second_and_no_longer(long_fresh):
    runs = []
    check = Check("kept", lambda: runs.append(1) or Finding())

    run_checks([check])
    run_checks([check])
    check._began -= 60
    run_checks([check])

    assert len(runs) == 2


def test_checks_run_side_by_side():
    both = threading.Barrier(2, timeout=10)

    def meet():
        both.wait()
        return Finding()

    found = run_checks([Check("one", meet), Check("two", meet)])

    assert {one.status for one in found.values()} == {Status.HEALTHY}


def test_one_that_hangs_is_waited_for_once_and_never_doubled(stopwatch):
    release, runs = threading.Event(), []

    def hang():
        runs.append(1)
        release.wait(30)
        return Finding()

    check = Check("hanging", hang)
    first = run_checks([check])["hanging"]
    took = stopwatch.seconds()
    again = run_checks([check])["hanging"]
    release.set()

    assert (first.status, again.status) == (Status.UNHEALTHY, Status.UNHEALTHY)
    assert first.message == "no answer within 2 s"
    assert stopwatch.seconds() - took < TIMEOUT_SECONDS
    assert len(runs) == 1
