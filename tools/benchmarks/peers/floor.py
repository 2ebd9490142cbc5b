"""The floor of a gated step, FROZEN: it is what all is measured against, so it is never tuned.

The same facts as ours by bare SQL: a task claimed with a fence; its artifact and a request for a
person; the decision and the next task; a hash chain over all of it. Three transactions a step with
4, 6 and 6 prepared statements, one bare Celery job a step that announces the task, and nothing
else: no permissions, no rules, no retries, no lineage, no recovery.

Times are the database's: a decision's is taken under the lock of its chain, as ours is, and the
start's likewise.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

TABLES = """
    CREATE TABLE runs (
        id uuid PRIMARY KEY, steps int NOT NULL, status text NOT NULL,
        head bigint NOT NULL, head_hash text NOT NULL);
    CREATE TABLE tasks (
        id uuid PRIMARY KEY, run uuid NOT NULL REFERENCES runs, step int NOT NULL,
        status text NOT NULL, fence int NOT NULL, worker text NOT NULL,
        lease_expires_at timestamptz, UNIQUE (run, step));
    CREATE TABLE artifacts (
        id uuid PRIMARY KEY, task uuid NOT NULL REFERENCES tasks, sha256 text NOT NULL,
        content jsonb NOT NULL);
    CREATE TABLE requests (
        id uuid PRIMARY KEY, run uuid NOT NULL REFERENCES runs,
        task uuid NOT NULL REFERENCES tasks, status text NOT NULL, digest text NOT NULL,
        created_at timestamptz NOT NULL);
    CREATE INDEX requests_pending ON requests (run) WHERE status = 'pending';
    CREATE TABLE decisions (
        id uuid PRIMARY KEY, request uuid NOT NULL UNIQUE REFERENCES requests,
        person text NOT NULL, action text NOT NULL, digest text NOT NULL,
        created_at timestamptz NOT NULL);
    CREATE TABLE log (
        run uuid NOT NULL, sequence bigint NOT NULL, kind text NOT NULL, data jsonb NOT NULL,
        created_at timestamptz NOT NULL, previous_hash text NOT NULL, hash text NOT NULL,
        PRIMARY KEY (run, sequence));
"""
LOCK = """
    SELECT steps, head, head_hash, clock_timestamp() FROM runs WHERE id = %s FOR NO KEY UPDATE
"""
APPEND = """
    INSERT INTO log (run, sequence, kind, data, created_at, previous_hash, hash) VALUES
"""
ROW = "(%s, %s, %s, %s, %s, %s, %s)"
MOVE_HEAD = "UPDATE runs SET head = %s, head_hash = %s, status = %s WHERE id = %s"

CLAIM = """
    UPDATE tasks SET status = 'working', fence = fence + 1, worker = %s,
        lease_expires_at = clock_timestamp() + interval '30 seconds'
    WHERE id = %s AND status = 'pending' RETURNING fence, step
"""
FINISH = """
    UPDATE tasks SET status = 'done', lease_expires_at = NULL
    WHERE id = %s AND status = 'working' AND fence = %s RETURNING step
"""
ADD_ARTIFACT = "INSERT INTO artifacts (id, task, sha256, content) VALUES (%s, %s, %s, %s)"
OPEN_REQUEST = """
    INSERT INTO requests (id, run, task, status, digest, created_at)
    VALUES (%s, %s, %s, 'pending', %s, %s)
"""
RESOLVE = """
    UPDATE requests SET status = 'approved'
    FROM tasks WHERE tasks.id = requests.task
        AND requests.id = %s AND requests.status = 'pending' AND requests.digest = %s
    RETURNING tasks.step
"""
ADD_DECISION = """
    INSERT INTO decisions (id, request, person, action, digest, created_at)
    VALUES (%s, %s, 'person', 'approve', %s, %s)
"""
ADD_TASK = """
    INSERT INTO tasks (id, run, step, status, fence, worker) VALUES (%s, %s, %s, 'pending', 0, '')
"""
PENDING = """
    SELECT id, run, digest FROM requests WHERE status = 'pending' AND run = ANY(%s::uuid[])
"""
WAITS = """
    SELECT decided.data ->> 'request', extract(epoch FROM decided.created_at)::float8,
        extract(epoch FROM min(started.created_at))::float8
    FROM log AS decided JOIN log AS started
        ON started.run = decided.run AND started.sequence > decided.sequence
        AND started.kind = 'started'
    WHERE decided.run = ANY(%s::uuid[]) AND decided.kind = 'decided'
    GROUP BY decided.run, decided.sequence
"""

_threads = threading.local()


def connect(url: str) -> psycopg.Connection:
    """One a thread, kept; every statement is prepared at its first use."""
    if getattr(_threads, "connection", None) is None:
        _threads.connection = psycopg.connect(url, prepare_threshold=0)
    return _threads.connection


def create_tables(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)


def add_run(url: str, steps: int) -> tuple[str, str]:
    """A run and its first task."""
    run, task = str(uuid.uuid4()), str(uuid.uuid4())
    with connect(url).transaction(), connect(url).cursor() as cursor:
        cursor.execute("INSERT INTO runs VALUES (%s, %s, 'active', 0, '')", [run, steps])
        cursor.execute(ADD_TASK, [task, run, 0])
    return run, task


def work(url: str, run: str, task: str, worker: str, prose: str) -> None:
    """The job: claim the task, have its artifact, finish it."""
    connection = connect(url)
    with connection.transaction(), connection.cursor() as cursor:
        head = Head(cursor, run)
        claimed = cursor.execute(CLAIM, [worker, task]).fetchone()
        if claimed is None:
            return
        fence, step = claimed
        head.append([("started", {"task": task, "step": step, "fence": fence})])
    content = {"summary": "Done.", "body": f"{task} {prose}"}
    with connection.transaction(), connection.cursor() as cursor:
        head = Head(cursor, run)
        if cursor.execute(FINISH, [task, fence]).fetchone() is None:
            return
        artifact, request = str(uuid.uuid4()), str(uuid.uuid4())
        sha256 = hashlib.sha256(canonical(content)).hexdigest()
        cursor.execute(ADD_ARTIFACT, [artifact, task, sha256, json.dumps(content)])
        cursor.execute(OPEN_REQUEST, [request, run, task, sha256, head.now])
        made = {"task": task, "artifact": artifact, "sha256": sha256}
        head.append([("made", made), ("asked", {"request": request, "digest": sha256})])


def decide(url: str, run: str, request: str, digest: str) -> str | None:
    """Record the decision; the id of the next task, or None where it was the last."""
    connection = connect(url)
    with connection.transaction(), connection.cursor() as cursor:
        head = Head(cursor, run)
        (step,) = cursor.execute(RESOLVE, [request, digest]).fetchone()
        cursor.execute(ADD_DECISION, [str(uuid.uuid4()), request, digest, head.now])
        decided = ("decided", {"request": request, "action": "approve", "digest": digest})
        if step + 1 == head.steps:
            head.append([decided, ("completed", {"steps": head.steps})], status="completed")
            return None
        task = str(uuid.uuid4())
        cursor.execute(ADD_TASK, [task, run, step + 1])
        head.append([decided, ("planned", {"task": task, "step": step + 1})])
    return task


class Head:
    """The end of a run's chain, locked until the commit."""

    def __init__(self, cursor: psycopg.Cursor, run: str) -> None:
        self.cursor, self.run = cursor, run
        row = cursor.execute(LOCK, [run]).fetchone()
        self.steps: int = row[0]
        self.sequence: int = row[1]
        self.hash: str = row[2]
        self.now: datetime = row[3]

    def append(
        self, entries: Sequence[tuple[str, dict[str, Any]]], *, status: str = "active"
    ) -> None:
        """Two statements: the rows at once, and the head."""
        parameters: list[Any] = []
        for kind, data in entries:
            self.sequence += 1
            previous, header = self.hash, [self.run, self.sequence, kind, data, str(self.now)]
            self.hash = hashlib.sha256(canonical([previous, header])).hexdigest()
            parameters += [self.run, self.sequence, kind, json.dumps(data), self.now]
            parameters += [previous, self.hash]
        self.cursor.execute(APPEND + ", ".join([ROW] * len(entries)), parameters)
        self.cursor.execute(MOVE_HEAD, [self.sequence, self.hash, status, self.run])


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
