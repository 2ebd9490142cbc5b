"""Agents whose models use tools: a local server speaks a provider's wire format, turn by turn."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.db.models.functions import Now

from agents.models import ModelRun, TaskAttempt, ToolUse, WorkspaceFile
from agents.protocols import Assignment, PermanentError
from agents.providers.endpoints import Endpoint
from agents.role import role_for, tools_of
from agents.selectors import workspace_of
from agents.services import cancel_task, take_back_lost_tasks
from agents.tool import Bench, ToolError, tools, use_tool
from agents.worker.run import run
from agents.worker.tool_loop import _Work
from agents.workspace import Workspace
from audit.actors import Actor
from context.artifact_types import artifact_types
from context.models import Artifact
from hitl.models import HitlRequest
from orchestrator.engine.progress import progress_of
from tests.agents.conftest import whole_logs
from tests.agents.demo_cases import handed
from tests.eight_turns import (
    ADDING,
    BUILD,
    COMMAND,
    DELIVERED,
    FIXED,
    SERVERS,
    USES,
    eight_turns,
)
from tests.openai_server import Answer, call, calls, refusal
from tests.scenes import (
    WORKER,
    agent_status,
    claim,
    current,
    decide_as,
    event_data,
    fresh,
    let_lease_run_out,
    make_due,
    set_policy,
    started,
    time_out,
)
from tests.ui.web.conftest import logged_in

__all__ = ["whole_logs"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]


@pytest.fixture
def speaks(request):
    return getattr(request, "param", "openai-chat")


@pytest.fixture
def server(settings, speaks):
    with SERVERS[speaks]() as running:
        endpoint = Endpoint("local", speaks, running.base_url, "sk-test")
        settings.MODEL_ENDPOINTS = {"local": endpoint}
        settings.AGENT_MODELS = settings.AGENT_MODELS | {"coder": "local:test-model"}
        yield running


@pytest.fixture
def task(project):
    return current(started(project, BUILD), "build")


@pytest.fixture
def bench(task):
    given = Assignment("A project", "coder", "build", "build", 1, "", "A brief.", ("source_code",))
    return Bench(task, given, Workspace())


def work_on(task):
    return run(task_id=task.pk, worker=WORKER)


def told(server, turn):
    """What the calls of the turn before have brought, as the model was told."""
    return server.told(server.requests[turn - 1])


def killed(task):
    """The worker dies while it waits for this answer: its lease runs out, and nobody renews it."""

    def lose(server, request):
        let_lease_run_out(task)
        take_back_lost_tasks()
        return call("list", {})(server, request)

    return lose


@pytest.mark.parametrize("speaks", SERVERS, indirect=True)
def test_a_program_is_built_over_eight_turns_though_the_worker_is_killed_and_a_person_says_no(
    server, task, project, approver
):
    set_policy(project, ask_before_tools=["run_command"])
    server.then(*eight_turns(killed(task)))

    assert not work_on(task)
    make_due(task)
    assert work_on(fresh(task))
    request = HitlRequest.objects.get(project=project)
    assert (request.kind, fresh(task).waits_for) == ("action_approval", "action_approval")
    decide_as(approver, request, "reject", comment="Not on my machine.")
    assert work_on(fresh(task))

    assert fresh(task).status == "completed"
    assert "AssertionError" in told(server, 5)
    # The second worker asks what the first one has not heard the answer of.
    assert server.requests[5]["messages"] == server.requests[4]["messages"]
    assert "1 tests: 1 passed" in told(server, 8)
    assert "refused this call: Not on my machine." in told(server, 9)
    uses = ToolUse.objects.filter(task=task)
    assert [(use.name, use.turn, use.outcome) for use in uses] == USES
    versions = WorkspaceFile.objects.filter(task=task, path="adding.py")
    assert [version.content for version in versions] == [ADDING, FIXED]
    content = Artifact.objects.get(artifact_type="source_code").versions.get().content
    assert [file["path"] for file in content["files"]] == ["adding.py", "tests/test_adding.py"]
    assert content["files"][0]["content"] == versions[1].content
    assert content["covered"] == DELIVERED["covered"]


def test_every_call_is_in_the_log_by_its_name_and_the_digest_of_its_arguments(server, task):
    server.then(
        call("write", {"path": "adding.py", "content": ADDING}), call("read", {"path": "x"})
    )
    server.contents["source_code"] = DELIVERED

    work_on(task)

    first, second = event_data(task, "tools_used")
    assert first["turn"] == 1
    assert first["calls"][0]["tool"] == "write"
    assert first["calls"][0]["outcome"] == "succeeded"
    assert second["calls"][0]["outcome"] == "failed"
    use = ToolUse.objects.get(task=task, number=1)
    assert first["calls"][0]["arguments_sha256"] == use.arguments_sha256
    assert json.loads(use.arguments)["content"] == ADDING
    assert "ADDING" not in json.dumps([first, second])


def test_an_attempt_counts_all_its_turns_also_where_it_fails(server, task):
    write = call("write", {"path": "adding.py", "content": ADDING})
    server.then(call("list", {}), refusal(500), write, call("list", {}))
    server.contents["source_code"] = DELIVERED | {"entry_point": "there_is_none.py"}

    work_on(task)
    first = TaskAttempt.objects.get(task=task)
    make_due(task)
    work_on(task)

    second = TaskAttempt.objects.get(task=task, number=2)
    # What the provider refused took nothing.
    assert (first.outcome, first.calls, first.input_tokens) == ("transient_error", 2, 100)
    # Two turns with tools, and what does not fit is told twice: one more try each.
    assert (second.outcome, second.error_code, second.calls) == (
        *("permanent_error", "invalid_content"),
        5,
    )
    assert "entry_point must be one of the files" in told(server, 6)
    assert agent_status(task) == "waiting_for_hitl"


def test_the_last_turn_has_no_tools(server, task, settings):
    settings.AGENT_MAX_TURNS = 3
    server.then(
        call("write", {"path": "adding.py", "content": ADDING}),
        call("write", {"path": "main.py", "content": "import adding\n"}),
        call("deliver_source_code", DELIVERED),
    )

    work_on(task)

    offered = [{tool["function"]["name"] for tool in r["tools"]} for r in server.requests]
    assert "write" in offered[1]
    assert offered[2] == {"deliver_source_code", "ask_person"}
    assert "no tools any more" in told(server, 3)
    assert fresh(task).status == "completed"


@pytest.mark.parametrize("limit", ["AGENT_MAX_TOKENS", "AGENT_MAX_SECONDS"])
def test_tokens_and_time_are_bounded_too(server, task, settings, limit):
    setattr(settings, limit, 0)
    server.contents["source_code"] = DELIVERED | {"files": []}

    work_on(task)

    assert {tool["function"]["name"] for tool in server.requests[0]["tools"]} == {
        *("deliver_source_code", "ask_person"),
    }


def test_once_it_is_handed_in_the_conversation_is_forgotten(server, task):
    server.then(call("write", {"path": "adding.py", "content": ADDING}))
    server.contents["source_code"] = DELIVERED

    work_on(task)

    assert fresh(task).status == "completed"
    assert ModelRun.objects.get(task=task).messages == ""


def test_the_demo_model_needs_no_tools(task):
    work_on(task)

    assert not ToolUse.objects.filter(task=task).exists()


def test_members_read_what_was_called_and_the_files_and_nobody_else(
    server, task, viewer, outsider, client_of
):
    server.then(call("write", {"path": "adding.py", "content": ADDING}))
    server.contents["source_code"] = DELIVERED
    work_on(task)

    uses = client_of(viewer).get(f"/api/v1/tasks/{task.pk}/tool-uses/").json()["results"]
    files = client_of(viewer).get(f"/api/v1/tasks/{task.pk}/workspace/").json()["results"]

    assert uses[0]["arguments"] == {"path": "adding.py", "content": ADDING}
    assert (files[0]["path"], files[0]["content"]) == ("adding.py", ADDING)
    page = logged_in(viewer).get(f"/admin/projects/project/{task.project_id}/change/")
    assert "adding.py" in page.content.decode().partition('id="tools-title"')[2]
    for what in ("tool-uses", "workspace"):
        assert client_of(outsider).get(f"/api/v1/tasks/{task.pk}/{what}/").status_code == 404


# The tools themselves.


def test_files_are_written_read_found_and_removed(bench):
    use_tool("write", {"path": "a/b.txt", "content": "one\ntwo\nthree\n"}, bench)

    assert use_tool("list", {}, bench) == "a/b.txt (14 bytes)"
    assert use_tool("read", {"path": "a/b.txt"}, bench) == "one\ntwo\nthree\n"
    two = use_tool("read", {"path": "a/b.txt", "first_line": 2, "lines": 1}, bench)
    assert two == "Lines 2 to 2 of 3:\ntwo\n"
    assert use_tool("search", {"text": "tw", "path": "a"}, bench) == "a/b.txt:2: two"
    use_tool("edit", {"path": "a/b.txt", "old": "two", "new": "2"}, bench)
    assert bench.workspace.files["a/b.txt"] == "one\n2\nthree\n"
    use_tool("delete", {"path": "a/b.txt"}, bench)
    assert use_tool("list", {}, bench) == "The workspace is empty."


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("write", {"path": "../out", "content": ""}, "must not contain"),
        ("write", {"path": "/etc/passwd", "content": ""}, "relative path"),
        ("write", {"path": "a.txt/b", "content": ""}, "stands in the way"),
        ("write", {"path": "A.TXT", "content": ""}, "case alone"),
        ("write", {"path": "n", "content": "a\0b"}, "NUL"),
        ("write", {"path": "big", "content": "x" * 101}, "at most 100 bytes"),
        ("write", {"path": "a.txt"}, "content: Field required"),
        ("write", {"path": "a.txt", "content": "", "mode": 7}, "mode: Extra inputs"),
        ("read", {"path": "none"}, "There is no file 'none'"),
        ("edit", {"path": "a.txt", "old": "a", "new": "b"}, "stands 2 times"),
        ("run_command", {"command": ["a\0b"]}, "NUL"),
        ("dance", {}, "There is no tool 'dance'"),
    ],
)
def test_what_cannot_be_done_says_why(bench, settings, name, arguments, why):
    settings.WORKSPACE_MAX_BYTES = 100
    bench.workspace.write("a.txt", "aa")

    with pytest.raises(ToolError, match=why):
        use_tool(name, arguments, bench)


def test_a_program_that_is_not_there_is_said_to_be_missing(bench):
    bench.workspace.write("main.rs", "fn main() {}\n")

    told = use_tool("run_command", {"command": ["no-such-compiler", "main.rs"]}, bench)

    assert "Exit code 127." in told
    assert "could not be run" in told


def python(program):
    return {"command": ["python3", "-c", program]}


def test_what_a_command_writes_is_kept(bench):
    bench.workspace.write("old.txt", "old")
    program = """
import os
os.rename('old.txt', 'new.txt')
os.symlink('/etc/passwd', 'link')
open('NEW.TXT', 'w').write('twin')
"""

    told = use_tool("run_command", python(program), bench)

    assert bench.workspace.files == {"NEW.TXT": "twin"}
    assert bench.workspace.changes == {"NEW.TXT": "twin", "old.txt": None}
    assert "Written: NEW.TXT.\nRemoved: old.txt.\nNot kept: link (a symbolic link)" in told
    assert "new.txt ('new.txt' and 'NEW.TXT' differ by their case alone.)" in told


def test_a_command_may_begin_a_program(bench):
    use_tool("run_command", python("open('main.py', 'w').write('print(1)')"), bench)

    assert bench.workspace.files == {"main.py": "print(1)"}


def test_of_a_command_that_writes_too_much_nothing_is_kept(bench, settings):
    settings.WORKSPACE_MAX_BYTES = 100
    bench.workspace.write("a.txt", "a" * 60)

    told = use_tool("run_command", python("open('b.txt', 'w').write('b' * 60)"), bench)

    assert "Nothing that it wrote is kept. All files together may have at most 100" in told
    assert list(bench.workspace.files) == ["a.txt"]


def test_a_file_that_was_removed_is_not_there_in_the_next_turn(task, bench):
    bench.workspace.write("a.txt", "a")
    bench.workspace.store(task, fence=1, turn=1)
    bench.workspace.mark_stored()
    bench.workspace.delete("a.txt")
    bench.workspace.store(task, fence=1, turn=2)

    assert Workspace.of(task).files == {}
    assert not workspace_of(task).exists()


def test_every_tool_tells_a_model_what_it_takes():
    assert tools.values[:4] == ["list", "read", "write", "edit"]
    assert all(item.description and item.arguments.model_json_schema() for item in tools)


# People are asked before a call.


@pytest.fixture
def asked(server, task, project):
    """The model wants to run a command, which the project's policy asks people about."""
    set_policy(project, ask_before_tools=["run_command"])
    write = ("write", {"path": "adding.py", "content": ADDING})
    server.then(calls(write, ("run_command", COMMAND)))
    server.contents["source_code"] = DELIVERED
    work_on(task)
    return HitlRequest.objects.get(project=project)


def go_on(task):
    assert fresh(task).status == "pending"
    assert work_on(fresh(task))


def test_the_job_ends_while_people_are_asked_and_goes_on_with_their_yes(
    server, task, asked, approver, project
):
    waiting = fresh(task)
    assert (waiting.status, waiting.waits_for) == ("waiting_for_hitl", "action_approval")
    assert TaskAttempt.objects.get(task=task).outcome == "needs_person"
    assert (asked.kind, asked.agent_action.status) == ("action_approval", "pending")
    assert json.loads(asked.agent_action.arguments) == COMMAND
    assert progress_of(fresh(project))["waiting_for"][0]["hitl_request"] == str(asked.pk)
    assert Workspace.of(task).files == {"adding.py": ADDING}
    assert len(server.requests) == 1

    decide_as(approver, asked)
    go_on(task)

    assert "Exit code 0.\n42" in told(server, 2)
    assert fresh(asked.agent_action).status == "succeeded"
    assert ToolUse.objects.get(task=task, name="run_command").action == asked.agent_action_id
    assert fresh(task).status == "completed"


def test_a_model_is_told_no_with_the_reason_and_goes_on(server, task, asked, approver):
    decide_as(approver, asked, "reject", comment="Not on my machine.")
    go_on(task)

    assert "refused this call: Not on my machine." in told(server, 2)
    use = ToolUse.objects.get(task=task, name="run_command")
    assert (use.outcome, fresh(asked.agent_action).status) == ("refused", "denied")
    assert fresh(task).status == "completed"
    assert fresh(task.project).status == "completed"


def test_what_a_person_changed_is_what_runs(server, task, asked, approver, project, owner):
    set_policy(project, prevent_self_approval=False)
    asked.prevents_self_approval = False
    asked.save(update_fields=["prevents_self_approval"])

    decide_as(approver, asked, "amend", content={"command": ["python3", "-c", "print('mine')"]})
    go_on(task)

    assert "Exit code 0.\nmine" in told(server, 2)
    assert "A person changed the arguments" in told(server, 2)
    ran = ToolUse.objects.get(task=task, name="run_command")
    assert json.loads(ran.arguments) == {"command": ["python3", "-c", "print('mine')"]}
    assert event_data(task, "tools_used")[-1]["calls"][0]["arguments_sha256"] == (
        ran.arguments_sha256
    )


def test_an_answer_with_two_calls_of_one_id_is_none(server, task, project):
    def twins(server, request):
        answer = calls(("run_command", COMMAND), ("run_command", {"command": ["id"]}))
        return Answer(answer(server, request).body.replace(b"call_1_2", b"call_1"))

    set_policy(project, ask_before_tools=["run_command"])
    server.then(twins)
    work_on(task)

    assert TaskAttempt.objects.get(task=task).error_code == "model_malformed_answer"
    assert not ToolUse.objects.filter(task=task).exists()


def test_a_tool_that_was_taken_away_is_not_used_any_more(server, task, asked, approver):
    role_for("coder").tools, kept = ("read", "write"), role_for("coder").tools
    try:
        decide_as(approver, asked)
        go_on(task)
    finally:
        role_for("coder").tools = kept

    assert ToolUse.objects.get(task=task, name="run_command").outcome == "failed"
    assert "no tool of yours" in told(server, 2)


def test_files_that_do_not_fit_into_the_workspace_are_for_a_person(server, project, settings):
    settings.WORKSPACE_MAX_BYTES = 10
    task = current(started(project, BUILD), "build")
    given = Assignment("A project", "coder", "build", "build", 2, "", "B", ("source_code",))
    code = {"files": [{"path": "a.py", "content": ADDING}]}
    given = replace(given, materials=(handed("source_code", code),))
    kind = artifact_types["source_code"].schema
    owner = SimpleNamespace(model=None, cancellation=SimpleNamespace(claim=claim(task)))
    with pytest.raises(PermanentError, match="do not fit into the workspace"):
        _Work(owner, given, "source_code", kind, tools_of("coder"))


def test_no_answer_in_time_is_no_yes(server, task, asked):
    HitlRequest.objects.filter(pk=asked.pk).update(on_timeout="reject", expires_at=Now())
    time_out(fresh(asked))
    go_on(task)

    assert "Nobody allowed this call in time." in told(server, 2)
    assert fresh(asked.agent_action).status == "expired"


def test_further_calls_like_it_need_no_word(server, task, asked, approver):
    bounds = {"properties": {"command": {"const": COMMAND["command"]}}, "required": ["command"]}
    decide_as(approver, asked, content={"follow_up": {"count": 1, "bounds": bounds}})
    server.then(call("run_command", COMMAND), call("run_command", COMMAND))

    go_on(task)
    assert fresh(task).status == "pending"
    go_on(task)

    # Two were allowed; the third asks.
    assert fresh(task).waits_for == "action_approval"
    assert ToolUse.objects.filter(task=task, name="run_command").count() == 2


def test_with_the_task_its_question_ends(task, asked, owner):
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)

    assert fresh(asked).status == "cancelled"
    assert fresh(asked.agent_action).status == "cancelled"


@pytest.mark.parametrize(
    "arguments",
    [{"command": []}, {"command": ["\0"]}, {"command": ["x" * 200_000]}, {"command": [1e400]}],
)
def test_nobody_is_asked_about_a_call_that_cannot_be_shown_exactly(
    server, task, project, arguments
):
    set_policy(project, ask_before_tools=["run_command"])
    server.then(call("run_command", arguments))
    server.contents["source_code"] = DELIVERED

    work_on(task)

    assert ToolUse.objects.get(task=task).outcome == "failed"
    assert not HitlRequest.objects.filter(kind="action_approval").exists()


def test_to_ask_about_fewer_tools_is_less_strict(project, owner, client_of):
    url = f"/api/v1/projects/{project.pk}/policy/"
    api = client_of(owner)

    assert api.patch(url, {"ask_before_tools": ["run_comand"]}, "json").status_code == 400
    assert api.patch(url, {"ask_before_tools": ["run_command"]}, "json").status_code == 200
    api.patch(url, {"ask_before_tools": []}, "json")

    assert fresh(project).policy_loosened_at is not None


# What a model is writing, for those who watch.


@pytest.fixture
def frames(monkeypatch):
    """Somebody watches; each piece of an answer would be a frame, were it not for the interval."""
    sent = []
    monkeypatch.setattr("agents.providers.wrappers.is_watched", lambda project: True)
    monkeypatch.setattr(
        "agents.providers.wrappers.publish_ephemeral", lambda project, content: sent.append(content)
    )
    return sent


@pytest.mark.parametrize("speaks", SERVERS, indirect=True)
def test_who_watches_sees_the_end_of_what_is_written(server, task, frames, monkeypatch):
    monkeypatch.setattr("agents.providers.partial.INTERVAL_SECONDS", 0)
    server.then(call("write", {"path": "adding.py", "content": ADDING + "# \n" * 400}))
    server.contents["source_code"] = DELIVERED

    work_on(task)

    writing = [frame for frame in frames if frame["kind"] == "writing"]
    assert {frame["call"] for frame in writing} == {"write", "deliver_source_code"}
    assert max(len(frame["text"]) for frame in writing) == 600
    assert fresh(task).status == "completed"
    assert TaskAttempt.objects.get(task=task).input_tokens == 200


def test_frames_are_few_and_none_where_nobody_watches(server, task, frames, monkeypatch):
    monkeypatch.setattr("agents.providers.partial.INTERVAL_SECONDS", 3600)
    server.then(call("write", {"path": "adding.py", "content": ADDING * 20}))
    server.contents["source_code"] = DELIVERED

    work_on(task)

    # The first of each answer at once; then the interval holds.
    assert [frame["call"] for frame in frames if frame["kind"] == "writing"] == [
        *("write", "deliver_source_code"),
    ]


def test_without_anybody_who_watches_nothing_is_streamed(server, task):
    server.contents["source_code"] = DELIVERED | {"files": []}

    work_on(task)

    assert not any(request.get("stream") for request in server.requests)
