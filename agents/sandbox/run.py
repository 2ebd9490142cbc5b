import json
import os
import selectors
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from agents.protocols import PermanentError, TransientError
from agents.sandbox.files import program_folder
from agents.worker.cancellation import current_cancellation
from core.database import release_connection

JAIL = Path(__file__).with_name("jail")
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
OUTPUT_BYTES = 64 * 1024
# A run of tests reports on each of them; the launcher bounds how much.
REPORT_BYTES = 16 * 1024 * 1024
# Of what a program leaves: its report must have room for it, in base64.
KEEP_BYTES = 8 * 1024 * 1024
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
class Leftovers:
    """What a program made of the files that it was given; with an `excess` nothing is taken."""

    written: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    #: Paths that are not taken, with the reason.
    refused: tuple[tuple[str, str], ...] = ()
    excess: str = ""


@dataclass(frozen=True)
class ProgramResult:
    """`exit_code` is negative for a signal, and None where time or room on the disk ran out."""

    exit_code: int | None
    output: str
    timed_out: bool
    duration_ms: int
    isolation: dict[str, str]
    #: Which limit ended it, or ''.
    excess: str = ""
    #: None where it was ended, or nobody asked.
    leftovers: Leftovers | None = None


@dataclass(frozen=True)
class TestRecord:
    """What became of one test: passed, failed, error, skipped, expected_failure or not_run."""

    __test__ = False

    file: str
    name: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True)
class TestsResult(ProgramResult):
    """`exit_code` is 0 if all tests that were run passed, and the runner has nothing to object."""

    __test__ = False

    #: One for each test that the text has, whether or not it was run.
    tests: tuple[TestRecord, ...] = ()
    #: Why the tests do not show what they seem to show; empty if nothing is wrong.
    problems: tuple[str, ...] = ()


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


# A program with nothing but these has done what its tests ask.
UNHARMED = ("passed", "skipped", "expected_failure")


class _Unavailable(Exception):
    """This mode of isolation does not work on this machine."""


def run_tests(
    files: Mapping[str, str], *, timeout_seconds: float, memory_megabytes: int
) -> TestsResult:
    """Run every test that the text of the files has, in isolation, by a runner of our own.

    Which tests there are is read before any of the program runs; each is asked for and answers
    once, over a channel that is not its output. Raises as `run_program`.
    """
    limits = {"timeout_seconds": timeout_seconds, "memory_megabytes": memory_megabytes}
    return _run_isolated(files, limits)


def run_program(
    files: Mapping[str, str],
    *,
    command: Sequence[str],
    timeout_seconds: float,
    memory_megabytes: int,
    keep_bytes: int = 0,
) -> ProgramResult:
    """Run `command` over the files in isolation; `python` is our own interpreter.

    With `keep_bytes` the result says what files of text it has left, up to so much.

    Raises PermanentError (`sandbox_bad_path`, `sandbox_too_large`, `sandbox_unavailable`) or
    TransientError (`sandbox_failed`), and for work that was cancelled StopRequested or LeaseLost.
    A program that fails is a result, not an error.
    """
    limits = {"timeout_seconds": timeout_seconds, "memory_megabytes": memory_megabytes}
    keep = min(keep_bytes, KEEP_BYTES)
    return _run_isolated(files, limits | {"command": list(command), "keep_bytes": keep})


def _run_isolated(files: Mapping[str, str], request: Mapping[str, object]) -> Any:
    if (cancellation := current_cancellation()) is not None:
        cancellation.check()
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


def run_in(mode: str, files: Mapping[str, str], request: Mapping[str, object]) -> Any:
    """One run, isolated in one way: of tests, or of the request's command."""
    release_connection()
    with a_place(), program_folder(files) as folder:
        run = _Run(mode, folder, request)
        return run.program_result() if "command" in request else run.tests_result()


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


def storable(text: str) -> str:
    """Text that a program had a hand in, as any database takes it."""
    whole = str(text).encode("utf-8", "replace").decode()
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _text_of(record: Mapping[str, str]) -> TestRecord:
    return TestRecord(**{key: storable(value) for key, value in record.items()})


def _leftovers(found: Mapping[str, Any]) -> Leftovers:
    return Leftovers(
        written={path: b64decode(text).decode() for path, text in found["written"].items()},
        removed=tuple(found["removed"]),
        refused=tuple((storable(path), why) for path, why in found["refused"]),
        excess=found["excess"],
    )


class _Run:
    """One launcher process, from its start to its report."""

    def __init__(self, mode: str, folder: Path, request: Mapping[str, object]) -> None:
        self.request = request
        self.output = BoundedOutput(OUTPUT_BYTES)
        self.report = BoundedOutput(REPORT_BYTES)
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

    def program_result(self) -> ProgramResult:
        facts = self._facts()
        result = self._result(facts)
        if result["exit_code"] is not None and facts["leftovers"]:
            result["leftovers"] = _leftovers(facts["leftovers"][0])
        return ProgramResult(**result)

    def tests_result(self) -> TestsResult:
        """Every test of the inventory has one record, and whatever is odd is a problem."""
        facts = self._facts()
        result = self._result(facts)
        listed = facts["inventory"][0] if facts["inventory"] else {"modules": [], "problems": []}
        expected = [
            (module["file"], f"{case}.{name}" if case else name)
            for module in listed["modules"]
            for case, name in module["tests"]
        ]
        records = {(r["file"], r["name"]): _text_of(r) for r in facts["result"]}
        problems = [*listed["problems"], *facts["problem"]]
        if len(records) != len(facts["result"]) or set(records) - set(expected):
            problems.append("There are more results than tests.")
        if not facts["complete"]:
            running = str(facts["running"][-1]) if facts["running"] else "the first test"
            reason = "time ran out" if result["timed_out"] else result["excess"] or "it was killed"
            problems.append(f"The run broke off ({reason}) at {running}.")
        tests = [
            records.get(test) or TestRecord(*test, "not_run", "The run had broken off.")
            for test in expected
        ]
        is_clean = not problems and all(t.outcome in UNHARMED for t in tests)
        exits = [ended["exit_code"] for ended in facts["ended"] if ended["exit_code"]]
        result["exit_code"] = (0 if is_clean else [*exits, 1][0]) if facts["complete"] else None
        return TestsResult(
            **result,
            tests=tuple(tests),
            problems=tuple(storable(problem) for problem in problems[:100]),
        )

    def _facts(self) -> dict[str, list[Any]]:
        """All that the launcher reported, by kind. Raises _Unavailable or TransientError."""
        began = time.monotonic()
        self._run_launcher()
        facts: dict[str, list[Any]] = defaultdict(list)
        facts["duration_ms"].append(int((time.monotonic() - began) * 1000))
        for line in self.report.text().splitlines():
            for kind, fact in json.loads(line).items():
                facts[kind].append(fact)
        if facts["unavailable"]:
            raise _Unavailable(facts["unavailable"][0])
        if not facts["isolation"] or not facts["timed_out"]:
            raise TransientError("sandbox_failed", "The sandbox ended without a result.")
        return facts

    def _result(self, facts: Mapping[str, list[Any]]) -> dict[str, Any]:
        timed_out = facts["timed_out"][0]
        exit_codes = [] if timed_out else facts["exit_code"]
        return {
            "exit_code": exit_codes[0] if exit_codes else None,
            "output": self.output.text(),
            "timed_out": timed_out,
            "duration_ms": facts["duration_ms"][0],
            "isolation": facts["isolation"][0],
            "excess": facts["excess"][0],
        }

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
