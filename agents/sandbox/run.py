import json
import os
import selectors
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from agents.protocols import PermanentError, TransientError
from agents.sandbox.files import program_folder
from agents.worker.cancellation import current_cancellation
from core.database import release_connection

JAIL = Path(__file__).with_name("jail")
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
OUTPUT_BYTES = 64 * 1024
DISK_MEGABYTES = 64
PIECE_BYTES = 64 * 1024
# The launcher keeps the time; this is how long it may take to start and to clean up.
GRACE_SECONDS = 20
END_SECONDS = 5
# How often work that waits for its turn looks whether it was cancelled.
LOOK_SECONDS = 0.2
# Both modes need Linux; elsewhere nothing is run.
MODES = ("namespaces", "filters") if sys.platform == "linux" else ()


@dataclass(frozen=True)
class SandboxResult:
    """`exit_code` is negative for a signal, and None where time ran out."""

    exit_code: int | None
    output: str
    timed_out: bool
    duration_ms: int
    isolation: dict[str, str]
    command: str


class BoundedOutput:
    """Reads all of a stream, and keeps at most `limit` bytes: its first and its last part."""

    def __init__(self, limit: int) -> None:
        self.half = limit // 2
        self.total = 0
        self.first = bytearray()
        self.last = bytearray()

    def add(self, piece: bytes) -> None:
        self.total += len(piece)
        room = self.half - len(self.first)
        self.first += piece[:room]
        self.last += piece[room:]
        del self.last[: max(0, len(self.last) - self.half)]

    def text(self) -> str:
        """The text, marked where something is left out, without NUL: no database takes it."""
        left_out = self.total - len(self.first) - len(self.last)
        mark = f"\n[... {left_out} bytes left out ...]\n" if left_out else ""
        # Only without a mark may a character reach from one part into the other.
        parts = (self.first, self.last) if mark else (self.first + self.last,)
        text = mark.join(part.decode(errors="replace") for part in parts)
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Unavailable(Exception):
    """This mode of isolation does not work on this machine."""


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
    request = {
        "command": list(command),
        "timeout_seconds": timeout_seconds,
        "memory_megabytes": memory_megabytes,
    }
    refusals = []
    for mode in MODES:
        try:
            return run_in(mode, files, request)
        except _Unavailable as refusal:
            refusals.append(f"{mode}: {refusal}")
    reasons = "; ".join(refusals) or "not Linux"
    raise PermanentError(
        "sandbox_unavailable",
        f"This machine offers no safe place to run a program ({reasons}). "
        "See docs/models.md, or set SANDBOX_ALLOW_NETWORK or SANDBOX_ALLOW_FILES to run without.",
    )


def run_in(mode: str, files: Mapping[str, str], request: Mapping[str, object]) -> SandboxResult:
    """One run, isolated in one way."""
    release_connection()
    with a_place(), program_folder(files) as folder:
        return _Run(mode, folder, request).result()


@contextmanager
def a_place() -> Iterator[None]:
    """Among the programs that run at once. Raises as `run_tests` for work that was cancelled."""
    cancellation = current_cancellation()
    while not _places.acquire(timeout=LOOK_SECONDS):
        if cancellation is not None:
            cancellation.raise_if_requested()
    try:
        yield
    finally:
        _places.release()


def _renew_places() -> None:
    global _places
    _places = threading.BoundedSemaphore(settings.SANDBOX_CONCURRENCY)


_renew_places()
# A forked child has none of the threads that held a place.
os.register_at_fork(after_in_child=_renew_places)


class _Run:
    """One launcher process, from its start to its report."""

    def __init__(self, mode: str, folder: Path, request: Mapping[str, object]) -> None:
        self.request = request
        self.output = BoundedOutput(OUTPUT_BYTES)
        self.report = BoundedOutput(OUTPUT_BYTES)
        self.config = {
            **request,
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
        self._run_launcher()
        duration_ms = int((time.monotonic() - began) * 1000)
        facts: dict = {"exit_code": None}
        for line in self.report.text().splitlines():
            facts |= json.loads(line)
        if "unavailable" in facts:
            raise _Unavailable(facts["unavailable"])
        if "isolation" not in facts or "timed_out" not in facts:
            raise TransientError("sandbox_failed", "The sandbox ended without a result.")
        return SandboxResult(
            exit_code=None if facts["timed_out"] else facts["exit_code"],
            output=self.output.text(),
            timed_out=facts["timed_out"],
            duration_ms=duration_ms,
            isolation=facts["isolation"],
            command=shlex.join(self.request["command"]),
        )

    def _run_launcher(self) -> None:
        """In a fresh interpreter, which inherits nothing of this process, its threads or memory."""
        python = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
        report_read, report_write = os.pipe()
        try:
            launcher = subprocess.Popen(
                [python, "-I", "-B", str(JAIL)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=[report_write],
                start_new_session=True,
                bufsize=0,
            )
        finally:
            os.close(report_write)
        with os.fdopen(report_read, "rb", 0), launcher:
            try:
                with suppress(BrokenPipeError):
                    config = json.dumps({**self.config, "report": report_write})
                    launcher.stdin.write(config.encode() + b"\n")
                # The launcher takes the end of its input for the death of its caller.
                interrupt, cancellation = launcher.stdin.close, current_cancellation()
                with cancellation.interrupted_by(interrupt) if cancellation else nullcontext():
                    self._read({launcher.stdout.fileno(): self.output, report_read: self.report})
            finally:
                # It ends the program with all that it started; killed at once, it could not.
                launcher.stdin.close()
                try:
                    launcher.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    launcher.kill()

    def _read(self, streams: Mapping[int, BoundedOutput]) -> None:
        """Until the launcher has closed both, or is overdue."""
        deadline = time.monotonic() + float(self.request["timeout_seconds"]) + GRACE_SECONDS
        with selectors.DefaultSelector() as selector:
            for descriptor, output in streams.items():
                selector.register(descriptor, selectors.EVENT_READ, output)
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(deadline - time.monotonic()):
                    piece = os.read(key.fd, PIECE_BYTES)
                    key.data.add(piece)
                    if not piece:
                        selector.unregister(key.fd)
