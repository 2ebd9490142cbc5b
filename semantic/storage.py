"""The table of embeddings. It stands beside the texts, and goes with them when they are erased."""

from collections.abc import Sequence

from django.db import connection

EXTENSION = "vector"
# An embedding belongs to a text, which is there once a project and never changes: so a text is
# embedded once, however many versions have it. Numbers of two bytes are exact enough to rank.
CREATE = """
    CREATE TABLE context_embeddings (
        body_id bigint PRIMARY KEY REFERENCES context_bodies (id) ON DELETE CASCADE,
        project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        model varchar(200) NOT NULL,
        embedding halfvec NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
"""
# Inside the row where they fit: reading each from another place costs more.
INLINE = "ALTER TABLE context_embeddings ALTER COLUMN embedding SET STORAGE MAIN"
NEWEST = "CREATE INDEX embeddings_newest ON context_embeddings (model, body_id)"
OF_PROJECT = "CREATE INDEX embeddings_of_a_project ON context_embeddings (project_id, body_id)"
STATEMENTS = [CREATE, INLINE, NEWEST, OF_PROJECT]

MISSING = """
    SELECT id, left(text, %s) FROM context_bodies
    WHERE id > %s AND NOT EXISTS (
        SELECT 1 FROM context_embeddings AS stored
        WHERE stored.body_id = context_bodies.id AND stored.model = %s
    ) AND NOT EXISTS (
        SELECT 1 FROM emergency_stops AS stop
        WHERE stop.released_at IS NULL AND stop.agent_type = ''
          AND (stop.project_id IS NULL OR stop.project_id = context_bodies.project_id)
    ) ORDER BY id LIMIT %s
"""
LAST = "SELECT coalesce(max(body_id), 0) FROM context_embeddings WHERE model = %s"
# The text may have been erased since it was read. One of another model is replaced.
STORE = """
    INSERT INTO context_embeddings (body_id, project_id, model, embedding)
    SELECT body.id, body.project_id, %s, new.embedding::halfvec
    FROM unnest(%s::bigint[], %s::text[]) AS new (id, embedding)
    JOIN context_bodies AS body USING (id)
    ON CONFLICT (body_id) DO UPDATE SET model = excluded.model,
        embedding = excluded.embedding, created_at = excluded.created_at
"""


def missing(model: str, *, after: int, limit: int, characters: int) -> list[tuple[int, str]]:
    """Texts without an embedding of the model, oldest first; none of what is stopped."""
    with connection.cursor() as cursor:
        cursor.execute(MISSING, [characters, after, model, limit])
        return cursor.fetchall()


def last_embedded(model: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(LAST, [model])
        return cursor.fetchone()[0]


def store(model: str, ids: Sequence[int], vectors: Sequence[Sequence[float]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(STORE, [model, list(ids), [literal(vector) for vector in vectors]])


def literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{number:.6g}" for number in vector) + "]"
