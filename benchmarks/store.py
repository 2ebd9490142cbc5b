"""The context store when it is small, and when it is large: what grows with it?

The same person, a member of the same five projects, does the same in both.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from benchmarks.library import Library
from context.injection import Want, build_context
from context.models import ArtifactVersion
from context.parts import estimate_tokens
from context.words import Need
from projects.models import Membership

SMALL = 10_000
MEMBER_OF = 5
# What is measured takes turns, so that a busy minute of the machine falls on both.
TURNS = 10
SMALL_DATABASE = "bench_small"
BUDGET = 20_000
SEARCH = "/api/v1/search/"


def report(options: argparse.Namespace) -> None:
    operator = User.objects.create_superuser("operator", password=None)
    member = User.objects.create_user("member")
    clients = _client(member), _client(operator)
    library, large = Library(operator), connection.settings_dict["NAME"]
    _grow(library, min(SMALL, options.sections), member)
    actions = _actions(library, *clients)
    _copy(large, SMALL_DATABASE)
    _grow(library, options.sections, member)
    small_times, large_times = _in_turns(actions, (SMALL_DATABASE, large), options.samples)
    print(
        f"\nin ms                    {SMALL:>9,} p50      p95 {options.sections:>12,} p50      p95"
    )
    for name in actions:
        small, big = small_times[name], large_times[name]
        p50s, p95s = (statistics.median(small), statistics.median(big)), (_p95(small), _p95(big))
        print(f"{name:<24} {p50s[0]:13.1f} {p95s[0]:8.1f} {p50s[1]:16.1f} {p95s[1]:8.1f}", end="")
        print(f"   ratio of p95 {p95s[1] / p95s[0]:5.2f}")


def _grow(library: Library, sections: int, member: User) -> None:
    start = time.perf_counter()
    library.grow_to(sections)
    for project in library.projects[:MEMBER_OF]:
        Membership.objects.get_or_create(project_id=project, user=member, role="viewer")
    print(f"{library.sections:,} sections, {_size()}, made in {time.perf_counter() - start:.0f} s")


def _in_turns(
    actions: dict[str, Callable], databases: tuple[str, str], samples: int
) -> list[dict[str, list[float]]]:
    """Milliseconds by action, for each database."""
    results = [{name: [] for name in actions} for _ in databases]
    for turn in range(-1, TURNS):
        for database, times in zip(databases, results, strict=True):
            _use(database)
            for name, action in actions.items():
                each = -(-samples // TURNS)
                measured = [_milliseconds(action, turn * each + n) for n in range(each)]
                # The first turn warms up.
                times[name] += measured if turn >= 0 else []
    return results


def _milliseconds(action: Callable[[int], Any], number: int) -> float:
    start = time.perf_counter()
    action(number)
    return (time.perf_counter() - start) * 1000


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[94]


def _copy(source: str, target: str) -> None:
    """Of a database that nobody is connected to."""
    _use("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
    _use(source)


def _use(database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database
    connection.ensure_connection()


def _client(user: User) -> APIClient:
    api = APIClient(SERVER_NAME="localhost")
    token, _ = Token.objects.get_or_create(user=user)
    api.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    return api


def _actions(library: Library, member: APIClient, operator: APIClient) -> dict[str, Callable]:
    words = list(_queries(library))
    versions = _versions(library)
    return {
        "search": lambda n: _get(member, SEARCH, q=words[n % len(words)]),
        "search, as operator": lambda n: _get(operator, SEARCH, q=words[n % len(words)]),
        "artifacts by words": lambda n: _get(member, "/api/v1/artifacts/", q=words[n % len(words)]),
        "context build": lambda n: _build(versions[n % len(versions)], words[n % len(words)]),
        "project listing": lambda n: _get(member, "/api/v1/projects/"),
    }


def _get(api: APIClient, path: str, **query: str) -> None:
    response = api.get(path, query)
    assert response.status_code == 200, response.content


def _queries(library: Library) -> Iterator[str]:
    """Common and rare words, two words, a phrase, an id, and a word that is misspelled."""
    words, choose = library.vocabulary.words, random.Random(1)
    for _ in range(20):
        common, rare = choose.choice(words[:50]), choose.choice(words[3_000:])
        yield from (common, rare, f"{common} {rare}", f'"{common} {choose.choice(words[:50])}"')
        yield f"FR-{choose.randrange(1, 1000)}"
        yield common[:3] + common[4:]


def _versions(library: Library) -> list[list[tuple[str, int]]]:
    """What steps of the first projects could have before them: five documents each."""
    found = ArtifactVersion.objects.filter(artifact__project__in=library.projects[:MEMBER_OF])
    sources = [(str(a), n) for a, n in found.order_by("pk").values_list("artifact", "number")]
    return [sources[start : start + 5] for start in range(0, len(sources), 5)]


def _build(sources: list[tuple[str, int]], words: str) -> None:
    given = tuple(sources)
    wants = [
        Want(Need.MUST, "document", given[:1]),
        Want(Need.SHOULD, "requirements", given, concept="FR-*"),
        Want(Need.SHOULD, "sections", given, section="body/1*"),
        Want(Need.MAY, "query", given, query=words),
        Want(Need.MAY, "documents", given[1:]),
    ]
    built = build_context(wants, budget=BUDGET, weigh=lambda piece: estimate_tokens(piece.text))
    assert built.error is None, built.error
    assert built.tokens <= BUDGET


def _size() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        return cursor.fetchone()[0]
