import json
import sys
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from audit.actors import Actor
from audit.models import Event
from context.models import ArtifactVersion
from hitl.agent_actions.asks import ask_action
from hitl.models import Decision
from orchestrator.engine.advance import advance_project
from projects.credentials import create_credential
from projects.models import Project
from tests.scenes import agent_returns, ask_of_agent, escalate, plan, question
from tests.terminals import Typist

pytestmark = pytest.mark.django_db


def hitl(*arguments: object, user: str = "owner") -> str:
    out = StringIO()
    call_command("hitl", *map(str, arguments), f"--user={user}", stdout=out)
    return out.getvalue()


@pytest.fixture
def asked(project):
    return agent_returns(project, plan())


def test_list_names_what_waits_by_its_full_id(asked):
    assert str(asked.pk) in hitl("list")


def test_list_shows_nothing_of_projects_one_is_no_member_of(asked, outsider):
    assert hitl("list", user="outsider") == "No request is waiting.\n"


def test_list_leaves_out_what_is_settled_unless_asked(asked):
    hitl("approve", asked.pk, f"--digest={asked.subject_digest}")

    assert str(asked.pk) not in hitl("list")
    assert str(asked.pk) in hitl("list", "--all")


def test_list_as_json_carries_the_digest(asked):
    assert json.loads(hitl("list", "--json"))["subject_digest"] == asked.subject_digest


def test_list_of_a_project_one_may_not_see_is_an_error(asked, outsider):
    with pytest.raises(CommandError, match="no such project"):
        hitl("list", f"--project={asked.project_id}", user="outsider")


def test_show_prints_content_actions_and_digest(asked):
    shown = hitl("show", asked.pk)

    assert "First ask, then build." in shown
    assert f"subject_digest: {asked.subject_digest}" in shown
    assert "allowed_actions: approve amend request_changes reject" in shown


def test_show_tells_who_cannot_decide_and_why(asked):
    assert "viewer cannot decide: Your role is viewer" in hitl("show", asked.pk, user="viewer")


def test_show_prints_the_questions_of_a_clarification(project):
    assert "1. Who lends?" in hitl("show", agent_returns(project, question()).pk)


def test_show_prints_the_error_of_an_escalation(project):
    request = escalate(project, "model_refused", "The provider refused.")

    assert "model_refused: The provider refused." in hitl("show", request.pk)


def test_show_prints_what_changed_since_the_last_decision(project):
    first = agent_returns(project, plan("First ask, then build."))
    hitl("request-changes", first.pk, f"--digest={first.subject_digest}", "--comment=Test too")
    second = agent_returns(project, plan("First ask, then build and test."))

    shown = hitl("show", second.pk)

    assert "-First ask, then build." in shown
    assert "+First ask, then build and test." in shown


def test_the_beginning_of_an_id_is_enough_where_only_one_has_it(asked):
    assert asked.title in hitl("show", str(asked.pk)[:13])


def test_the_beginning_of_several_ids_is_an_error_that_names_them(asked, make_project):
    other = agent_returns(make_project(), plan())
    shared = str(asked.pk)[:8]
    assert str(other.pk).startswith(shared)

    with pytest.raises(CommandError, match=f"several: {asked.pk}, {other.pk}"):
        hitl("show", shared)


@pytest.mark.parametrize("wanted", ["zzz", "", "0" * 33, "\x1b[31m"])
def test_what_is_no_id_is_an_error_without_raw_control_characters(wanted, owner):
    with pytest.raises(CommandError, match="is not an id") as error:
        hitl("show", wanted)

    assert "\x1b" not in str(error.value)


def test_who_may_not_see_a_request_is_told_there_is_none(asked, outsider):
    with pytest.raises(CommandError, match="There is no request"):
        hitl("show", asked.pk, user="outsider")


def test_approve_with_the_digest_lets_the_work_go_on(asked):
    said = hitl("approve", asked.pk, f"--digest={asked.subject_digest}")

    assert said == f"{asked.pk}: approved\n"
    assert Decision.objects.get(request=asked).channel == "cli"
    assert Event.objects.get(event_type="hitl_decision_recorded").metadata == {"channel": "cli"}


def test_without_a_terminal_approve_needs_the_digest(asked):
    with pytest.raises(CommandError, match="--digest must say what you saw"):
        hitl("approve", asked.pk)

    assert not Decision.objects.exists()


def test_yes_alone_is_no_proof_of_what_was_shown(asked):
    with pytest.raises(CommandError, match="--yes needs --digest"):
        hitl("approve", asked.pk, "--yes")


def test_the_digest_of_something_else_is_refused(asked):
    with pytest.raises(CommandError, match=r"^subject_changed: "):
        hitl("approve", asked.pk, f"--digest={'0' * 64}", "--yes")


def test_to_decide_twice_is_an_error_that_names_the_standing_decision(asked):
    hitl("approve", asked.pk, f"--digest={asked.subject_digest}")

    with pytest.raises(CommandError, match="already_decided: owner has decided already: approve"):
        hitl("reject", asked.pk, f"--digest={asked.subject_digest}", "--comment=no")


@pytest.mark.parametrize("command", ["reject", "request-changes"])
def test_a_decision_against_needs_a_comment(asked, command):
    with pytest.raises(CommandError, match=r"^comment_required: "):
        hitl(command, asked.pk, f"--digest={asked.subject_digest}")


def test_reject_stops_the_project_with_the_reason(asked):
    hitl("reject", asked.pk, f"--digest={asked.subject_digest}", "--comment=Too dear")
    advance_project(asked.project_id)

    assert Project.objects.get(pk=asked.project_id).status == "failed"
    assert "Too dear" in Project.objects.get(pk=asked.project_id).status_reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.json", '{"summary": "Mine.", "body": "My own plan."}'),
        ("own.yaml", "summary: Mine.\nbody: |\n  My own plan.\n"),
    ],
)
def test_amend_goes_on_with_content_from_a_file(asked, tmp_path, name, text):
    (tmp_path / name).write_text(text)

    hitl("amend", asked.pk, f"--digest={asked.subject_digest}", f"--content-file={tmp_path / name}")

    version = ArtifactVersion.objects.get(number=2, artifact__artifact_type="agent_output")
    assert version.content["body"].strip() == "My own plan."
    assert version.author.username == "owner"


def test_amend_names_each_field_that_does_not_fit(asked, tmp_path):
    (tmp_path / "own.json").write_text('{"summary": 7}')

    with pytest.raises(CommandError, match=r"content\.summary: .*\n.*content\.body: "):
        hitl(
            *("amend", asked.pk, f"--digest={asked.subject_digest}"),
            f"--content-file={tmp_path / 'own.json'}",
        )


def test_answer_sends_the_work_on_with_the_reply(project):
    request = agent_returns(project, question())

    hitl("answer", request.pk, f"--digest={request.subject_digest}", "--text=The librarian")

    request.task.refresh_from_db()
    assert request.task.answers[0]["answer"] == "The librarian"


def test_answer_can_come_from_a_file(project, tmp_path):
    request = agent_returns(project, question())
    (tmp_path / "answer.txt").write_text("The librarian\nand her deputy")

    hitl(
        *("answer", request.pk, f"--digest={request.subject_digest}"),
        f"--text-file={tmp_path / 'answer.txt'}",
    )

    assert "deputy" in Decision.objects.get().content


def test_a_question_cannot_be_approved(project):
    request = agent_returns(project, question())

    with pytest.raises(CommandError, match=r"^action_not_allowed: .*possible: answer, reject"):
        hitl("approve", request.pk, f"--digest={request.subject_digest}")


def test_a_viewer_cannot_decide(asked):
    with pytest.raises(CommandError, match=r"^role_too_low: "):
        hitl("approve", asked.pk, f"--digest={asked.subject_digest}", user="viewer")


def test_a_superuser_without_a_role_cannot_decide(asked, staff):
    with pytest.raises(CommandError, match=r"^not_a_member: "):
        hitl("approve", asked.pk, f"--digest={asked.subject_digest}", user="staff")


def test_the_only_superuser_acts_where_nobody_is_named(asked, staff):
    out = StringIO()

    call_command("hitl", "list", stdout=out)

    assert str(asked.pk) in out.getvalue()


def test_admin_acts_among_several_superusers(asked, staff):
    User.objects.create_superuser("admin")
    out = StringIO()

    call_command("hitl", "show", str(asked.pk), stdout=out)

    assert "admin cannot decide" in out.getvalue()


def test_among_several_superusers_without_an_admin_one_must_be_named(staff):
    User.objects.create_superuser("chief")

    with pytest.raises(CommandError, match="--user NAME: staff, chief"):
        call_command("hitl", "list")


def test_an_unknown_or_inactive_person_cannot_act(outsider):
    User.objects.filter(pk=outsider.pk).update(is_active=False)

    with pytest.raises(CommandError, match="no user 'nobody'"):
        hitl("list", user="nobody")
    with pytest.raises(CommandError, match="not active"):
        hitl("list", user="outsider")


def test_an_agent_cannot_command_the_terminal(project):
    evil = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202egnp.exe &#x202e;"
    request = agent_returns(project, plan(evil, title=f"Plan {evil}"))

    shown = hitl("show", request.pk) + hitl("list")

    assert not set(shown) & set("\x1b\x07\x9b\u202e")
    assert "‹U+001B›[2J" in shown


@pytest.mark.django_db(transaction=True)
def test_on_a_terminal_approve_shows_and_asks_first(asked):
    with Typist("hitl", "approve", str(asked.pk), "--user=owner") as typist:
        typist.expect("First ask, then build.")
        typist.expect("[y/N]")
        typist.type("y")
        typist.expect("approved")

        assert typist.exit_status() == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_on_a_terminal_anything_but_yes_decides_nothing(asked):
    command = ("hitl", "approve", str(asked.pk), "--user=owner")
    with Typist(*command, python=sys.executable) as typist:
        typist.expect("[y/N]")
        typist.type("")
        typist.expect("Nothing was decided")

        assert typist.exit_status() == 1
    assert not Decision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entity_in_markdown_cannot_command_the_terminal_either(project):
    request = agent_returns(project, plan("turn &#x202e;around and &#27;[2J"))

    with Typist("hitl", "show", str(request.pk), "--user=owner") as typist:
        assert typist.exit_status() == 0
        assert "\u202e" not in typist.seen
        assert "\x1b[2J" not in typist.seen


def test_an_action_is_shown_and_amended(make_project, owner, approver, tmp_path):
    project = make_project(workflow="none", auto_start=True)
    credential, _ = create_credential(
        project_id=project.pk, actor=Actor.of_user(owner), name="support", scopes=["ask"]
    )
    action, _ = ask_action(
        project_id=project.pk,
        credential=credential,
        idempotency_key="k",
        tool={"name": "refund"},
        arguments={"order": "1234"},
        agent={"name": "support"},
    )
    request = action.requests.get()
    shown = hitl("show", request.pk, user="approver")
    (tmp_path / "own.yaml").write_text("order: '99'\n")

    file = f"--content-file={tmp_path / 'own.yaml'}"
    hitl("amend", request.pk, f"--digest={request.subject_digest}", file, user="approver")

    action.refresh_from_db()
    assert '"order": "1234"' in shown
    assert action.action_digest in hitl("show", action.requests.last().pk, user="approver")
    assert action.arguments == '{"order":"99"}'


def test_an_action_is_answered_by_its_schema(make_project, owner, approver):
    project = make_project(workflow="none", auto_start=True)
    schema = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
    asked = {"allowed": ["answer"], "response_schema": schema}
    action = ask_of_agent(project, owner, {"order": "1"}, **asked)
    request = action.requests.get()
    digest = f"--digest={request.subject_digest}"
    shown = hitl("show", request.pk, user="approver")
    assert '"enum"' in shown
    assert "The agent does not say whether it may destroy anything." in shown

    with pytest.raises(CommandError, match="XL"):
        hitl("answer", request.pk, digest, "--text=size: XL", user="approver")
    hitl("answer", request.pk, digest, "--text=size: M", user="approver")

    action.refresh_from_db()
    assert (action.status, action.answer) == ("answered", '{"size":"M"}')
