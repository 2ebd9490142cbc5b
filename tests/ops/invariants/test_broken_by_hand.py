"""Somebody who may write to the database changes it behind our back; the invariants tell."""

import pytest
from django.db import connection, transaction

from audit.actors import Actor
from hitl.services import decide
from ops.invariants import check
from tests.scenes import asked

pytestmark = [pytest.mark.django_db, pytest.mark.administrator]

SECOND_DECISION = """
    INSERT INTO hitl_decisions (id, request_id, action, decided_by_id, comment, subject_digest,
        channel, is_break_glass, created_at)
    SELECT gen_random_uuid(), request_id, action, auth_user.id, comment, subject_digest,
        channel, is_break_glass, created_at FROM hitl_decisions, auth_user WHERE username = 'staff'
"""
# A title is nobody's business; each of these is.
BROKEN = {
    "the last event is gone": (
        "DELETE FROM event_log WHERE id = (SELECT max(id) FROM event_log)",
        "chain",
    ),
    "an event in the middle is gone": ("DELETE FROM event_log WHERE sequence = 3", "chain"),
    "an event says something else": (
        "UPDATE event_log SET data = data || '{\"version\": 9}' WHERE sequence = 3",
        "chain",
    ),
    "an event has another time": (
        "UPDATE event_log SET created_at = created_at - interval '1 hour' WHERE sequence = 3",
        "chain",
    ),
    "an event pretends that it was erased": (
        """UPDATE event_log SET data = '{"erased": true}', salt = '' WHERE sequence = 3""",
        "chain",
    ),
    "the stream's row has another head": ("UPDATE event_streams SET head_hash = 'abc'", "chain"),
    "the stream's row is gone": ("DELETE FROM event_streams", "chain"),
    "the whole log is gone": (
        "DELETE FROM event_log; DELETE FROM event_streams",
        "rows_equal_fold",
    ),
    "the project is gone": ("DELETE FROM projects", "rows_equal_fold"),
    "the log has no project and no stream": (
        "DELETE FROM projects; DELETE FROM event_streams",
        "chain",
    ),
    "a project has another status": ("UPDATE projects SET status = 'completed'", "rows_equal_fold"),
    "a task has another status": ("UPDATE tasks SET status = 'cancelled'", "rows_equal_fold"),
    "a task is gone": ("DELETE FROM tasks", "rows_equal_fold"),
    "a request has another status": (
        "UPDATE hitl_requests SET status = 'rejected'",
        "rows_equal_fold",
    ),
    "an agent is not on the board": ("DELETE FROM agent_status", "rows_equal_fold"),
    "a decision is gone": ("DELETE FROM hitl_decisions", "decision_in_log"),
    "a decision that nobody made": (SECOND_DECISION, "decision_in_log"),
    "two decisions on one request": (SECOND_DECISION, "one_decision"),
    "what was signed off has another content": (
        """UPDATE context_artifact_versions SET content = content || '{"body": "Pay me."}'""",
        "rows_equal_fold",
    ),
    "what was signed off has another content, and its hash": (
        "UPDATE context_artifact_versions SET sha256 = repeat('0', 64)",
        "rows_equal_fold",
    ),
    "a version is gone": ("DELETE FROM context_artifact_versions", "rows_equal_fold"),
    "an older claim has delivered": (
        "UPDATE task_attempts SET outcome = 'crashed'",
        "no_older_fence",
    ),
    "an effect came twice": (
        """INSERT INTO task_attempts (task_id, number, fence, worker, outcome, started_at,
               finished_at, error_code, error_detail, provider, model, calls)
           SELECT task_id, number + 1, fence - 1, worker, outcome, started_at,
               finished_at, error_code, error_detail, provider, model, calls FROM task_attempts""",
        "attempts_equal_log",
    ),
    "a claim is gone": ("DELETE FROM task_attempts", "attempts_equal_log"),
    "a viewer has become an owner": (
        "UPDATE project_members SET role = 'owner' WHERE role = 'viewer'",
        "rows_equal_fold",
    ),
    "somebody has become a member": (
        """INSERT INTO project_members (project_id, user_id, role, created_at)
           SELECT projects.id, auth_user.id, 'owner', now() FROM projects, auth_user
           WHERE username = 'staff'""",
        "rows_equal_fold",
    ),
    "a member is gone": ("DELETE FROM project_members WHERE role = 'viewer'", "rows_equal_fold"),
}


def approve(request, person):
    shown = {"action": "approve", "subject_digest": request.subject_digest, "channel": "test"}
    decide(request_id=request.pk, actor=Actor.of_user(person), **shown)


def broken_by(statement):
    """The rules that do not hold any more with it; then it is undone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        rules = {one.rule for one in check()}
        transaction.set_rollback(True)
    return rules


def test_what_somebody_changed_by_hand_is_found(project, owner, staff, subtests):
    approve(asked(project), owner)
    assert [*check()] == []

    for what, (statement, rule) in BROKEN.items():
        with subtests.test(what):
            assert rule in broken_by(statement)
    assert [*check()] == []
