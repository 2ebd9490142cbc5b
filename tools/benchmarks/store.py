"""The context store when it is small, and when it is large: what grows with it?

Two databases on one server. Each question goes to both, one right after the other, so that a busy
moment of the machine falls on both; callers come one after the other, so that what one of them
reads takes no memory from another one.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from accounts.models import PersonalToken
from core.authentication import Scope
from core.database import as_owner
from projects.models import Membership
from tools.benchmarks.asking import MEMBER_OF, READER_OF, actions_by_caller, key_of
from tools.benchmarks.library import Library

SMALL = 10_000
AIM = 2.0
FILLED = "filled"


def report(options: argparse.Namespace) -> None:
    with as_owner():
        stores = [_Store(min(SMALL, options.sections)), _Store(options.sections)]
        for store in stores:
            store.make()
    columns = "".join(f"{store.sections:>14,} p50      p95" for store in stores)
    print(f"\nin ms, by sections          {columns}   ratio of p95")
    stores[0].use()
    for actions in actions_by_caller():
        for name, times in _measured(actions, stores, options.rounds).items():
            _show(name, *times)


class _Store:
    """A database of so many sections, with a connection that stays open."""

    def __init__(self, sections: int) -> None:
        self.sections, self.name = sections, f"store_{sections}"
        self.connection = connections.create_connection("default")
        self.connection.settings_dict = self.connection.settings_dict | {"NAME": self.name}

    def use(self) -> None:
        connections["default"] = self.connection

    def make(self) -> None:
        """Filled, unless an earlier run has left it complete."""
        is_there = self._is_filled()
        start = time.perf_counter()
        if not is_there:
            _execute(f"DROP DATABASE IF EXISTS {self.name}")
            _execute(f"CREATE DATABASE {self.name}")
        server = connections["default"]
        self.use()
        call_command("migrate", verbosity=0)
        if not is_there:
            self._fill()
        size = _value("SELECT pg_size_pretty(pg_database_size(current_database()))")
        done = "was there" if is_there else f"made in {time.perf_counter() - start:.0f} s"
        print(f"{self.sections:,} sections, {size}, {done}", flush=True)
        connections["default"] = server

    def _is_filled(self) -> bool:
        found = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        return _value(found, self.name) == FILLED

    def _fill(self) -> None:
        operator = User.objects.create_superuser("operator", password=None)
        _give_key(operator)
        library = Library(operator)
        library.grow_to(self.sections)
        for name, projects in (("member", MEMBER_OF), ("reader", READER_OF)):
            user = User.objects.create_user(name)
            _give_key(user)
            Membership.objects.bulk_create(
                Membership(project_id=project, user=user, role="viewer")
                for project in library.projects[:projects]
            )
        _execute("VACUUM ANALYZE")
        _execute(f"COMMENT ON DATABASE {self.name} IS '{FILLED}'")


def _give_key(user: User) -> None:
    PersonalToken.objects.create_for(
        user,
        key_of(user.username),
        name="Benchmark",
        scopes=Scope.values,
        expires_at=timezone.now() + timedelta(days=366),
    )


def _measured(
    actions: dict[str, tuple[Callable[[Any], Any], list[Any]]], stores: list[_Store], rounds: int
) -> dict[str, list[list[float]]]:
    """Milliseconds by action, for each store. The first round warms up."""
    times: dict[str, list[list[float]]] = {name: [[] for _ in stores] for name in actions}
    for number in range(rounds + 1):
        # Else Python's collector walks through all of Django within one of twenty calls, whichever
        # it may be, and takes as long as a search: that would be the p95.
        gc.collect()
        gc.freeze()
        for name, (action, questions) in actions.items():
            for question in questions:
                for store, found in zip(stores, times[name], strict=True):
                    store.use()
                    start = time.perf_counter()
                    action(question)
                    if number:
                        found.append((time.perf_counter() - start) * 1000)
    return times


def _show(name: str, small: list[float], large: list[float]) -> None:
    p50s = [statistics.median(times) for times in (small, large)]
    p95s = [statistics.quantiles(times, n=100, method="inclusive")[94] for times in (small, large)]
    ratio = p95s[1] / p95s[0]
    cells = "".join(f"{p50:18.1f} {p95:8.1f}" for p50, p95 in zip(p50s, p95s, strict=True))
    reached = "reached" if ratio <= AIM else "not reached"
    print(f"{name:<28}{cells}   {ratio:5.2f}, aim {AIM:.0f}: {reached}", flush=True)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _value(sql: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
        return row and row[0]
