"""A command of ours on a pseudo-terminal, with somebody who reads and types."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import traceback
from typing import NoReturn
from urllib.parse import urlsplit

from django.db import connection, connections

import manage
from ops.devserver.runtime import PROJECT_DIR

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment() -> dict[str, str]:
    """That of this test run, on the test's own database."""
    url = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    mine = {"DATABASE_URL": url._replace(path=f"/{name}").geturl(), "TERM": "xterm"}
    return {**os.environ, **mine, "PYTHONWARNINGS": "ignore"}


def run(arguments: tuple[str, ...]) -> NoReturn:
    """`manage.py` with the arguments in this process, which is a copy of the tests'."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for inherited in connections.all(initialized_only=True):
        # Not ours to close.
        inherited.connection = None
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    status = 1
    try:
        manage.run(["manage.py", *arguments])
        status = 0
    except SystemExit as exit:
        status = exit.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Typist:
    """Starts `manage.py` with the arguments; use it as a context manager.

    Without a Python of its own it is a copy of this process, which has loaded everything. Threads
    are not copied, nor is what they hold: start them afterwards.
    """

    def __init__(self, *arguments: str, python: str = "") -> None:
        self.python, self.arguments = python, arguments
        self.seen = ""
        self.mark = 0

    def __enter__(self) -> "Typist":
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
            os.chdir(PROJECT_DIR)
            if self.python:
                program = [self.python, "manage.py", *self.arguments]
                os.execve(self.python, program, environment())
            os.environ |= environment()
            run(self.arguments)
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)

    def expect(self, text: str, seconds: float = 40) -> None:
        """Until it is on the screen, after what was expected before."""
        until = time.monotonic() + seconds
        while text not in self.plain[self.mark :]:
            if time.monotonic() > until or not self._read():
                raise AssertionError(f"{text!r} did not come. There was:\n{self.plain[-3000:]}")
        self.mark = self.plain.index(text, self.mark) + len(text)

    def type(self, text: str) -> None:
        """A line, once the program reads: what comes before its question is thrown away."""
        until = time.monotonic() + 10
        while self._is_reading_nothing() and time.monotonic() < until:
            self._read(0.05)
        os.write(self.fd, f"{text}\r".encode())

    def type_blindly(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def interrupt(self, seconds: float = 20) -> None:
        """Ctrl-C, and again while a question still stands.

        One that comes between the prompt of `input` and its wait is noticed only with the next key.
        """
        until = time.monotonic() + seconds
        os.write(self.fd, b"\x03")
        while not self._is_reading_nothing() and time.monotonic() < until:
            self._read(0.5)
            if not self._is_reading_nothing():
                os.write(self.fd, b"\x03")

    def exit_status(self, seconds: float = 60) -> int:
        until = time.monotonic() + seconds
        while self._read():
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"It did not end. There was:\n{self.plain[-3000:]}")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def plain(self) -> str:
        return ESCAPES.sub("", self.seen).replace("\r\n", "\n")

    def _read(self, seconds: float = 1.0) -> bool:
        """Whether there is, or may yet be, something to read."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def _is_reading_nothing(self) -> bool:
        """Readline waits in a mode of its own, without the terminal's line editing."""
        try:
            return bool(termios.tcgetattr(self.fd)[3] & termios.ICANON)
        except termios.error:
            return True  # the program has ended
