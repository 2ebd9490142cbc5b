import hashlib
import json
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from agents.protocols import PermanentError
from agents.services import activate_emergency_stop
from audit.actors import Actor
from hitl.models import Decision, HitlRequest
from projects.models import Project
from projects.services import cancel_project, pause_project
from tests.fixtures import BRIEF
from tests.scenes import set_policy, work_goes_on
from tests.terminals import Typist
from ui.terminal import project_state, session

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "library.md"
SHORT = """
name: short
version: 1
title: A plan alone
steps:
  - {id: plan, title: Plan, phase: plan, agent: orchestrator, creates: [agent_output], gate: plan,
     requires: [user_input], instructions: Plan.}
"""
FAILED, CANCELLED, PERSON_NEEDED, TIMED_OUT, NO_WORKER, INTERRUPTED = 3, 4, 5, 6, 7, 130


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    """For a person four times a second is often enough; a test would wait a quarter for each."""
    monkeypatch.setattr(session, "POLL_SECONDS", 0.02)


class RefusingModel:
    """The edge to a provider that refuses."""

    def produce(self, assignment, **wanted):
        raise PermanentError("model_refused", "The \x1b[31mprovider\x1b[0m refused.")


def run_project(*arguments: object) -> tuple[int, str]:
    """Exit status and what was said."""
    out = StringIO()
    try:
        call_command("run_project", *map(str, arguments), stdout=out)
    except SystemExit as exit:
        return exit.code, out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def brief(tmp_path):
    path = tmp_path / "brief.md"
    path.write_text(BRIEF)
    return path


@pytest.fixture
def as_owner(owner):
    return "--user=owner"


def test_an_example_runs_to_its_end_unattended_and_is_written_out(as_owner, tmp_path):
    folder = tmp_path / "out"

    with work_goes_on():
        status, said = run_project(
            EXAMPLE, as_owner, "--approve-all", f"--output={folder}", "--name=Mine"
        )

    assert status == 0
    assert (Project.objects.get().name, Project.objects.get().status) == ("Mine", "completed")
    assert {"Phase discovery", "Phase launch"} <= {line[7:] for line in said.splitlines()}
    assert "coder is working on Source code" in said
    assert "deployment_package" in said
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    # Every approval is a recorded decision.
    assert HitlRequest.objects.filter(status="approved").count() == 8
    assert set(Decision.objects.values_list("channel", "action")) == {("cli", "approve")}


def test_a_question_is_never_answered_unattended(as_owner, tmp_path):
    (tmp_path / "thin.md").write_text("Something nice please")

    with work_goes_on():
        status, said = run_project(tmp_path / "thin.md", as_owner, "--approve-all")

    request = HitlRequest.objects.get()
    assert status == PERSON_NEEDED
    assert request.kind == "clarification"
    assert request.is_pending
    assert f"manage.py hitl show {request.pk}" in said
    assert request.subject["questions"][0] in said


def test_an_escalation_is_never_approved_unattended(as_owner, brief, settings):
    settings.MODEL_PROVIDERS = {"demo": f"{__name__}.RefusingModel"}

    with work_goes_on():
        status, said = run_project(brief, as_owner, "--approve-all")

    assert status == PERSON_NEEDED
    assert "model_refused" in said
    assert "\x1b" not in said
    assert HitlRequest.objects.get().is_pending


def test_without_a_terminal_the_first_request_ends_the_command(as_owner, brief):
    with work_goes_on():
        status, said = run_project(brief, as_owner)

    assert status == PERSON_NEEDED
    assert "there is no terminal to ask on" in said
    assert f"run_project --resume {Project.objects.get().pk}" in said
    assert HitlRequest.objects.get().is_pending


@pytest.fixture
def short_workflow(tmp_path, monkeypatch):
    """Its name; over after one step."""
    (tmp_path / "short.yaml").write_text(SHORT)
    monkeypatch.setattr("orchestrator.engine.definition.WORKFLOWS", tmp_path)
    return "short"


def test_resume_goes_on_where_an_earlier_command_stopped(as_owner, brief, short_workflow):
    with work_goes_on():
        run_project(brief, as_owner, f"--workflow={short_workflow}")
        status, said = run_project(
            f"--resume={Project.objects.get().pk}", as_owner, "--approve-all"
        )

    assert status == 0
    assert "Project started" not in said
    assert Project.objects.get().status == "completed"


def test_resume_starts_a_draft_and_resumes_a_paused_project(
    make_project, as_owner, owner, short_workflow
):
    project = make_project(workflow=short_workflow)
    with work_goes_on():
        run_project(f"--resume={project.pk}", as_owner)
        pause_project(project_id=project.pk, actor=Actor.of_user(owner))
        status, said = run_project(f"--resume={project.pk}", as_owner, "--approve-all")

    assert "Project resumed by owner" in said
    assert status == 0


def test_a_project_that_is_paused_meanwhile_needs_a_person(as_owner, owner, brief, monkeypatch):
    show_news = session.Session._show_news

    def show_news_then_pause(following):
        project = Project.objects.get()
        if project.status == "active":
            pause_project(project_id=project.pk, actor=Actor.of_user(owner))
        return show_news(following)

    monkeypatch.setattr(session.Session, "_show_news", show_news_then_pause)
    status, said = run_project(brief, as_owner)

    assert status == PERSON_NEEDED
    assert "somebody has to resume it" in said


def test_a_cancelled_project_has_its_own_exit_status(project, as_owner, owner):
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner), reason="No budget")

    status, said = run_project(f"--resume={project.pk}", as_owner)

    assert status == CANCELLED
    assert "cancelled: No budget" in said


def test_who_may_not_decide_approves_nothing(project, as_owner, viewer):
    with work_goes_on():
        run_project(f"--resume={project.pk}", as_owner)
        status, said = run_project(f"--resume={project.pk}", "--user=viewer", "--approve-all")

    assert status == PERSON_NEEDED
    assert "viewer cannot approve" in said


def test_who_may_not_see_a_project_cannot_follow_it(project, outsider):
    with pytest.raises(CommandError, match="no such project, or you may not see it"):
        run_project(f"--resume={project.pk}", "--user=outsider")


def test_without_a_worker_it_says_so_and_ends(as_owner, brief, monkeypatch):
    monkeypatch.setattr(project_state, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(session, "WORKER_PATIENCE_SECONDS", 0.2)

    status, said = run_project(brief, as_owner)

    assert status == NO_WORKER
    assert "No worker is running for agents, engine and sweep" in said
    assert Project.objects.get().status == "active"


def test_without_redis_it_says_so(as_owner, brief, monkeypatch, settings):
    monkeypatch.setattr(project_state, "QUIET_SECONDS", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    status, said = run_project(brief, as_owner, "--timeout=1")

    assert status == TIMED_OUT
    assert "Redis does not answer" in said


def test_the_time_out_leaves_the_project_as_it_is(as_owner, brief):
    status, said = run_project(brief, as_owner, "--timeout=0.3")

    assert status == TIMED_OUT
    assert "continues without this command" in said
    assert Project.objects.get().status == "active"


@pytest.mark.parametrize(("agent", "who"), [("", "no agent"), ("analyst", "no analyst")])
def test_a_stop_that_stood_before_is_told_at_once(as_owner, brief, staff, agent, who):
    activate_emergency_stop(actor=Actor.of_user(staff), reason="Look first", agent_type=agent)

    status, said = run_project(brief, as_owner, "--timeout=0.3")

    assert status == TIMED_OUT
    assert f"An emergency stop is active: {who} works here" in said


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "Write a brief"),
        (b" \n\t", "Write a brief"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"null \x00 character", "null characters"),
        (b"x" * 100_001, "too long: a brief has at most 100,000 characters"),
        ("😀".encode() * 100_001, "too long"),
    ],
)
def test_a_brief_that_is_none_creates_nothing(as_owner, tmp_path, content, complaint):
    (tmp_path / "brief.md").write_bytes(content)

    with pytest.raises(CommandError, match=complaint):
        run_project(tmp_path / "brief.md", as_owner)

    assert not Project.objects.exists()


def test_a_brief_of_the_greatest_length_with_a_byte_order_mark_is_taken(as_owner, tmp_path):
    (tmp_path / "brief.md").write_text("😀" * 100_000, encoding="utf-8-sig")

    run_project(tmp_path / "brief.md", as_owner, "--timeout=0.1")

    assert len(Project.objects.get().brief) == 100_000


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "either a file with the brief or --resume"),
        (("no-such-file.md",), "cannot be read"),
        (("/tmp",), "is a folder"),  # noqa: S108
        (("--resume=nonsense",), "is not a project's id"),
        (("--resume=nonsense", "--name=New"), "--name is for a new project"),
    ],
)
def test_bad_arguments_create_nothing(as_owner, arguments, complaint):
    with pytest.raises(CommandError, match=complaint):
        run_project(*arguments, as_owner)

    assert not Project.objects.exists()


def test_an_unknown_workflow_creates_nothing(as_owner, brief):
    with pytest.raises(CommandError, match=r"no such workflow\. Use one of: .*sdlc"):
        run_project(brief, as_owner, "--workflow=waterfall")

    assert not Project.objects.exists()


def test_a_folder_that_is_not_empty_is_refused_before_anything_starts(as_owner, brief):
    with pytest.raises(CommandError, match="is not empty"):
        run_project(brief, as_owner, f"--output={brief.parent}")

    assert not Project.objects.exists()


def test_control_characters_of_a_brief_do_not_reach_the_terminal(as_owner, tmp_path):
    (tmp_path / "brief.md").write_text("# Title \x1b[2J\x9b\n\n" + BRIEF)

    _, said = run_project(tmp_path / "brief.md", as_owner, "--timeout=0.1")

    assert not set(said) & set("\x1b\x9b")


def test_a_person_on_a_terminal_is_shown_asked_and_obeyed(as_owner):
    with Typist("run_project", str(EXAMPLE), as_owner) as typist, work_goes_on():
        typist.expect("What to look at when you decide")
        typist.expect("[l] leave it to somebody else")
        typist.type("")
        typist.expect("type one of the letters")
        typist.type("c")
        typist.expect("What should change?")
        typist.type("Say more about loans")
        typist.type("")
        typist.expect("Changed since version 1")
        typist.expect("[r] reject")
        typist.type("a")
        typist.expect("Approve the plan: Project plan")
        typist.expect("[r] reject")
        typist.type("r")
        typist.expect("Why?")
        typist.type("Too dear")
        typist.type("")
        typist.expect("Reject? [y/N]")
        typist.type("y")
        typist.expect("failed")

        assert typist.exit_status() == FAILED
    actions = Decision.objects.order_by("created_at").values_list("action", flat=True)
    assert list(actions) == ["request_changes", "approve", "reject"]


def test_a_person_on_a_terminal_answers_questions(as_owner, tmp_path):
    (tmp_path / "thin.md").write_text("Something nice please")

    with (
        Typist("run_project", str(tmp_path / "thin.md"), as_owner) as typist,
        work_goes_on(),
    ):
        typist.expect("[w] answer")
        questions = HitlRequest.objects.get().subject["questions"]
        typist.type("w")
        for _ in questions:
            typist.expect("an empty line ends it")
            typist.type(BRIEF.replace("\n", " "))
            typist.type("")
        typist.expect("owner decided: answer")
        typist.expect("leave it to somebody else")
        typist.interrupt()

        assert typist.exit_status() == INTERRUPTED
    assert "borrow books" in Decision.objects.get().content


def test_what_was_typed_before_a_question_is_no_answer_to_it(as_owner, brief):
    with Typist("run_project", str(brief), as_owner) as typist, work_goes_on():
        typist.expect("Project started")
        typist.type_blindly("a\ra\ra\r")
        typist.expect("leave it to somebody else")
        typist.interrupt()

        assert typist.exit_status() == INTERRUPTED
    assert not Decision.objects.exists()


def test_an_edit_in_the_persons_editor_goes_on(as_owner, brief, tmp_path, monkeypatch):
    script = tmp_path / "editor.sh"
    script.write_text("#!/bin/sh\nsed -i 's/^summary:.*/summary: Mine now/' \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    monkeypatch.delenv("VISUAL", raising=False)

    with Typist("run_project", str(brief), as_owner) as typist, work_goes_on():
        typist.expect("leave it to somebody else")
        typist.type("m")
        typist.expect("to open your editor")
        typist.type("")
        typist.expect("owner decided: amend")
        typist.expect("Waiting for somebody who can decide.")
        typist.interrupt()
        typist.exit_status()
    assert Decision.objects.get().content["summary"] == "Mine now"


@pytest.mark.slow
def test_ctrl_c_leaves_the_project_and_says_how_to_go_on(as_owner, brief):
    with Typist("run_project", str(brief), as_owner, python=sys.executable) as typist:
        typist.expect("all idle")
        typist.interrupt()
        typist.expect(f"--resume {Project.objects.get().pk}")

        assert typist.exit_status() == INTERRUPTED
    assert Project.objects.get().status == "active"


def test_where_others_must_approve_too_it_stops_and_says_how_many(project, as_owner):
    set_policy(project, required_approvals=2)
    with work_goes_on():
        status, said = run_project(f"--resume={project.pk}", as_owner, "--approve-all")
        again, said_again = run_project(f"--resume={project.pk}", as_owner, "--approve-all")

    assert (status, again) == (PERSON_NEEDED, PERSON_NEEDED)
    assert "1 of 2 approvals" in said
    assert "owner has decided already: approve" in said_again
    assert Decision.objects.count() == 1
