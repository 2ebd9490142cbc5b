"""What a case has at hand: the machine, the crowd, and facts from the database."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psutil
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import QuerySet

from agents.models import Task, TaskAttempt
from ops.invariants import Violation, check
from ops.invariants.rows import check_settled
from projects.models import Project
from tools.chaos.crowd import Crowd
from tools.chaos.model import Mood
from tools.chaos.stack import WEBS, Dress, Stack

QUIET_SECONDS = 60
OVER = ("completed", "failed", "cancelled")
LOST = ("running", "crashed")


class Broken(Exception):
    """A case did not go as it must."""


@dataclass
class Run:
    stack: Stack
    crowd: Crowd
    chance: random.Random
    is_short: bool = False
    projects: list[str] = field(default_factory=list)
    left_alone: set[str] = field(default_factory=set)
    phases: dict[str, float] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    fell_at: dict[int, float] = field(default_factory=dict)
    is_decided: bool = False

    def begin(self, count: int = 6, *, mood: Mood | None = None, follow: int = 1, **fields) -> list:
        """Projects at work, each with listeners, and people who decide."""
        made = self.create(count, mood or Mood(self.seed(), errors=0.05, questions=0.05), **fields)
        for project in made:
            self.crowd.follow(project, follow)
        return made

    def create(
        self, count: int, mood: Mood, *, is_left_alone: bool = False, **fields: Any
    ) -> list[str]:
        """`is_left_alone`: nobody decides there; they wait, or never begin, when all is quiet."""
        creating = self.crowd.begin(self.crowd.create(count, mood, **fields))
        self.stack.until(creating.done, 2 * QUIET_SECONDS)
        made = creating.result(0)
        self.projects += made
        if is_left_alone:
            self.left_alone.update(made)
            return made
        for person in self.crowd.people.values():
            self.crowd.call(person.projects.update, made)
        return made

    def seed(self) -> int:
        return self.chance.getrandbits(20)

    def dress(self, workers: Dress) -> None:
        """Both workers with these variables, and at work again."""
        if self.stack.dress(workers):
            self.probe("workers are up again")

    def decide(self, *, only_approves: bool = False) -> None:
        if self.is_decided:
            return
        self.is_decided = True
        for person in self.crowd.people.values():
            person.only_approves = only_approves
            self.crowd.start(person.work())

    def until(self, fact: Callable[[], Any], seconds: float, what: str = "") -> Any:
        """Poll a fact of the database, which may be away for a while. Raises Broken without it."""
        found = self.stack.until(lambda: self.ask(fact), seconds)
        if not found and what:
            raise Broken(f"{what}: not within {seconds:.0f} s")
        return found

    def ask(self, fact: Callable[[], Any]) -> Any:
        close_old_connections()
        try:
            return fact()
        except (DatabaseError, InterfaceError):
            connection.close()
            return None

    def measure(self, name: str, fact: Callable[[], Any], seconds: float) -> float:
        """How long until the fact holds, from now; the worst of several under one name."""
        began = time.monotonic()
        self.until(fact, seconds, name)
        return self.note_time(name, time.monotonic() - began)

    def note_time(self, name: str, seconds: float) -> float:
        self.measured[name] = max(seconds, self.measured.get(name, 0.0))
        return seconds

    def probe(self, name: str, seconds: float = QUIET_SECONDS) -> float:
        """From now until a project that nobody has to approve has run from start to end."""
        began = time.monotonic()
        (project,) = self.create(1, Mood(), oversight_level="low")
        self.until(lambda: self.are_over([project]), seconds, f"{name}: a probe runs through")
        return self.note_time(name, time.monotonic() - began)

    def are_over(self, projects: Iterable[str] | None = None) -> bool:
        mine = Project.objects.filter(pk__in=projects or self.projects)
        return not mine.exclude(status__in=OVER).exists()

    def tasks(self) -> set[str]:
        tasks = Task.objects.filter(project__in=self.projects)
        return {str(pk) for pk in tasks.values_list("pk", flat=True)}

    def some_progress(self, share: float = 0.3) -> None:
        """Wait until this share of the steps that a straight way would have is done."""
        wanted = max(1, int(share * 4 * len(self.projects)))
        done = Task.objects.filter(project__in=self.projects, status="completed")
        self.until(lambda: done.count() >= wanted, QUIET_SECONDS, "some progress")

    def fall(
        self,
        kind: str,
        point: str,
        how: str = "kill",
        seconds: float = 30,
        once_armed: Callable[[], Any] = lambda: None,
    ) -> int:
        """Arm a fault point and wait for who falls; its process id."""
        before = self.stack.fallen()
        self.stack.arm(kind, point, how)
        once_armed()
        fallen = self.stack.until(lambda: self.stack.fallen() - before, seconds)
        if not fallen:
            raise Broken(f"nobody came by {point} in {seconds:.0f} s")
        ((_, pid),) = fallen
        return self.note_fall(pid)

    def branch(self) -> None:
        """Of two branches that nobody has to approve a worker takes one along, and publishes the
        other; else it hardly ever publishes."""
        self.begin(2, oversight_level="low")

    def note_fall(self, pid: int) -> int:
        """From now on the process does nothing; `check_invariants` holds what follows to it."""
        self.fell_at[pid] = time.time()
        self.crowd.histories.note("falls", pid=pid)
        return pid

    def at_work(self, name: str) -> psutil.Process | None:
        """A child of this worker that holds a task of ours."""
        held = TaskAttempt.objects.filter(task__project__in=self.projects, outcome="running")
        pids = {int(worker.rpartition(":")[2]) for worker in held.values_list("worker", flat=True)}
        return next((one for one in self.stack.children(name) if one.pid in pids), None)

    def reclaimed(self, *pids: int, name: str = "lost task claimed again") -> None:
        """Wait until others have the tasks that died with these processes; the longest wait.

        They may have died some time ago: it is counted from when they fell.
        """
        for pid in pids:
            # Without one it fell between two tasks, or before its claim was there.
            if lost := self.ask(self.attempts_of(pid).filter(outcome__in=LOST).first):
                after = self.until(lambda one=lost: self._after(one), QUIET_SECONDS, name)
                if after.fence > lost.fence:
                    self.note_time(name, after.started_at.timestamp() - self.fell_at[pid])

    def _after(self, lost: TaskAttempt) -> TaskAttempt | None:
        """The next one; or the same, where its task was given up meanwhile."""
        mine = TaskAttempt.objects.filter(task=lost.task_id)
        after = mine.filter(fence__gt=lost.fence).order_by("fence").first()
        return after or mine.filter(fence=lost.fence, outcome="cancelled").first()

    def attempts_of(self, pid: int) -> QuerySet[TaskAttempt]:
        """The last one first."""
        mine = TaskAttempt.objects.filter(task__project__in=self.projects)
        return mine.filter(worker__endswith=f":{pid}").order_by("-started_at")

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = time.monotonic() - began

    def settle(self) -> list[Violation]:
        """Everything runs to its end, people stop, it gets quiet: what does not hold then."""
        self.stack.disarm()
        with self.phase("ends"):
            self.stack.until(lambda: self.ask(self.is_at_its_end), QUIET_SECONDS)
        with self.phase("is quiet"):
            for person in self.crowd.people.values():
                self.crowd.call(person.projects.clear)
            self.stack.until(lambda: self.ask(self.is_quiet), QUIET_SECONDS)
        with self.phase("is heard"):
            self.stack.until(self.has_heard_all, QUIET_SECONDS)
        with self.phase("is ready again"):
            self.crowd.go_home()
            self.stack.until(lambda: self.is_web_up(), QUIET_SECONDS)
        with self.phase("is checked"):
            return [*self.check()]

    def is_at_its_end(self) -> bool:
        decided = set(self.projects) - self.left_alone
        return not decided or self.are_over(decided)

    def is_quiet(self) -> bool:
        mine = Project.objects.filter(pk__in=self.projects)
        return not any(found for project in mine for found in check_settled(project))

    def check(self) -> Iterable[Violation]:
        if not self.projects:
            return ()
        ids = {UUID(project) for project in self.projects}
        return check(project_ids=ids, histories=self.crowd.histories.folder, is_settled=True)

    def has_heard_all(self) -> bool:
        from audit.models import Stream

        streams = Stream.objects.filter(project__in=self.projects)
        heads = self.ask(lambda: dict(streams.values_list("project", "sequence"))) or {}
        return bool(heads) and all(
            one.last >= heads.get(UUID(one.project), 0) for one in self.crowd.listeners
        )

    def is_web_up(self) -> bool:
        return all(self.stack.supervisor.children[name].restart_at is None for name in WEBS)
