"""Policy, quorum, claims, thread and break-glass from a terminal."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from hitl.policy import policy_of
from tests.scenes import asked, decide_as, fresh, join, set_policy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def hitl(*arguments: object, user: str = "owner") -> str:
    out = StringIO()
    call_command("hitl", *map(str, arguments), f"--user={user}", stdout=out)
    return out.getvalue()


def test_the_policy_is_shown_and_changed(project):
    changed = hitl(
        "policy",
        project.pk,
        "--set=required_approvals=2",
        "--set=on_timeout=escalate",
        '--set=roles_by_kind={"clarification": ["owner"]}',
    )

    policy = policy_of(project.pk)
    assert "required_approvals = 2" in changed
    assert (policy.required_approvals, policy.on_timeout) == (2, "escalate")
    assert policy.roles_by_kind == {"clarification": ["owner"]}
    assert hitl("policy", project.pk, user="viewer") == changed


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("no_such=1", "Set one of"),
        ("required_approvals", "Set one of"),
        ("required_approvals=two", "takes int"),
        ("expire_after=0", "Seconds from 1"),
        ("prevent_self_approval=1", "takes bool"),
        ("on_timeout=approve", "Use one of"),
        ('roles_by_kind={"clarification": ["viewer"]}', "can't decide"),
    ],
)
def test_a_bad_policy_is_an_error_that_says_why(project, assignment, complaint):
    with pytest.raises(CommandError, match=complaint):
        hitl("policy", project.pk, f"--set={assignment}")


def test_only_an_owner_changes_the_policy(project):
    with pytest.raises(CommandError, match="role_too_low"):
        hitl("policy", project.pk, "--set=required_approvals=2", user="approver")


def test_of_several_approvals_the_first_leaves_it_pending(project):
    set_policy(project, required_approvals=2)
    request = asked(project)

    first = hitl("approve", request.pk, f"--digest={request.subject_digest}")
    second = hitl("approve", request.pk, f"--digest={request.subject_digest}", user="approver")

    assert "pending" in first
    assert "1 of 2 approvals" in first
    assert "approved" in second


def test_show_names_the_count_the_time_the_claim_and_the_thread(project):
    set_policy(project, required_approvals=2, expire_after=3600, on_timeout="reject")
    request = asked(project)
    decide_as(join(project, "third"), request)
    hitl("claim", request.pk)
    hitl("comment", request.pk, "--text=Is it safe?", user="approver")

    shown = hitl("show", request.pk)

    assert "approvals: 1 of 2" in shown
    assert "third: approve" in shown
    assert "expires_at: " in shown
    assert "claimed by owner until" in shown
    assert "approver says: Is it safe?" in shown


def test_a_claim_is_handed_on_and_released(project):
    request = asked(project)

    assert "yours until" in hitl("claim", request.pk)
    assert "reassigned to approver" in hitl("reassign", request.pk, "--to=approver")
    with pytest.raises(CommandError, match="claimed: approver"):
        hitl("approve", request.pk, f"--digest={request.subject_digest}")
    assert "released" in hitl("release", request.pk)
    assert fresh(request).claimed_by is None


def test_past_the_rules_needs_a_reason(project, staff):
    request = asked(project)
    choice = ("approve", request.pk, f"--digest={request.subject_digest}", "--break-glass")

    with pytest.raises(CommandError, match="comment_required"):
        hitl(*choice, user="staff")

    assert "approved" in hitl(*choice, "--comment=Nobody is there.", user="staff")
    assert "(against the rules)" in hitl("show", request.pk, user="staff")
