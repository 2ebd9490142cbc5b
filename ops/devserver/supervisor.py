"""Two processes stand in for each other: whichever is killed, the other one leaves nothing running.

The guard is the command that a person started; the keeper is its child and has started everything
else. Orphans of either fall to the other, because both are subreapers.
"""

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable

import psutil

from ops.devserver.exec_wrapper import PR_SET_PDEATHSIG

PR_SET_CHILD_SUBREAPER = 36
# Longer than a worker takes to hand back its tasks.
LEFTOVERS_SECONDS = 15
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_guarded(
    keep: Callable[[], int], listener: socket.socket, *, stop_with_parent: bool = False
) -> int:
    """Runs `keep` in a child process, passes signals on, and ends whatever it leaves behind."""
    adopt_orphans()
    guard = os.getpid()
    ignored = {number for number in STOP_SIGNALS if signal.getsignal(number) == signal.SIG_IGN}
    # Nothing may arrive between the fork and the handlers of either side.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    sys.stdout.flush()
    keeper = os.fork()
    if keeper == 0:
        _become_keeper(keep, guard)
    # The keeper's now; it alone says when the port is closed.
    listener.close()
    for number in set(STOP_SIGNALS) - ignored:
        signal.signal(number, lambda received, _frame: _pass_on(keeper, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    if stop_with_parent:
        signal_at_death_of(os.getppid(), signal.SIGTERM)
    _, status = os.waitpid(keeper, 0)
    end_leftovers()
    if os.WIFSIGNALED(status):
        print("The supervising process was killed; everything it had started was stopped.")
        return 1
    return os.waitstatus_to_exitcode(status)


def _become_keeper(keep: Callable[[], int], guard: int) -> None:
    code = 1
    try:
        # Out of the terminal's group: Ctrl-C reaches the keeper once, through the guard.
        os.setsid()
        signal_at_death_of(guard, signal.SIGTERM)
        adopt_orphans()
        code = keep()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _pass_on(keeper: int, received: int) -> None:
    try:
        os.kill(keeper, received)
    except ProcessLookupError:
        pass


def end_leftovers() -> None:
    """Normally there are none; after a killed keeper, all that it had started."""
    left = psutil.Process().children(recursive=True)
    _send(left, signal.SIGTERM)
    _send(psutil.wait_procs(left, timeout=LEFTOVERS_SECONDS)[1], signal.SIGKILL)
    psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            pass


def adopt_orphans() -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def signal_at_death_of(parent: int, number: signal.Signals) -> None:
    _prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def _prctl(option: int, value: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(option, value, 0, 0, 0)
