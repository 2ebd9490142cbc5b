"""What holds is said to hold; each thing that does not is found."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from agents.models import Task, TaskAttempt
from agents.protocols import TransientError
from agents.services import claim_task, fail_attempt, finish_task, take_back_lost_tasks
from audit.actors import Actor
from audit.models import Event
from hitl.models import HitlRequest
from hitl.services import decide
from ops.invariants import check, rows
from orchestrator.engine.advance import advance_project
from orchestrator.engine.erasure import erase_project
from projects.models import Project
from projects.services import cancel_project, pause_project
from tests.scenes import asked, pending_task, running, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(project) -> HitlRequest:
    return asked(project)


def rules(**options) -> set[str]:
    return {one.rule for one in check(**options)}


def approve(request: HitlRequest, user) -> str:
    decision = decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action="approve",
        subject_digest=request.subject_digest,
        channel="test",
    )
    return str(decision.pk)


def write(folder, name: str, *lines: dict) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_project_at_work_holds(request_, owner):
    approve(request_, owner)
    advance_project(request_.project_id)
    task = pending_task(request_.project)
    claim = claim_task(task_id=task.pk, worker="test:1:1")
    fail_attempt(claim=claim, error=TransientError("overloaded", "Busy."))

    assert rules() == set()


@pytest.mark.django_db(transaction=True)
def test_work_that_goes_on_meanwhile_is_no_contradiction(request_, owner, monkeypatch):
    real = rows.verify_stream

    def verify_while_somebody_pauses_it(project_id):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(pause_elsewhere, project_id, owner).result(30)
        return real(project_id)

    monkeypatch.setattr(rows, "verify_stream", verify_while_somebody_pauses_it)

    assert rules() == set()
    assert Project.objects.get(pk=request_.project_id).status == "paused"


def pause_elsewhere(project_id, owner):
    try:
        pause_project(project_id=project_id, actor=Actor.of_user(owner))
    finally:
        connection.close()


def test_a_row_that_the_log_does_not_know_of_is_found(request_):
    Project.objects.filter(pk=request_.project_id).update(status="paused")
    Task.objects.filter(pk=request_.task_id).update(title="A title alone is nobody's business")

    assert rules() == {"rows_equal_fold"}


def test_a_late_write_is_found(request_):
    """As if the fence had not been looked at."""
    task = request_.task
    late = TaskAttempt.objects.get(task=task)
    TaskAttempt.objects.create(
        task=task, number=2, fence=late.fence + 1, worker="test:2:2", outcome="completed"
    )
    Task.objects.filter(pk=task.pk).update(fence=late.fence + 1)
    TaskAttempt.objects.filter(pk=late.pk).update(outcome="crashed")

    assert rules() == {"no_older_fence", "attempts_equal_log"}


@pytest.mark.administrator
def test_a_broken_chain_is_found(request_):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
        cursor.execute("UPDATE event_log SET actor = 'user:99' WHERE sequence = 2")
        cursor.execute("ALTER TABLE event_log ENABLE TRIGGER USER")

    assert "chain" in rules()


def test_work_under_way_is_not_settled_and_a_question_is(request_, owner):
    assert rules(is_settled=True) == set()
    approve(request_, owner)

    assert rules(is_settled=True) == {"settled"}


def test_a_question_that_nobody_can_see_is_not_settled(request_, owner):
    User.objects.filter(memberships__project=request_.project_id).update(is_active=False)

    assert rules(is_settled=True) == {"settled"}


def test_an_acknowledged_decision_must_be_in_the_log(request_, owner, tmp_path):
    project, decision = str(request_.project_id), approve(request_, owner)
    answer = {"at": 1, "sent": 0, "what": "decide", "project": project, "path": "decisions/"}
    answer |= {"request": str(request_.pk)}
    write(tmp_path, "answers", answer | {"status": 201, "decision": decision})
    assert rules(histories=tmp_path) == set()

    unknown = "00000000-0000-7000-8000-000000000000"
    write(tmp_path, "answers", answer | {"status": 201, "decision": unknown})
    assert rules(histories=tmp_path) == {"acknowledged"}

    write(tmp_path, "answers", answer | {"status": 400})
    assert rules(histories=tmp_path) == {"losers_get_409"}

    write(tmp_path, "answers", answer | {"status": 403, "code": "not_a_member"})
    assert rules(histories=tmp_path) == {"losers_get_409"}

    own = answer | {"status": 403, "code": "self_approval"}
    write(tmp_path, "answers", answer | {"status": 409}, own)
    assert rules(histories=tmp_path) == set()


def test_a_server_error_is_excused_by_an_outage_only(request_, tmp_path):
    answer = {"at": 10, "sent": 9, "what": "read", "project": str(request_.project_id)}
    write(tmp_path, "answers", answer | {"path": "projects/", "status": 500})
    assert rules(histories=tmp_path) == {"no_server_error"}

    write(tmp_path, "outages", {"begun": 8, "at": 9.5})
    assert rules(histories=tmp_path) == set()


def frames(project: Project, *sequences: int) -> list[dict]:
    hashes = dict(Event.objects.filter(project=project.pk).values_list("sequence", "hash"))
    client = {"client": "one", "project": str(project.pk), "at": 1}
    heard = [{"type": "event", "sequence": n, "hash": hashes[n]} for n in sequences]
    return [client | one for one in [{"type": "began", "after": 0}, *heard]]


@pytest.mark.parametrize("sequences", [(1, 2), (1, 3, 2), (1, 2, 2, 3), (2, 3)])
def test_a_client_that_missed_or_heard_twice_is_found(project, tmp_path, sequences):
    write(tmp_path, "frames", *frames(project, *sequences))

    assert rules(histories=tmp_path) == {"each_event_once"}


def test_a_client_that_heard_everything_holds(project, tmp_path):
    write(tmp_path, "frames", *frames(project, 1, 2, 3))

    assert rules(histories=tmp_path) == set()


def test_an_effect_that_was_caused_twice_is_found(project, tmp_path):
    task = pending_task(running(project))
    claim = claim_task(task_id=task.pk, worker="test:1:1")
    finish_task(claim=claim, outcome=work())
    call = {"at": 1, "key": f"{task.pk}:abc", "fence": claim.fence, "receipt": None}

    write(tmp_path, "ledger", call)
    once = rules(histories=tmp_path)
    write(tmp_path, "ledger", call, call)
    twice = rules(histories=tmp_path)
    write(tmp_path, "ledger", call | {"key": "another:abc"})
    never = rules(histories=tmp_path)

    assert (once, twice, never) == (set(), {"effect_once"}, {"effect_once"})


@pytest.mark.parametrize(("seconds", "found"), [(39, set()), (41, {"lost_task_claimed"})])
def test_a_lost_task_that_waited_for_long_is_found(project, tmp_path, seconds, found):
    task = pending_task(running(project))
    claim_task(task_id=task.pk, worker="test:1:77")
    Task.objects.filter(pk=task.pk).update(lease_expires_at="2020-01-01T00:00:00Z")
    fell_at = TaskAttempt.objects.get().started_at.timestamp()
    take_back_lost_tasks()
    claim_task(task_id=task.pk, worker="test:1:78")
    again = datetime.fromtimestamp(fell_at + seconds, UTC)
    TaskAttempt.objects.filter(worker="test:1:78").update(started_at=again)

    write(tmp_path, "falls", {"at": fell_at, "pid": 77}, {"at": fell_at, "pid": 78})

    assert rules(histories=tmp_path) == found


def test_the_command_says_what_does_not_hold_and_ends_with_1(request_):
    out = StringIO()
    call_command("check_invariants", stdout=out)
    assert out.getvalue() == "Everything holds.\n"

    Project.objects.filter(pk=request_.project_id).update(status="paused")
    with pytest.raises(CommandError, match=r"1 violations\.") as error:
        call_command("check_invariants", str(request_.project_id), stdout=out)

    assert error.value.returncode == 1
    assert f"project {request_.project_id}: the log says active, the row paused" in out.getvalue()


def test_the_command_does_not_say_of_what_is_not_there_that_it_holds(db):
    with pytest.raises(CommandError, match="There is no project") as error:
        call_command("check_invariants", "00000000-0000-7000-8000-000000000000")

    assert error.value.returncode == 2


def test_a_project_that_was_erased_holds_as_far_as_its_log_still_speaks(request_, owner):
    project = request_.project_id
    cancel_project(project_id=project, actor=Actor.of_user(owner))
    erase_project(project_id=project, actor=Actor.of_user(owner), reason="It was asked for.")

    assert rules() == set()
