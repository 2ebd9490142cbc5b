"""Becomes another program: `exec_wrapper.py PARENT DEATH_SIGNAL UID:GID PROGRAM ARGUMENTS...`

Run as a file by a bare interpreter: it gives up root, asks the kernel for a signal at the parent's
death, and execs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, account, *program = sys.argv[1:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if account:
        become(*map(int, account.split(":")))
    if prctl:
        # After the change of user, which would clear it.
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    # Python ignores this one; a program that we become must not inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


def become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    main()
