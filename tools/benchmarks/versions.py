"""`python -m benchmarks versions`: what a version of a lightly edited document takes on disk.

The floor is the same edits in a table with one JSON column, as one would write it first.
"""

import argparse
import json
import random

DOCUMENT_BYTES = 200_000
VERSIONS = 50
TABLES = (
    *("context_artifact_versions", "context_sections", "context_concepts"),
    *("context_bodies", "context_derivations"),
)
WORDS = [
    "members",
    "borrow",
    "books",
    "from",
    "the",
    "library",
    "for",
    "two",
    "weeks",
    "and",
    "librarians",
    "add",
    "lend",
    "and",
    "renew",
    "them",
    "while",
    "fees",
    "reminders",
    "reservations",
    "shelves",
    "catalogues",
    "copies",
    "returns",
    "readers",
    "keep",
    "their",
    "order",
]


def report(options: argparse.Namespace) -> None:
    from django.contrib.auth.models import User
    from django.db import connection

    from audit.actors import Actor
    from context.services import add_version, create_artifact
    from core.database import as_owner
    from projects.services import create_project

    owner = Actor.of_user(User.objects.create_user("writer"))
    project = create_project(actor=owner, name="Long", brief="A long text.", auto_start=False)
    edits = documents()
    first = {"text": next(edits)}
    artifact = create_artifact(
        actor=owner, project_id=project.pk, artifact_type="user_input", title="Long", content=first
    )
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare_versions (id bigserial PRIMARY KEY, content jsonb)")
        insert(cursor, first)
        before, bare_before = size(cursor, *TABLES), size(cursor, "bare_versions")
        for text in edits:
            add_version(actor=owner, artifact_id=artifact.pk, content={"text": text})
            insert(cursor, {"text": text})
        ours = (size(cursor, *TABLES) - before) / VERSIONS
        bare = (size(cursor, "bare_versions") - bare_before) / VERSIONS
        cursor.execute("DROP TABLE bare_versions")
    print(f"document                            {len(first['text']) / 1000:8.1f} kB")
    print(f"a lightly edited version            {ours / 1000:8.1f} kB")
    print(f"floor: a JSON column, compressed    {bare / 1000:8.1f} kB   ratio {ours / bare:5.2f}")
    print(f"of the document's own size          {ours / len(first['text']):8.1%}")


def documents():
    """One document, and then the same with one more sentence somewhere, again and again."""
    luck = random.Random(6)
    lines = []
    while sum(map(len, lines)) < DOCUMENT_BYTES:
        if len(lines) % 25 == 0:
            lines.append(f"## Chapter {len(lines) // 25}\n\n")
        lines.append(sentence(luck))
    yield "".join(lines)
    for _ in range(VERSIONS):
        lines.insert(luck.randrange(len(lines)), sentence(luck))
        yield "".join(lines)


def sentence(luck: random.Random) -> str:
    return " ".join(luck.choices(WORDS, k=12)).capitalize() + ".\n"


def insert(cursor, content: dict) -> None:
    cursor.execute("INSERT INTO bare_versions (content) VALUES (%s)", [json.dumps(content)])


def size(cursor, *tables: str) -> int:
    cursor.execute("SELECT sum(pg_total_relation_size(t)) FROM unnest(%s::text[]) t", [[*tables]])
    return int(cursor.fetchone()[0])
