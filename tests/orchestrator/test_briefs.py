"""A brief that changes while the work is under way: what was approved is what runs."""

import io

import pytest
from django.db.models import F

from agents.context_assembly import assignment_of
from agents.models import Task
from agents.providers.prompts import prompt_for
from audit.actors import Actor
from audit.models import Event
from context.models import Artifact, Derivation
from context.services import add_version
from context.staleness import staleness_of
from orchestrator.engine.export import write_export
from orchestrator.engine.imports import import_project, open_archive
from orchestrator.engine.progress import progress_of
from orchestrator.engine.rewind import rewind_project
from projects.models import Project
from projects.services import start_project
from tests.context.documents import hand_in
from tests.fixtures import BRIEF
from tests.scenes import (
    advance,
    current,
    decide_as,
    do,
    request_at,
    running,
    side_task,
    started,
    text,
    work_once,
)

pytestmark = pytest.mark.django_db

NEWER = BRIEF + "\n\nA book has a title and a shelf.\n"


@pytest.fixture
def unattended(make_project):
    """Under way, with its brief as an artifact; nobody is asked."""
    project = make_project(oversight_level="low")
    hand_in(project, BRIEF)
    return started(project)


def brief_of(project) -> Artifact:
    return Artifact.objects.get(project=project, artifact_type="user_input")


def edit_brief(project, words=NEWER, by=None):
    actor = Actor.of_user(by or project.created_by)
    add_version(actor=actor, artifact_id=brief_of(project).pk, content={"text": words})


def rewind(project, step):
    rewind_project(project_id=project.pk, step=step, actor=Actor.of_user(project.created_by))
    return advance(project)


def is_newer(task) -> bool:
    """Whether the prompt says what only the newer brief says; of each brief it says one."""
    assignment = assignment_of(task)
    prompt = prompt_for(assignment, "agent_output")
    inputs = {one.content["text"] for one in assignment.materials if "text" in one.content}
    assert inputs <= {assignment.brief}
    assert ("shelf" in prompt) == (assignment.brief == NEWER)
    return assignment.brief == NEWER


def test_the_start_pins_the_brief(project):
    running(project)

    pinned = current(project, "orchestrate").handoff["brief"]

    assert pinned == {"artifact": str(brief_of(project).pk), "version": 1}
    assert progress_of(project)["brief"] == pinned | {"accepted_version": 1}


def test_before_the_start_nothing_is_pinned(project):
    assert progress_of(project)["brief"] is None


def test_the_steps_go_on_with_the_brief_on_which_the_work_was_approved(unattended):
    edit_brief(unattended)
    do(unattended, "left")
    do(unattended, "right")

    assert not any(is_newer(current(unattended, step)) for step in ("left", "right", "join"))
    shown = progress_of(Project.objects.get(pk=unattended.pk))["brief"]
    assert (shown["version"], shown["accepted_version"]) == (1, 2)


def test_a_step_gets_one_brief_and_not_also_the_newer_one(make_project):
    project = make_project(oversight_level="low")
    running(project)
    edit_brief(project)

    do(project, "orchestrate")

    task = current(project, "project_plan")
    assert [m["version"] for m in task.handoff["materials"]] == [1, 1]
    assert not is_newer(task)


def test_a_rewind_takes_the_newer_brief_and_says_so(unattended):
    do(unattended, "left")
    do(unattended, "right")
    edit_brief(unattended)

    rewind(unattended, "left")
    do(unattended, "left")

    assert is_newer(current(unattended, "left"))
    assert is_newer(current(unattended, "join"))
    assert current(unattended, "left").handoff["materials"][0]["version"] == 2
    event = Event.objects.filter(project=unattended.pk, event_type="project_rewound").last()
    assert event.data["brief"] == {"artifact": str(brief_of(unattended).pk), "version": 2}


def test_a_rewind_without_a_newer_brief_does_not_speak_of_it(unattended):
    do(unattended, "left")

    rewind(unattended, "left")

    event = Event.objects.filter(project=unattended.pk, event_type="project_rewound").last()
    assert "brief" not in event.data


def test_who_requests_changes_means_the_brief_as_it_is_now(project, approver):
    hand_in(project, BRIEF)
    started(project)
    do(project, "left")
    edit_brief(project)

    decide_as(
        approver, request_at(project, "left"), "request_changes", comment="See the new brief."
    )

    assert is_newer(current(project, "left"))


def test_a_loop_goes_on_with_the_brief_that_it_began_with(unattended):
    for step in ("left", "right", "join"):
        do(unattended, step)
    edit_brief(unattended)

    do(unattended, "check", text("No.", verdict="fail"))

    join = current(unattended, "join")
    assert (join.round, is_newer(join)) == (2, False)


def test_all_that_saw_the_older_brief_is_stale_whether_it_asked_for_it_or_not(unattended):
    for step in ("left", "right", "join"):
        do(unattended, step)

    edit_brief(unattended)

    artifacts = dict(Artifact.objects.filter(project=unattended).values_list("pk", "step"))
    assert {artifacts[pk] for pk in staleness_of(artifacts)} == {"left", "right", "join"}


def test_work_outside_of_the_workflow_gets_the_brief_as_it_is_accepted(unattended):
    edit_brief(unattended)

    task = side_task(unattended, context_ids=[brief_of(unattended).pk])

    assert is_newer(task)


def test_who_wrote_the_newer_brief_may_not_decide_on_what_came_of_it(project, approver):
    hand_in(project, BRIEF)
    started(project)
    do(project, "right")
    edit_brief(project, by=approver)

    rewind(project, "right")
    do(project, "right")

    assert request_at(project, "right").barred_authors == [approver.pk]


def test_an_export_begins_elsewhere_with_the_newer_brief_and_no_other(unattended, outsider):
    edit_brief(unattended)
    target = io.BytesIO()
    write_export(Project.objects.get(pk=unattended.pk), target)

    archive = open_archive(target)
    taken = import_project(actor=Actor.of_user(outsider), archive=archive, workflow="sdlc")
    start_project(project_id=taken.pk, actor=Actor.of_user(outsider))
    advance(taken)

    assert Artifact.objects.filter(project=taken, artifact_type="user_input").count() == 1
    assert is_newer(Task.objects.filter(project=taken).first())


@pytest.mark.django_db(transaction=True)
def test_a_whole_run_follows_one_brief_and_after_a_rewind_the_other(make_project):
    project = make_project(oversight_level="low", auto_start=True)
    work_until(project, lambda: current_or_none(project, "architecture"))
    edit_brief(project)
    work_until(project, lambda: status_of(project) == "completed")
    first = wishes(project)

    [step] = {one.refresh_step for one in staleness_of(artifact_ids(project)).values()}
    rewind(project, step)
    work_until(project, lambda: status_of(project) == "completed")

    assert "shelf" not in first
    assert "shelf" in wishes(project)
    assert staleness_of(artifact_ids(project)) == {}
    # What a step writes anew is revised by it, though the build of its context lists it, too.
    of_itself = Derivation.objects.filter(derived__artifact=F("source__artifact"))
    assert set(of_itself.values_list("kind", flat=True)) == {"revised"}


def work_until(project, is_reached, rounds=400):
    for _ in range(rounds):
        if is_reached():
            return
        work_once()
    pytest.fail(f"The project is {status_of(project)}: {progress_of(project)['waiting_for']}")


def current_or_none(project, step) -> Task | None:
    return Task.objects.filter(project=project, step=step, is_current=True).first()


def status_of(project) -> str:
    return Project.objects.values_list("status", flat=True).get(pk=project.pk)


def artifact_ids(project) -> list:
    return list(Artifact.objects.filter(project=project).values_list("pk", flat=True))


def wishes(project) -> str:
    """What the specification, and the program's own README, say."""
    made = Artifact.objects.filter(
        project=project, artifact_type__in=["software_specification", "source_code"]
    )
    return " ".join(str(one.versions.get(number=one.accepted_version).content) for one in made)
