"""The launcher: isolates itself, starts the program, waits, and ends all that is left of it.

Three processes. The watcher (this process) keeps the time and kills; the warden puts the walls up
and is the first process inside; the program is the warden's child and has given up everything.
Reports to the caller go as JSON lines to a descriptor that the program never gets.
"""

import json
import os
import select
import signal
import sys

import interpreter
import kernel
import landlock
import namespaces
import processes
import seccomp

NOT_STARTED = 127


class Report:
    """What the launcher itself tells the caller, apart from the program's output."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self.descriptor = descriptor

    def write(self, **facts: object) -> None:
        os.write(self.descriptor, json.dumps(facts).encode() + b"\n")


class Jail:
    """What the caller requires, and which walls there are."""

    def __init__(self, config: dict) -> None:
        self.config = config
        self.walled = config["mode"] == "namespaces"
        self.root = os.getuid() == 0
        self.user = processes.unprivileged_user() if self.root else None
        self.work = namespaces.WORK if self.walled else config["files"]
        self.filtered = seccomp.is_known_machine()
        self.listed = not self.walled and landlock.version() > 0
        self.user_threads = 0 if self.root else processes.threads_of_user()

    @property
    def isolation(self) -> dict[str, str]:
        """What is really in force."""
        without_wall = "seccomp" if self.filtered else "none"
        files = "landlock" if self.listed else "permissions" if self.root else "none"
        return {
            "network": "namespace" if self.walled else without_wall,
            "files": "namespace" if self.walled else files,
            "processes": "namespace" if self.walled else "subreaper",
            "system_calls": "seccomp" if self.filtered else "none",
            "user": "separate" if self.root else "same",
        }

    def missing(self) -> list[str]:
        """Walls that the caller requires and that cannot be put up."""
        return [
            wall
            for wall in ("network", "files")
            if self.isolation[wall] == "none" and not self.config[f"open_{wall}"]
        ]

    def enter(self) -> None:
        """Put up the walls around everything that starts from here."""
        if self.walled:
            namespaces.build_root(
                files=self.config["files"],
                mount_point=self.config["mount_point"],
                disk_megabytes=self.config["disk_megabytes"],
                owner=self.user,
            )
        elif self.root:
            namespaces.give_away(self.config["files"], self.user)
            os.chmod(os.path.dirname(self.config["files"]), 0o711)  # noqa: S103  (to pass through)

    def give_up(self) -> None:
        """The last step before the program runs: drop all rights, set the limits and the filter."""
        os.chdir(self.work)
        if self.root:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        if not os.access(interpreter.program(), os.X_OK):
            raise PermissionError("the unprivileged user cannot reach the Python interpreter")
        processes.limit(self.config, user_threads=self.user_threads)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if self.listed:
            readable = [*interpreter.readable(), *interpreter.DEVICES]
            landlock.restrict(readable=readable, writable=[self.work, "/dev/null"])
        if self.filtered:
            apart = self.root or self.walled or landlock.version() >= landlock.SCOPES_SIGNALS
            seccomp.install(refuse_signals=not apart)


def main() -> None:
    # One line on stdin; the pipe then stays open as the sign that the caller lives.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        line = stdin.readline()
    if not line.endswith(b"\n"):
        sys.exit(NOT_STARTED)
    config = json.loads(line)
    report = Report(config["report"])
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    jail = Jail(config)
    if jail.missing():
        report.write(unavailable=", ".join(jail.missing()))
        return
    try:
        if jail.walled:
            namespaces.leave_host()
    except OSError as error:
        report.write(unavailable=f"namespaces ({error.strerror})")
        return
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    # The warden alone holds the writing end, so that its end closes the pipe.
    warden_alive, held_by_warden = os.pipe()
    warden = os.fork()
    if warden == 0:
        os.close(warden_alive)
        _run_warden(jail, report)
    os.close(held_by_warden)
    # Wait for the end, the time-out or the caller's death; then leave nothing running.
    poll = select.poll()
    poll.register(warden_alive, 0)
    poll.register(0, 0)
    events = poll.poll(float(config["timeout_seconds"]) * 1000)
    if jail.walled:
        processes.end(warden)
    else:
        processes.end_descendants()
    report.write(timed_out=not events)


def _run_warden(jail: Jail, report: Report) -> None:
    """The warden: walls, program, exit code. Never returns."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        jail.enter()
    except OSError as error:
        report.write(unavailable=f"file system ({error.strerror})")
        os._exit(NOT_STARTED)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    program = os.fork()
    if program == 0:
        _become_program(jail, report)
    # The first process of a namespace inherits orphans: collect all until the program ends.
    pid, status = os.wait()
    while pid != program:
        pid, status = os.wait()
    report.write(exit_code=os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become_program(jail: Jail, report: Report) -> None:
    """The program. Never returns."""
    try:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        jail.give_up()
        report.write(isolation=jail.isolation)
    except BaseException as error:
        report.write(unavailable=f"{type(error).__name__}: {error}")
        os._exit(NOT_STARTED)
    command = list(jail.config["command"])
    path = f"{os.path.dirname(interpreter.program())}:/usr/bin:/bin"
    environment = {**jail.config["environment"], "PATH": path, "HOME": jail.work}
    if command[0] in ("python", "python3"):
        command[0] = interpreter.program()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


if __name__ == "__main__":
    main()
