"""A large store, made of words by rule: projects of twenty documents with fifty sections each."""

import hashlib
import itertools
import json
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

SECTIONS_A_DOCUMENT = 50
DOCUMENTS_A_PROJECT = 20
A_PROJECT = SECTIONS_A_DOCUMENT * DOCUMENTS_A_PROJECT
WORDS_A_SECTION = 60
PROJECTS_A_CHUNK = 25
SEED = 1_789
# About how often words occur in real texts: the tenth a tenth as often as the first.
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeio"]
TABLES = ("context_bodies", "context_sections", "context_concepts")
COLUMNS = {
    "projects": (
        "id, name, brief, workflow, oversight_level, auto_start, status, status_reason,"
        " created_by_id, created_at, updated_at"
    ),
    "context_artifacts": (
        "id, project_id, artifact_type, granularity, title, source_agent, step, version,"
        " accepted_version, created_at, updated_at"
    ),
    "context_artifact_versions": (
        "id, artifact_id, number, content, sha256, status, source_agent, provider, model, comment,"
        " created_at"
    ),
    "context_bodies": "id, project_id, sha256, text, tokens",
    "context_sections": "id, project_id, version_id, position, pointer, path, title, kind, body_id",
    "context_concepts": "project_id, version_id, position, kind, identifier, title, body_id",
}


class Vocabulary:
    """Ten thousand words, common ones first, and texts of them."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        triples = itertools.product(SYLLABLES, repeat=3)
        self.words = ["".join(three) for three in itertools.islice(triples, 0, None, 4)][:10_000]
        self.random.shuffle(self.words)
        weights = [1 / (place + 10) for place in range(len(self.words))]
        self.weights = list(itertools.accumulate(weights))

    def text(self, count: int) -> str:
        return " ".join(self.random.choices(self.words, cum_weights=self.weights, k=count))


class Library:
    """Grows project by project; the first ones are the same however large it becomes."""

    def __init__(self, owner: User) -> None:
        self.owner, self.vocabulary = owner, Vocabulary()
        self.projects: list[uuid.UUID] = []
        self.versions = self.bodies = 1_000_000

    @property
    def sections(self) -> int:
        return len(self.projects) * A_PROJECT

    def grow_to(self, sections: int) -> None:
        with _bulk():
            while self.sections < sections:
                missing = -(-(sections - self.sections) // A_PROJECT)
                self._add(min(missing, PROJECTS_A_CHUNK))

    def _add(self, projects: int) -> None:
        rows: dict[str, list[tuple]] = {table: [] for table in COLUMNS}
        for _ in range(projects):
            self._project(rows)
        with connection.cursor() as cursor:
            for table, columns in COLUMNS.items():
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows[table]:
                        copy.write_row(row)

    def _project(self, rows: dict[str, list[tuple]]) -> None:
        number, project = len(self.projects), uuid.UUID(int=self.vocabulary.random.getrandbits(128))
        self.projects.append(project)
        now = f"2026-01-01T00:00:{number % 60:02}Z"
        status = ("sdlc", "high", False, "draft", "", self.owner.pk, now, now)
        rows["projects"].append((project, f"Project {number}", "A brief.", *status))
        for document in range(DOCUMENTS_A_PROJECT):
            self._document(rows, project, document, now)

    def _document(self, rows: dict[str, list[tuple]], project: Any, number: int, now: str) -> None:
        artifact = uuid.UUID(int=self.vocabulary.random.getrandbits(128))
        self.versions += 1
        title = self.vocabulary.text(4)
        about = ("agent_output", "document", title, "analyst", f"step_{number}", 1, 1, now, now)
        rows["context_artifacts"].append((artifact, project, *about))
        made = ("accepted", "analyst", "demo", "rules", "", now)
        rows["context_artifact_versions"].append(
            (self.versions, artifact, 1, None, "0" * 64, *made)
        )
        for position in range(SECTIONS_A_DOCUMENT):
            self._section(rows, project, number * SECTIONS_A_DOCUMENT + position, position)

    def _section(self, rows: dict, project: Any, number: int, position: int) -> None:
        heading = self.vocabulary.text(3)
        words = self.vocabulary.text(WORDS_A_SECTION)
        if position == 0:
            text, place = json.dumps({"body": None, "summary": words}), ("", "outline", "outline")
        else:
            text = f"# {heading}\n\nFR-{number + 1} {words}\n"
            place = ("/body", f"body/{position}", "markdown")
        self.bodies += 1
        digest = hashlib.sha256(f"{self.bodies} {text}".encode()).hexdigest()
        rows["context_bodies"].append((self.bodies, project, digest, text, len(text) // 4))
        pointer, path, kind = place
        row = (self.bodies, project, self.versions, position, pointer, path, heading, kind)
        rows["context_sections"].append((*row, self.bodies))
        if position % 10 == 0:
            concept = ("requirement", f"FR-{number + 1}", heading, self.bodies)
            rows["context_concepts"].append((project, self.versions, position, *concept))


@contextmanager
def _bulk() -> Iterator[None]:
    """Without the indexes and checks of these tables; afterwards all are there again."""
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        checks = _rows(
            cursor,
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
        )
        indexes = _rows(
            cursor,
            "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index"
            # By these a trigger finds out whether a name is there already.
            " WHERE NOT indisunique AND pg_get_indexdef(indexrelid) NOT LIKE '%%(body_id)'"
            " AND indrelid = ANY(%s::regclass[])",
        )
        for table, name, _ in checks:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        for table, name, definition in checks:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for table in COLUMNS:
            cursor.execute(f"VACUUM ANALYZE {table}")


def _rows(cursor: Any, sql: str) -> list[tuple]:
    cursor.execute(sql, [list(TABLES)])
    return cursor.fetchall()
