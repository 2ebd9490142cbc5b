"""What is asked of the context store, and who asks."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from rest_framework.test import APIClient

from context.assembly import Want, build_context
from context.enums import Need
from context.models import ArtifactVersion
from context.parts import estimate_tokens
from tools.benchmarks.library import DOCUMENTS_A_PROJECT, Vocabulary

MEMBER_OF, READER_OF = 5, 300
BUDGET = 20_000
LISTED = 40
SEARCH = "/api/v1/search/"
Actions = dict[str, tuple[Callable[[Any], Any], list[Any]]]


def actions_by_caller() -> Iterator[Actions]:
    """Each with all that it is asked."""
    words, steps = list(_queries()), _steps()
    builds = [(steps[n % len(steps)], query) for n, query in enumerate(words)]
    member = {
        "search": (_asks("member", SEARCH), words),
        "artifacts by words": (_asks("member", "/api/v1/artifacts/"), words),
        "context build": (lambda asked: _build(*asked), builds),
        "project listing": (_asks("member", "/api/v1/projects/"), [""] * LISTED),
    }
    yield member
    yield {f"search, in {READER_OF} projects": (_asks("reader", SEARCH), words)}
    yield {"search, in everything": (_asks("operator", SEARCH), words)}


def key_of(user: str) -> str:
    """A token that is the same in both stores."""
    return f"key-of-{user}"


def _asks(user: str, path: str) -> Callable[[str], None]:
    api = APIClient(SERVER_NAME="localhost")
    api.credentials(HTTP_AUTHORIZATION=f"Token {key_of(user)}")

    def ask(words: str) -> None:
        response = api.get(path, {"q": words} if words else {})
        assert response.status_code == 200, response.content

    return ask


def _steps() -> list[list[tuple[str, int]]]:
    """What steps of the first projects could have before them: five documents each."""
    found = ArtifactVersion.objects.order_by("pk")[: MEMBER_OF * DOCUMENTS_A_PROJECT]
    sources = [(str(a), n) for a, n in found.values_list("artifact", "number")]
    return [sources[start : start + 5] for start in range(0, len(sources), 5)]


def _queries() -> Iterator[str]:
    """Common and rare words, two words, a phrase, an id, and a word that is misspelled."""
    words, choose = Vocabulary().words, random.Random(1)
    for _ in range(20):
        common, rare = choose.choice(words[:50]), choose.choice(words[3_000:])
        yield from (common, rare, f"{common} {rare}", f'"{common} {choose.choice(words[:50])}"')
        yield f"FR-{choose.randrange(1, 1000)}"
        yield common[:3] + common[4:]


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
