"""The launcher: isolates itself, starts the program, waits, and ends all that is left of it.

Three kinds of processes. The watcher (this process) keeps the time, looks at the disk, and kills;
the warden puts the walls up and is the first process inside; the program is the warden's child and
has given up everything. For a run of tests the warden starts one program for each module of tests
and asks it for one test after the other. Reports to the caller go as JSON lines to a descriptor
that the program never gets.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import folder
import interpreter
import inventory
import kernel
import landlock
import leftovers
import namespaces
import processes
import protocol
import seccomp

NOT_STARTED = 127
LOOK_SECONDS = 0.02
# So that many writers do not keep the watcher from looking.
NICENESS = 5
HARNESS = Path(__file__).with_name("harness.py").read_text("utf-8")


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
        self.files = inventory.read(config["files"])
        #: The program's user owns files and processes that are no business of the program.
        self.shares_user = not self.walled and not self.root
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
            "disk": "memory" if self.walled else "watched",
            "attributes": "ignored" if self.shares_user and self.filtered else "own files",
            "remains": " ".join(self._remains()),
        }

    def _remains(self) -> Iterator[str]:
        """What a program could still do, in words."""
        yield "The kernel is shared, and memory is limited for each process, not for all together."
        if not self.walled:
            yield "Names, sizes and times of other files can be seen, installed packages read."
        if self.shares_user:
            yield "It runs as the worker's own user, kept apart by filters alone."

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
                mount_point=self.config["mount_point"],
                disk_megabytes=self.config["disk_megabytes"],
                owner=self.user,
            )
        elif self.root:
            os.chmod(os.path.dirname(self.work), 0o711)  # noqa: S103  (to pass through)
        self.renew()

    def renew(self) -> None:
        """The program's files as they were, and nothing else."""
        folder.empty(self.work)
        if self.walled:
            folder.empty(namespaces.SCRATCH)
        folder.fill(self.work, self.files, self.user)

    def end_programs(self) -> None:
        """All that runs inside but the warden."""
        if self.walled:
            processes.end_all_others()
        else:
            processes.end_descendants()

    def give_up(self) -> None:
        """The last step before the program runs: drop all rights, set the limits and the filter."""
        os.chdir(self.work)
        if not self.walled:
            os.nice(NICENESS)
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
            seccomp.install(
                refuse_signals=not apart,
                watched=not self.walled,
                shares_user=self.shares_user,
                truncates=self.listed and landlock.version() < landlock.KNOWS_TRUNCATE,
            )


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
    # Wait for the end, the time-out, too much on the disk, or the caller's death.
    poll = select.poll()
    poll.register(warden_alive, 0)
    poll.register(0, 0)
    deadline = time.monotonic() + float(config["timeout_seconds"])
    events, excess = [], ""
    if jail.walled:
        events = poll.poll(float(config["timeout_seconds"]) * 1000)
    else:
        usage = folder.Usage(
            jail.work, megabytes=config["disk_megabytes"], files=namespaces.MAX_FILES
        )
        while not events and not excess and time.monotonic() < deadline:
            events = poll.poll(LOOK_SECONDS * 1000)
            excess = usage.excess(processes.descendants(warden))
    # Leave nothing running.
    if jail.walled:
        processes.end(warden)
    else:
        processes.end_descendants()
    report.write(timed_out=not events and not excess, excess=excess)


def _run_warden(jail: Jail, report: Report) -> None:
    """The warden: walls, programs, what came of them. Never returns."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        jail.enter()
    except OSError as error:
        report.write(unavailable=f"file system ({error.strerror})")
        os._exit(NOT_STARTED)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if "command" not in jail.config:
        _run_tests(jail, report)
        os._exit(0)
    program = _start(jail, report, list(jail.config["command"]))
    # The first process of a namespace inherits orphans: collect all until the program ends.
    pid, status = os.wait()
    while pid != program:
        pid, status = os.wait()
    report.write(exit_code=os.waitstatus_to_exitcode(status))
    if max_bytes := int(jail.config.get("keep_bytes", 0)):
        jail.end_programs()
        left = _read_without_rights(
            jail, report, lambda: leftovers.leftovers(jail.work, jail.files, max_bytes=max_bytes)
        )
        if isinstance(left, dict):
            report.write(leftovers=left)
    os._exit(0)


def _run_tests(jail: Jail, report: Report) -> None:
    """All modules of tests, each in a process of its own and with the program's files as given."""
    listed = _inventory(jail, report)
    if listed is None:
        return
    report.write(inventory=listed)
    details = protocol.MAX_DETAILS
    for module in listed["modules"]:
        jail.renew()
        questions, ask = os.pipe()
        answers, answer = os.pipe()
        command = ["python3", "-P", "-s", "-B", "-c", HARNESS, str(questions), str(answer)]
        child = protocol.Child(
            _start(jail, report, command, keep=(questions, answer)), ask, answers
        )
        os.close(questions)
        os.close(answer)
        for fact in protocol.run_module(child, module):
            if "result" in fact and fact["result"]["outcome"] != "passed":
                details -= 1
                fact["result"]["detail"] = fact["result"]["detail"] if details >= 0 else ""
            report.write(**fact)
        jail.end_programs()
        os.close(answers)
        report.write(ended={"file": module["file"], "exit_code": child.exit_code})
    report.write(complete=True)


def _inventory(jail: Jail, report: Report) -> dict | None:
    """What tests there are; None if it could not be read."""
    listed = _read_without_rights(jail, report, lambda: inventory.inventory(jail.files))
    if isinstance(listed, dict):
        return listed
    if listed != NOT_STARTED:
        report.write(problem=f"The tests in the text could not be listed (status {listed}).")
        report.write(complete=True)
    return None


def _read_without_rights(jail: Jail, report: Report, read: Callable[[], dict]) -> dict | int:
    """What a process finds that has given up everything; its status where it failed."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        _give_up(jail, report)
        with os.fdopen(send, "w") as stream:
            json.dump(read(), stream)
            stream.flush()
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        text = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(text) if status == 0 else status


def _start(jail: Jail, report: Report, command: list[str], keep: tuple[int, ...] = ()) -> int:
    """A program as a child of this process; all it gets is its output and `keep`."""
    program = os.fork()
    if program == 0:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        _give_up(jail, report)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        _become(jail, command)
    return program


def _give_up(jail: Jail, report: Report) -> None:
    """All rights; ends this process where that does not work."""
    try:
        jail.give_up()
        report.write(isolation=jail.isolation)
    except BaseException as error:
        report.write(unavailable=f"{type(error).__name__}: {error}")
        os._exit(NOT_STARTED)


def _become(jail: Jail, command: list[str]) -> None:
    """The program. Never returns."""
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
