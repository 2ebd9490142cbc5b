"""Who administers the database changes what is in it, past every trigger: what must catch it.

The log is signed before. Each act is undone by the test's transaction; with its check switched off
nothing would be found.
"""

import pytest
from django.db import connection
from rest_framework.test import APIClient

from audit import rows, verification
from audit.actors import Actor
from audit.chain import event_hash, payload_hash
from audit.checkpoints import make_checkpoint
from audit.events import EVENTS_ARCHIVED
from audit.management.commands import verify_audit
from audit.models import Event
from audit.serialization import to_wire
from audit.services import record
from core import sql
from hitl.agent_actions.asks import ask_action
from hitl.agent_actions.claims import claim_action
from hitl.models import Decision
from hitl.services import add_comment
from projects.credentials import create_credential
from tests.attacks.database import execute, problems, verify
from tests.fixtures import note_people
from tests.scenes import OWN, asked, decide_as, fresh, set_policy

pytestmark = [pytest.mark.django_db, pytest.mark.administrator]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.CHECKPOINT_DIR = str(tmp_path / "checkpoints")
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "keys" / "checkpoint.key")
    return tmp_path / "checkpoints"


@pytest.fixture
def signed(project, owner, approver, viewer):
    """A decision by break-glass, rules that one person loosened, and a request that waits."""
    set_policy(project, required_approvals=1, prevent_self_approval=False)
    decide_as(owner, asked(project), "amend", content=OWN, break_glass=True)
    add_comment(
        request_id=asked(project, "result_approval").pk,
        actor=Actor.of_user(approver),
        text="Look at the second table.",
    )
    _ask_and_answer(project, owner, approver)
    note_people()
    make_checkpoint()
    assert "as the log says" in verify()
    return fresh(project)


def _ask_and_answer(project, owner, approver) -> None:
    """One call that is approved, with two more; one by that word; one that waits."""
    credential, _ = create_credential(
        project_id=project.pk, actor=Actor.of_user(owner), name="support", scopes=["ask"]
    )

    def ask(key, **call):
        call = {"tool": {"name": "refund"}, "arguments": {"order": key}} | call
        return ask_action(
            project_id=project.pk,
            credential=credential,
            idempotency_key=key,
            agent={"name": "support"},
            **call,
        )[0]

    first = ask("a", effect="refund:a")
    follow_up = {"count": 2, "bounds": {"type": "object"}}
    decide_as(approver, first.requests.get(), content={"follow_up": follow_up})
    ask("b")
    claim_action(action_id=first.pk, credential=credential, action_digest=first.action_digest)
    ask("c", hints={"destructiveHint": True})


#: The act, which statement must catch it, and what it says.
ROWS = {
    "a decision is another person's": (
        "UPDATE hitl_decisions SET decided_by_id = (SELECT id FROM auth_user"
        " WHERE username = 'approver')",
        "rows_of_decisions",
        "the decision is gone",
    ),
    "a decision was another one": (
        "UPDATE hitl_decisions SET action = 'approve'",
        "rows_of_decisions",
        "it is approve, not amend",
    ),
    "a decision had another reason": (
        "UPDATE hitl_decisions SET comment = 'All is well.'",
        "rows_of_decisions",
        "another comment",
    ),
    "nobody went past the rules": (
        "UPDATE hitl_decisions SET is_break_glass = false",
        "rows_of_decisions",
        "mark of break-glass",
    ),
    "a decision never was": (
        "DELETE FROM hitl_decisions WHERE action = 'amend'",
        "rows_of_decisions",
        "the decision is gone",
    ),
    "a request showed something else": (
        "UPDATE hitl_requests SET subject_digest = repeat('0', 64)",
        "rows_of_requests",
        "it showed something else",
    ),
    "a request asks for fewer people": (
        "UPDATE hitl_requests SET required_approvals = required_approvals + 1",
        "rows_of_requests",
        "required_approvals",
    ),
    "an author may decide after all": (
        "UPDATE hitl_requests SET barred_authors = '{999}'",
        "rows_of_requests",
        "barred_authors",
    ),
    "a request was approved": (
        "UPDATE hitl_requests SET status = 'approved', resolved_at = now()"
        " WHERE status = 'pending'",
        "rows_of_requests",
        "it is approved, and nothing closed it",
    ),
    "a version is of another author": (
        "UPDATE context_artifact_versions SET author_id = (SELECT id FROM auth_user"
        " WHERE username = 'viewer') WHERE author_id IS NOT NULL",
        "rows_of_versions",
        "another author",
    ),
    "a version was accepted": (
        "UPDATE context_artifact_versions AS version SET status = 'accepted' WHERE status = 'draft'"
        " AND NOT EXISTS (SELECT FROM context_artifact_versions AS other WHERE other.artifact_id ="
        " version.artifact_id AND other.status = 'accepted')",
        "rows_of_versions",
        "it is accepted, not draft",
    ),
    "a version was made elsewhere": (
        "UPDATE context_artifact_versions SET provider = 'people' WHERE provider <> ''",
        "rows_of_versions",
        "another provider",
    ),
    "a member may decide": (
        "UPDATE project_members SET role = 'owner' WHERE role = 'viewer'",
        "rows_of_members",
        "is owner, not viewer",
    ),
    "a stranger is a member": (
        "INSERT INTO project_members (project_id, user_id, role, created_at)"
        " SELECT projects.id, auth_user.id, 'owner', now() FROM projects, auth_user"
        " WHERE username = 'outsider'",
        "rows_of_members",
        "no event added this member",
    ),
    "a member is gone": (
        "DELETE FROM project_members WHERE role = 'approver'",
        "rows_of_members",
        "is gone",
    ),
    "the policy is another one": (
        "UPDATE hitl_policies SET answers_count_as_content = NOT answers_count_as_content",
        "rows_of_policies",
        "answers_count_as_content",
    ),
    "the policy is gone": ("DELETE FROM hitl_policies", "rows_of_policies", "it was set"),
    "nobody loosened the rules": (
        "DELETE FROM hitl_loosenings",
        "rows_of_loosenings",
        "it was recorded, and is gone",
    ),
    "the mark of loosened rules is gone": (
        "UPDATE projects SET policy_loosened_at = NULL",
        "rows_of_projects",
        "mark of loosened rules",
    ),
    "the oversight is another one": (
        "UPDATE projects SET oversight_level = 'low'",
        "rows_of_projects",
        "its oversight is low, not high",
    ),
    "the project is completed": (
        "UPDATE projects SET status = 'completed'",
        "rows_of_projects",
        "it is completed, not active",
    ),
    "a comment had another text": (
        "UPDATE hitl_comments SET text = 'All is well.'",
        "rows_of_comments",
        "another text",
    ),
    "a comment is another person's": (
        "UPDATE hitl_comments SET author_id = (SELECT id FROM auth_user WHERE username = 'viewer')",
        "rows_of_comments",
        "another author",
    ),
    "a comment is gone": ("DELETE FROM hitl_comments", "rows_of_comments", "written, and is gone"),
    "an action was approved": (
        "UPDATE agent_actions SET status = 'approved' WHERE status = 'pending'",
        "rows_of_actions",
        "it is approved, not pending",
    ),
    "an action may be claimed again": (
        "UPDATE agent_actions SET fence = 0, status = 'approved', lease_expires_at = NULL"
        " WHERE status = 'executing'",
        "rows_of_actions",
        "it is approved, not executing",
    ),
    "an action was never claimed": (
        "UPDATE agent_actions SET fence = 5 WHERE status = 'executing'",
        "rows_of_actions",
        "another number of times",
    ),
    "an action has another effect": (
        "UPDATE agent_actions SET effect = 'refund:z' WHERE effect <> ''",
        "rows_of_actions",
        "another effect",
    ),
    "an action is another call": (
        "UPDATE agent_actions SET action_digest = 'sha256:' || repeat('0', 64)",
        "rows_of_actions",
        "another call than was shown",
    ),
    "a person decided what a rule did": (
        "UPDATE agent_actions SET rule_id = NULL",
        "rows_of_actions",
        "another standing approval, or by none",
    ),
    "an action never was": (
        "DELETE FROM agent_actions WHERE rule_id IS NOT NULL",
        "rows_of_actions",
        "asked for, and is gone",
    ),
    "a standing approval is for more calls": (
        "UPDATE standing_approvals SET uses_max = 50",
        "rows_of_standing_approvals",
        "another number of calls",
    ),
    "a standing approval holds longer": (
        "UPDATE standing_approvals SET expires_at = expires_at + interval '1 year'",
        "rows_of_standing_approvals",
        "ends at another time",
    ),
    "a standing approval is for another tool": (
        'UPDATE standing_approvals SET tool = \'{"name": "pay"}\'',
        "rows_of_standing_approvals",
        "another tool",
    ),
    "a standing approval was not used": (
        "UPDATE standing_approvals SET uses_count = 0",
        "rows_of_standing_approvals",
        "used another number of times",
    ),
    "a standing approval is another person's": (
        "UPDATE standing_approvals SET given_by_id = (SELECT id FROM auth_user"
        " WHERE username = 'owner')",
        "rows_of_standing_approvals",
        "of another person",
    ),
    "somebody else has that name": (
        "UPDATE auth_user SET username = 'approver2' WHERE username = 'approver'",
        "rows_of_users",
        "other than was recorded: username",
    ),
    "somebody became a superuser": (
        "UPDATE auth_user SET is_superuser = true WHERE username = 'viewer'",
        "rows_of_users",
        "other than was recorded: is_superuser",
    ),
    "somebody came by the back door": (
        "INSERT INTO auth_user (username, password, first_name, last_name, email, is_staff,"
        " is_superuser, is_active, date_joined)"
        " VALUES ('mallory', '', '', '', '', true, true, true, now())",
        "rows_of_users",
        "no event made this user",
    ),
}


@pytest.mark.parametrize(("act", "statement", "problem"), ROWS.values(), ids=ROWS)
def test_what_a_row_says_is_held_against_the_log(
    signed, outsider, act, statement, problem, monkeypatch
):
    note_people()
    execute(act)

    assert problem in problems()

    others = [name for name in rows._statements if name != statement]
    monkeypatch.setattr(rows, "_statements", others)
    monkeypatch.setattr(rows, "_checks", [])
    assert "as the log says" in verify()


def test_the_api_says_so_too(signed, owner, client_of):
    path = f"/api/v1/audit/verify/?project={signed.pk}"
    before = client_of(owner).get(path).json()

    execute("UPDATE hitl_decisions SET is_break_glass = false")

    after = client_of(owner).get(path).json()
    assert (before["valid"], before["first_row_problem"]) == (True, None)
    assert before["rows_checked"] > 5
    assert (after["valid"], after["first_broken_sequence"]) == (False, None)
    assert "mark of break-glass" in after["first_row_problem"]


CONTENTS = {
    "the text of a version": (
        'UPDATE context_artifact_versions SET content = \'{"summary": "Evil.", "body": ""}\''
        " WHERE number = 1 AND provider <> ''",
        "its content does not have its hash",
    ),
    "what a request shows": (
        "UPDATE hitl_requests SET subject = subject || '{\"round\": 7}'",
        "what it shows does not have its digest",
    ),
    "the arguments of an action": (
        'UPDATE agent_actions SET arguments = \'{"order":"z"}\' WHERE rule_id IS NULL',
        "its call does not have its digest",
    ),
    "the bounds of a standing approval": (
        "UPDATE standing_approvals SET bounds = '{}'",
        "it had other bounds",
    ),
    "the text of a decision": (
        'UPDATE hitl_decisions SET content = \'{"summary": "Evil."}\' WHERE content IS NOT NULL',
        "it had another content",
    ),
}


@pytest.mark.parametrize(("act", "problem"), CONTENTS.values(), ids=CONTENTS)
def test_a_text_is_held_against_its_hash(signed, act, problem, monkeypatch):
    execute(act)

    assert problem in problems()

    monkeypatch.setattr(rows, "_checks", [])
    assert "as the log says" in verify()


# The log itself.


def rehash(project) -> None:
    """Another person decided, and every hash from there on is computed anew."""
    previous = ""
    for event in Event.rows.filter(project=project.pk).order_by("sequence"):
        if event.event_type == "hitl_decision_recorded":
            event.data |= {"comment": "All is well."}
            event.payload_hash = payload_hash(event.salt, event.data)
        event.previous_hash = previous
        event.hash = previous = event_hash(to_wire(event))
        event.save()
    execute("UPDATE event_streams SET head_hash = %s WHERE project = %s", previous, project.pk)
    execute("UPDATE hitl_decisions SET comment = 'All is well.'")
    assert not Decision.objects.exclude(comment="All is well.").exists()


@pytest.fixture
def unguarded(monkeypatch):
    """The tree is looked at nowhere."""
    leaf = sql._texts()["leaf_of_project_without_its_event"]
    yield lambda: (
        monkeypatch.setattr(verify_audit.Command, "verify_tree", lambda self, *_: True),
        sql.replace("leaf_of_project_without_its_event", "SELECT 1 WHERE false"),
    )
    sql.replace("leaf_of_project_without_its_event", leaf)


def test_a_log_that_was_computed_anew_is_not_the_one_that_was_signed(signed, owner, unguarded):
    execute("SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
        rehash(signed)
        cursor.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
    assert "is not the event that was signed" in problems()

    # So is the tree.
    execute(
        "UPDATE log_leaves SET hash = event_log.hash FROM event_log"
        " WHERE event_log.project = log_leaves.project"
        " AND event_log.sequence = log_leaves.sequence"
    )
    assert "are not those that were signed" in problems()
    client = APIClient()
    client.force_authenticate(owner)
    answer = client.get(f"/api/v1/audit/verify/?project={signed.pk}").json()
    assert (answer["valid"], answer["first_broken_sequence"]) == (False, None)
    assert "are not those that were signed" in answer["checkpoint"]["detail"]

    unguarded()
    assert "as the log says" in verify()


GONE = """
    DO $$ DECLARE found record; BEGIN
        SET CONSTRAINTS ALL DEFERRED;
        FOR found IN SELECT DISTINCT table_name, column_name FROM information_schema.columns
            JOIN pg_class ON relname = table_name AND relkind = 'r'
            WHERE table_schema = 'public' AND column_name = 'project' LOOP
            EXECUTE format('DELETE FROM %%I WHERE %%I = (SELECT id FROM projects LIMIT 1)',
                           found.table_name, found.column_name);
        END LOOP;
    END $$
"""


def test_a_project_that_is_gone_as_a_whole_was_signed(signed, unguarded):
    execute(GONE)
    execute("TRUNCATE projects CASCADE")

    assert "were signed: an older backup was restored, or events are gone" in problems()

    unguarded()
    assert "as the log says" in verify()


def test_a_project_whose_rows_are_gone_is_in_the_log(signed, monkeypatch):
    execute("TRUNCATE projects CASCADE")

    assert "it was created, and is gone" in problems()

    monkeypatch.setattr(rows, "_statements", [])
    assert "as the log says" in verify()


class Everything(dict):
    def __contains__(self, sequence) -> bool:
        return True


def test_an_archive_that_nobody_made_hides_nothing(signed, monkeypatch):
    """The payloads are gone, the log says that a file has them, and the rows say what they like."""
    last = Event.objects.filter(project=signed.pk).last()
    execute(
        "UPDATE event_log SET data = '{\"erased\": true}', salt = '' WHERE project = %s", signed.pk
    )
    record(
        project_id=signed.pk,
        event_type=EVENTS_ARCHIVED,
        actor=Actor.of_system("archive"),
        data={"first": 1, "through": last.sequence, "sha256": "0" * 64, "head": last.hash},
    )
    execute("UPDATE hitl_decisions SET comment = 'All is well.'")
    make_checkpoint()

    assert "broken at sequence 1 " in problems()

    monkeypatch.setattr(verification, "archived_payloads", lambda project: Everything())
    assert "as the log says" in verify()
