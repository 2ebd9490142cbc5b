"""The probe of a container: alive while each loop of its process beats."""

import os
import subprocess
import time

import pytest

from core.heartbeat import SILENT_SECONDS
from ops.devserver.runtime import PROJECT_DIR

PROBE = ["sh", str(PROJECT_DIR / "ops" / "alive.sh")]


@pytest.fixture
def heart(tmp_path):
    return tmp_path / "heartbeat"


def probe(heart, *options):
    environment = os.environ | {"HEARTBEAT_FILE": str(heart)}
    asked = subprocess.run([*PROBE, *options], env=environment, capture_output=True, timeout=20)
    return asked.returncode


def let_pass(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_before_the_first_beat_nothing_lives(heart):
    assert probe(heart) == 1


def test_a_loop_that_beats_is_alive_and_announced_silence_is_no_death(heart):
    heart.touch()
    assert probe(heart) == 0
    let_pass(heart, -60)
    assert probe(heart) == 0


def test_one_silent_loop_is_enough(heart):
    heart.touch()
    other = heart.with_name("heartbeat.lease-keeper")
    other.touch()
    assert probe(heart) == 0
    let_pass(other, SILENT_SECONDS + 2)
    assert probe(heart) == 1


def test_what_hangs_is_ended_where_that_was_asked_for(heart):
    hanging = subprocess.Popen(["sleep", "600"])
    heart.write_text(str(hanging.pid))
    let_pass(heart, SILENT_SECONDS + 2)

    assert probe(heart) == 1
    assert hanging.poll() is None
    assert probe(heart, "--or-end") == 1
    assert hanging.wait(10) == -9
