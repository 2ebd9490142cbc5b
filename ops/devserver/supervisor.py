"""Keeps the children running, and stops them in order."""

import os
import signal
import time
from collections.abc import Callable

from ops.devserver import DevServerError
from ops.devserver.children import Child, rotate
from ops.devserver.reserve import Reserve

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESTART_SECONDS = (1, 2, 4, 8, 15, 30)
# After running this long, a child is restarted quickly again.
STEADY_SECONDS = 60
# Two signals closer than this are one Ctrl-C that came twice.
SECOND_STOP_SECONDS = 0.5
TICK_SECONDS = 0.1
# Whoever did not look for longer than this cannot tell who has hung meanwhile.
AWAY_SECONDS = 5


class StopRequested(Exception):
    """By a signal, or because the parent has ended."""


class Supervisor:
    def __init__(self, report: Callable[[str], None], *, stop_with_parent: bool = False) -> None:
        self.report = report
        self.children: dict[str, Child] = {}
        self.parent = os.getppid() if stop_with_parent else None
        self.stop_requests = 0
        self._last_request = 0.0
        self._tended_at = time.monotonic()
        self.reserve: Reserve | None = None

    def handle_signals(self) -> None:
        """The handlers only count; `pause` acts on it, so no start is ever cut in half."""

        def count(*_: object) -> None:
            now = time.monotonic()
            if not self.stop_requests or now - self._last_request > SECOND_STOP_SECONDS:
                self._last_request = now
                self.stop_requests += 1

        for number in STOP_SIGNALS:
            # Under nohup a closed terminal is no reason to stop.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, count)

    def pause(self, seconds: float) -> None:
        """Raises StopRequested as soon as somebody wants everything to stop."""
        deadline = time.monotonic() + seconds
        while True:
            if self.stop_requests or (self.parent and os.getppid() != self.parent):
                raise StopRequested
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            time.sleep(min(remaining, TICK_SECONDS))

    def add(self, child: Child) -> None:
        """Takes charge of a child; starts it when it is not running."""
        if not child.is_running():
            child.start()
        self.children[child.name] = child

    def run(self) -> None:
        """Until StopRequested is raised."""
        while True:
            self.tend()
            self.pause(1)

    def tend(self) -> None:
        """Starts again what has ended or hung, and passes on errors in the logs."""
        now = time.monotonic()
        if self.reserve and self.reserve.tend():
            # What ended for want of space need not wait any longer.
            for child in self.children.values():
                child.restart_at = now if child.restart_at is not None else None
        was_away = now - self._tended_at > AWAY_SECONDS
        for child in self.children.values():
            rotate(child.log)
            if was_away and child.heartbeats:
                child.heartbeats.forgive()
            if child.has_hung():
                # It would not hear a signal that asks.
                child.kill()
                child.restart_at = now
                self.report(
                    f"{child.name} hung: no sign of life; starting it again. See {child.log}"
                )
            if not child.is_running():
                child.kill()
            if child.restart_at is not None:
                if now >= child.restart_at:
                    self.start_again(child)
            elif not child.is_running():
                if now - child.started_at > STEADY_SECONDS:
                    child.failures = 0
                delay = RESTART_SECONDS[min(child.failures, len(RESTART_SECONDS) - 1)]
                child.failures += 1
                child.restart_at = now + delay
                code = child.process.returncode
                cause = (
                    f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
                )
                self.report(
                    f"{child.name} ended by itself ({cause}); "
                    f"starting it again in {delay} s. See {child.log}"
                )
            for line in child.errors.read():
                self.report(f"{child.name}: {line}")
        self._tended_at = time.monotonic()

    def start_again(self, child: Child) -> None:
        """What keeps it from starting, such as a full disk, may pass."""
        try:
            child.start()
        except (DevServerError, OSError) as error:
            child.restart_at = time.monotonic() + RESTART_SECONDS[1]
            self.report(f"{child.name} cannot be started: {error}")

    def stop(self, *names: str) -> None:
        """Asks these children together and waits for each; a second request to stop kills them."""
        children = [self.children[name] for name in names if name in self.children]
        stopped_at = time.monotonic()
        for child in children:
            child.request_stop()
        for child in children:
            while child.is_running() and time.monotonic() - stopped_at < child.stop_seconds:
                if self.stop_requests > 1:
                    break
                time.sleep(TICK_SECONDS / 2)
            child.kill()
