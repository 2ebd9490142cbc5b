"""A burst reaches a fast and a slow reader. `STREAM_SEED` varies the slow one's pauses."""

import os
import random
import threading
import time

import pytest

from tests.live import WebServer, burst, events, hear_until

pytestmark = pytest.mark.django_db(transaction=True)

SEED = int(os.environ.get("STREAM_SEED", "1"))
BURST = 10_000
LIMIT_SECONDS = 60


class Reader(threading.Thread):
    """Reads to the end; a slow one stops now and then."""

    def __init__(self, socket, up_to: int, pauses: list[float]) -> None:
        super().__init__(daemon=True)
        self.socket, self.up_to, self.pauses = socket, up_to, pauses
        self.sequences: list[int] = []
        self.start()

    def run(self) -> None:
        for frame in events(self.socket, self.up_to):
            self.sequences.append(frame["sequence"])
            if self.pauses and frame["sequence"] % 500 == 0:
                time.sleep(self.pauses.pop())


def test_a_burst_reaches_a_fast_and_a_slow_reader_once_and_in_order(
    web_server: WebServer, project, viewer
):
    chance = random.Random(SEED)
    pauses = [chance.uniform(0, 0.2) for _ in range(BURST // 500 + 1)]
    with (
        web_server.follow(project.pk, viewer) as fast,
        web_server.follow(project.pk, viewer, ping_interval=None) as slow,
    ):
        head = hear_until(fast, "caught_up")[-1]["sequence"]
        hear_until(slow, "caught_up")
        readers = [Reader(fast, head + BURST, []), Reader(slow, head + BURST, pauses)]
        burst(project.pk, batches=BURST // 250, size=250, padding="x" * 200)
        limit = time.monotonic() + LIMIT_SECONDS
        for reader in readers:
            reader.join(max(0, limit - time.monotonic()))

    for reader in readers:
        assert not reader.is_alive(), f"seed {SEED}"
        assert reader.sequences == list(range(head + 1, head + BURST + 1))
