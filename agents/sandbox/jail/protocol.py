"""The runner's side of a test run: it asks for each test that the text has, and believes no more.

It is outside of the process that the tests run in. What the program prints counts for nothing; an
answer counts if it is the one answer to the question just asked, and the end only as it is seen
from here.
"""

import json
import os
import secrets
import select
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

MAX_ANSWER = 1024 * 1024
MAX_DETAIL = 5_000
MAX_DETAILS = 200
LOOK_MILLISECONDS = 50
# An answer that is on its way when the process ends is still read.
LAST_WORDS_SECONDS = 0.2
OUTCOMES = ("passed", "failed", "error", "skipped", "expected_failure")
Answer = dict[str, Any]


class Broken(Exception):
    """The process ended, or answered what it was not asked. Its text is for a person."""


class Child:
    """A process that runs the tests of one module."""

    def __init__(self, pid: int, questions: int, answers: int) -> None:
        self.pid, self.questions, self.answers = pid, questions, answers
        self.exit_code: int | None = None
        self.unread = b""

    def ask(self, **question: Any) -> Answer:
        """The one answer to a question. Raises Broken."""
        nonce = secrets.token_hex(16)
        if self.unread or self._is_readable(0):
            raise Broken(f"It answered unasked ({self._next_line()}).")
        try:
            os.write(self.questions, json.dumps(question | {"nonce": nonce}).encode() + b"\n")
        except BrokenPipeError:
            raise Broken(f"Too early {self.ending()}") from None
        return self._checked(self._line(), nonce)

    def end(self) -> None:
        """Wait for the process to end by itself. Raises Broken if it answers once more."""
        os.close(self.questions)
        while not self._has_ended():
            time.sleep(LOOK_MILLISECONDS / 1000)
        if (self.unread or self._is_readable(0)) and (line := self._next_line()):
            raise Broken(f"It answered unasked ({line}).")

    def _checked(self, line: bytes, nonce: str) -> Answer:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Broken("Something that is no answer came over the channel of the runner.")
        if answer.get("process") != self.pid:
            raise Broken("An answer came from a copy of its process.")
        if answer.get("nonce") != nonce:
            raise Broken("An answer was given twice, or forged.")
        return answer

    def _line(self) -> bytes:
        deadline = None
        while b"\n" not in self.unread:
            if len(self.unread) > MAX_ANSWER:
                raise Broken("An answer is too long.")
            if self._is_readable(LOOK_MILLISECONDS):
                piece = os.read(self.answers, MAX_ANSWER)
                if not piece:
                    self._wait_for_end()
                    raise Broken(f"Too early {self.ending()}")
                self.unread += piece
            elif self._has_ended():
                deadline = deadline or time.monotonic() + LAST_WORDS_SECONDS
                if time.monotonic() > deadline:
                    raise Broken(f"Too early {self.ending()}")
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def _next_line(self) -> str:
        """What came unasked, to be shown: its beginning."""
        if not self.unread:
            self.unread = os.read(self.answers, 4096)
        return ascii(self.unread[:100].decode(errors="replace")) if self.unread else ""

    def _is_readable(self, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(self.answers, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _has_ended(self) -> bool:
        """Also collects what others left behind: the first process of a namespace inherits it."""
        while self.exit_code is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return False
            if pid == self.pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return True

    def _wait_for_end(self) -> None:
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.005)

    def ending(self) -> str:
        """Of the process, as it is seen from here."""
        if self.exit_code is None:
            return "its process closed the channel of the runner."
        kind = "signal" if self.exit_code < 0 else "exit code"
        return f"its process ended, with {kind} {abs(self.exit_code)}."


def run_module(child: Child, module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Facts about the tests of one module, one by one, as they become known.

    `running`, `result` (file, name, outcome, detail) and `problem`: all that keeps the results
    from being what they seem.
    """
    file, tests = module["file"], [tuple(test) for test in module["tests"]]

    def result(test: tuple[str, str], outcome: str, detail: str) -> dict[str, Any]:
        return {"result": {"file": file, "name": name_of(test), "outcome": outcome,
                           "detail": detail[-MAX_DETAIL:]}}  # fmt: skip

    waiting = list(tests)
    try:
        yield {"running": file}
        loaded = child.ask(**{key: module[key] for key in ("file", "name", "path")})
        if "broken" in loaded or "skipped" in loaded:
            outcome = "error" if "broken" in loaded else "skipped"
            detail = str(loaded.get("broken", loaded.get("skipped")))
            while waiting:
                yield result(waiting.pop(0), outcome, detail)
                detail = "Its module could not be loaded." if outcome == "error" else detail
        else:
            yield from _problems_of_loading(loaded, file, tests)
            while waiting:
                yield {"running": f"{file}: {name_of(waiting[0])}"}
                answer = child.ask(run=waiting[0])
                outcome = answer.get("outcome")
                if outcome not in OUTCOMES:
                    raise Broken("Its answer names no outcome.")
                yield result(waiting.pop(0), outcome, str(answer.get("detail", "")))
                yield from _changes(answer, file)
            last = child.ask(end=True)
            yield from _changes(last, file)
            for text in list(last.get("fixtures") or [])[:20]:
                yield {"problem": f"{file}: {str(text)[-MAX_DETAIL:]}"}
        child.end()
        if child.exit_code and "broken" not in loaded:
            raise Broken(f"After its last test {child.ending()}")
    except (Broken, TypeError, ValueError, AttributeError) as error:
        reason = error if isinstance(error, Broken) else "Its answer is not of the agreed form."
        yield {"problem": f"{file}: {reason}"}
        for place, test in enumerate(waiting):
            detail = f"It was never run. {reason}" if place else str(reason)
            yield result(test, "not_run" if place else "error", detail)


def _problems_of_loading(
    loaded: Answer, file: str, tests: list[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    if not loaded.get("is_ours"):
        yield {"problem": f"{file}: another module of the same name was loaded in its place."}
    found = Counter((str(case), str(name)) for case, name in loaded.get("found") or [])
    for test in sorted(test for test, count in found.items() if count > 1)[:5]:
        yield {"problem": f"{file}: {name_of(test)} is there twice."}
    unexpected = sorted(set(found) - set(tests))
    if unexpected:
        names = ", ".join(name_of(test) for test in unexpected[:5])
        more = f" and {len(unexpected) - 5} more" if len(unexpected) > 5 else ""
        yield {
            "problem": f"{file}: tests that the text does not have appeared when it was loaded, "
            f"and were not run: {names}{more}. Write each test as a method."
        }
    yield from _changes(loaded, file)


def _changes(answer: Answer, file: str) -> Iterator[dict[str, Any]]:
    if changed := [str(name)[:200] for name in list(answer.get("changed") or [])[:5]]:
        names = ", ".join(changed)
        yield {
            "problem": f"{file}: the program replaced parts of the test library ({names}), so "
            "its tests may have checked nothing."
        }


def name_of(test: tuple[str, str] | list[str]) -> str:
    case, name = test
    return f"{case}.{name}" if case else name
