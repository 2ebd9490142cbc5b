import json
import os
import selectors
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from agents.protocols import PermanentError, TransientError
from agents.sandbox.files import written
from agents.sandbox.output import Excerpt
from agents.worker.cancellation import current_cancellation

JAIL = Path(__file__).with_name("jail")
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
OUTPUT_BYTES = 64 * 1024
DISK_MEGABYTES = 64
PIECE_BYTES = 64 * 1024
# The launcher keeps the time; this is how long it may take to start and to clean up.
GRACE_SECONDS = 20
END_SECONDS = 5
# All walls are Linux's; elsewhere nothing is run.
MODES = ("namespaces", "filters") if sys.platform == "linux" else ()


@dataclass(frozen=True)
class SandboxResult:
    """What a run was like. `exit_code` is negative for a signal, None where time ran out."""

    exit_code: int | None
    output: str
    timed_out: bool
    duration_ms: int
    isolation: dict[str, str]
    command: str


class _Unavailable(Exception):
    """This mode's walls cannot be put up here."""


def run_tests(
    files: Mapping[str, str],
    *,
    command: Sequence[str],
    timeout_seconds: float,
    memory_megabytes: int,
) -> SandboxResult:
    """Run `command` over the files in isolation; `python` is our own interpreter.

    Raises PermanentError (`sandbox_bad_path`, `sandbox_too_large`, `sandbox_unavailable`) or
    TransientError (`sandbox_failed`), and for work that was cancelled StopRequested or LeaseLost.
    A program that fails is a result, not an error.
    """
    if (cancellation := current_cancellation()) is not None:
        cancellation.check()
    asked = {
        "command": list(command),
        "timeout_seconds": timeout_seconds,
        "memory_megabytes": memory_megabytes,
    }
    refusals = []
    for mode in MODES:
        try:
            return run_in(mode, files, asked)
        except _Unavailable as refusal:
            refusals.append(f"{mode}: {refusal}")
    raise PermanentError("sandbox_unavailable", _remedy(refusals))


def run_in(mode: str, files: Mapping[str, str], asked: Mapping[str, object]) -> SandboxResult:
    """One run with one kind of walls."""
    with written(files) as folder:
        return _Run(mode, folder, asked).result()


def _remedy(refusals: Sequence[str]) -> str:
    why = "; ".join(refusals) or "not Linux"
    return (
        f"This machine offers no safe place to run a program ({why}). "
        "See docs/models.md, or set SANDBOX_ALLOW_NETWORK or SANDBOX_ALLOW_FILES to run without."
    )


def _interrupted_by(interrupt: Callable[[], object]) -> AbstractContextManager[None]:
    cancellation = current_cancellation()
    return nullcontext() if cancellation is None else cancellation.interrupted_by(interrupt)


class _Run:
    """One launcher process, from start to its last word."""

    def __init__(self, mode: str, folder: Path, asked: Mapping[str, object]) -> None:
        self.asked = asked
        self.output = Excerpt(OUTPUT_BYTES)
        self.words = Excerpt(OUTPUT_BYTES)
        self.config = {
            **asked,
            "mode": mode,
            "files": str(folder / "files"),
            "mount_point": str(folder / "root"),
            "disk_megabytes": DISK_MEGABYTES,
            "environment": ENVIRONMENT,
            "open_network": getattr(settings, "SANDBOX_ALLOW_NETWORK", False),
            "open_files": getattr(settings, "SANDBOX_ALLOW_FILES", False),
        }

    def result(self) -> SandboxResult:
        began = time.monotonic()
        self._talk()
        took = int((time.monotonic() - began) * 1000)
        said = self._said()
        return SandboxResult(
            exit_code=None if said["timed_out"] else said["exit_code"],
            output=self.output.text(),
            timed_out=said["timed_out"],
            duration_ms=took,
            isolation=said["isolation"],
            command=shlex.join(self.asked["command"]),
        )

    def _talk(self) -> None:
        heard, spoken = os.pipe()
        try:
            launcher = self._start(spoken)
        finally:
            os.close(spoken)
        with os.fdopen(heard, "rb", 0), launcher:
            try:
                self._hand_over(launcher, spoken)
                # The launcher takes the end of its input for the death of its caller.
                with _interrupted_by(launcher.stdin.close):
                    self._listen({launcher.stdout.fileno(): self.output, heard: self.words})
            finally:
                self._end(launcher)

    def _start(self, report: int) -> subprocess.Popen:
        """A fresh interpreter: nothing of this process, its threads or its memory goes along."""
        python = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
        return subprocess.Popen(
            [python, "-I", "-B", str(JAIL)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=[report],
            start_new_session=True,
            bufsize=0,
        )

    def _hand_over(self, launcher: subprocess.Popen, report: int) -> None:
        line = json.dumps({**self.config, "report": report}) + "\n"
        with suppress(BrokenPipeError):
            launcher.stdin.write(line.encode())

    def _listen(self, streams: Mapping[int, Excerpt]) -> None:
        """Until the launcher has closed both, or is overdue."""
        deadline = time.monotonic() + float(self.asked["timeout_seconds"]) + GRACE_SECONDS
        with selectors.DefaultSelector() as selector:
            for descriptor, excerpt in streams.items():
                selector.register(descriptor, selectors.EVENT_READ, excerpt)
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(deadline - time.monotonic()):
                    piece = os.read(key.fd, PIECE_BYTES)
                    key.data.add(piece)
                    if not piece:
                        selector.unregister(key.fd)

    def _end(self, launcher: subprocess.Popen) -> None:
        """It ends the program with all that it started; killed at once, it could not."""
        launcher.stdin.close()
        try:
            launcher.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            launcher.kill()

    def _said(self) -> dict:
        facts: dict = {"exit_code": None}
        for line in self.words.text().splitlines():
            facts |= json.loads(line)
        if "unavailable" in facts:
            raise _Unavailable(facts["unavailable"])
        if "isolation" not in facts or "timed_out" not in facts:
            raise TransientError("sandbox_failed", "The sandbox ended without a result.")
        return facts
