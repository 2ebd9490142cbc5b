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
WARM_UP = 20
BUDGET = 20_000
SEARCH = "/api/v1/search/"


def report(options: argparse.Namespace) -> None:
    operator = User.objects.create_superuser("operator", password=None)
    member = User.objects.create_user("member")
    library = Library(operator)
    small = _at_size(library, min(SMALL, options.sections), member, operator, options.samples)
    if options.sections <= SMALL:
        return
    large = _at_size(library, options.sections, member, operator, options.samples)
    print(f"\np95 in ms             {SMALL:>12,} {options.sections:>12,}   ratio")
    for name in small:
        print(f"{name:<22}{small[name]:12.1f} {large[name]:12.1f} {large[name] / small[name]:7.2f}")


def _at_size(
    library: Library, sections: int, member: User, operator: User, samples: int
) -> dict[str, float]:
    start = time.perf_counter()
    library.grow_to(sections)
    for project in library.projects[:MEMBER_OF]:
        Membership.objects.get_or_create(project_id=project, user=member, role="viewer")
    print(f"{library.sections:,} sections, {_size()}, made in {time.perf_counter() - start:.0f} s")
    results = {}
    for name, action in _actions(library, _client(member), _client(operator)).items():
        times = _times(action, samples)
        results[name] = statistics.quantiles(times, n=100, method="inclusive")[94] * 1000
        print(f"  {name:<22} p50 {statistics.median(times) * 1000:8.1f} ms", end="")
        print(f"   p95 {results[name]:8.1f} ms")
    return results


def _times(action: Callable[[int], Any], samples: int) -> list[float]:
    times = []
    for number in range(samples + WARM_UP):
        start = time.perf_counter()
        action(number)
        times.append(time.perf_counter() - start)
    return times[WARM_UP:]


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
