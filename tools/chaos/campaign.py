"""One stack, one case after the other, and what must hold after each."""

import os
import random
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ops.devserver.data_dir import open_data_dir
from tools.chaos.stack import OutOfTime, Stack

STARTUP_SECONDS = 120


@dataclass
class Result:
    name: str
    seconds: float
    problems: list[str]
    must_fail: bool
    measured: dict[str, float] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return bool(self.problems) == self.must_fail


@contextmanager
def campaign(seed: int) -> Iterator["Campaign"]:
    with tempfile.TemporaryDirectory(prefix="paraph-chaos-") as home:
        Path(home).chmod(0o711)
        folder = open_data_dir(Path(home) / "data", system_dir=Path(home))
        histories = Path(home) / "histories"
        histories.mkdir(mode=0o700)
        stack = Stack(folder, histories)
        try:
            stack.start_servers()
            yield Campaign(stack, histories, seed)
        finally:
            stack.left = stack.stop()
            folder.close()


class Campaign:
    def __init__(self, stack: Stack, histories: Path, seed: int) -> None:
        self.stack, self.histories, self.seed = stack, histories, seed
        self.results: list[Result] = []
        self._prepare()

    def _prepare(self) -> None:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from tools.chaos.crowd import Crowd

        self.crowd = Crowd(self.stack.ports, self._make_people(), self.histories, self.seed)
        self.crowd.bob = self.bob
        self.stack.start_programs()

    def _make_people(self) -> dict[str, str]:
        from django.contrib.auth.models import Permission, User

        from accounts.tokens import create_login_token

        users = {name: User.objects.create_user(name) for name in ("ada", "bob")}
        users["eve"] = User.objects.create_user("eve", is_staff=True)
        stop_everything = Permission.objects.get(codename="stop_everything")
        users["eve"].user_permissions.add(stop_everything)
        self.bob = users["bob"].pk
        return {name: create_login_token(user) for name, user in users.items()}

    def warm_up(self) -> None:
        """Everything is up when a project has run through."""
        run = self._run("warm_up", is_short=True)
        seconds = run.probe("start", STARTUP_SECONDS)
        print(f"the machine is up after {seconds:.1f} s", flush=True)

    def _run(self, name: str, *, is_short: bool):
        from tools.chaos.run import Run

        # By its name, so that a case alone does what it does among the others.
        chance = random.Random(f"{self.seed}:{name}")
        return Run(self.stack, self.crowd, chance, is_short)

    def play_all(self, cases: Iterable, *, is_short: bool) -> Iterator[Result]:
        """One after the other; raises OutOfTime at the deadline, also in the middle of a case."""
        for case in cases:
            self.results.append(self._play(case, is_short))
            yield self.results[-1]

    def _play(self, case, is_short: bool) -> Result:
        run, began = self._run(case.name, is_short=is_short), time.monotonic()
        problems: list[str] = []
        with run.phase("goes on"):
            problems += self._break(case, run)
        problems += [str(one) for one in run.settle()]
        problems += [f"a client failed: {one}" for one in self.crowd.failures]
        self.crowd.failures.clear()
        seconds = time.monotonic() - began
        measured = run.measured, run.counted, run.phases
        return Result(case.name, seconds, problems, case.must_fail, *measured)

    @staticmethod
    def _break(case, run) -> Iterator[str]:
        try:
            run.dress(case.workers)
            case.run(run)
        except OutOfTime:
            raise
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
            if os.environ.get("CHAOS_TRACEBACK"):
                traceback.print_exc()
