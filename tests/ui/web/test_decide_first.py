"""What stands before the content, beside it, and what goes to the agent from parts of it."""

import pytest
from django.utils.safestring import mark_safe

from audit.actors import Actor
from context.services import create_artifact
from context.side_by_side import compare_contents
from hitl.models import Decision
from tests.scenes import agent_returns, failed_work, questions, work
from tests.ui.web.conftest import logged_in
from ui.web.artifacts.requirement_texts import requirement_texts, with_requirement_texts
from ui.web.inbox.decide_first import gaps_of

REQUIREMENT = {
    **{"id": "FR-1", "kind": "functional", "title": "Lending", "priority": "must"},
    **{"statement": "A member borrows <b>one</b> book.", "acceptance_criteria": [], "spans": []},
}
SPECIFICATION = {
    **{"title": "Library", "summary": "Lends.", "product_kind": "program", "actors": []},
    **{"requirements": [REQUIREMENT], "out_of_scope": [], "assumptions": []},
}


def specified(project, **changes):
    return create_artifact(
        actor=Actor.of_user(project.created_by),
        project_id=project.pk,
        artifact_type="software_specification",
        title="Library",
        content=SPECIFICATION | changes,
    )


def points(client, request):
    page = client.get(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    return [(point.tone, point.text) for point in page.context["points"]]


@pytest.mark.django_db
def test_new_content_its_cost_and_its_maker_are_said_first(plan_request, approver):
    said = dict(map(reversed, points(logged_in(approver), plan_request)))
    assert said["Plan of the run is new: there is no earlier version to compare it with."] == "info"
    assert any(text.startswith("Cost of this step so far: 1 attempt") for text in said)


@pytest.mark.django_db
def test_what_went_wrong_comes_before_everything_else(running, approver):
    request = agent_returns(running, failed_work())
    assert points(logged_in(approver), request)[0] == (
        "bad",
        "The agent itself says that it failed.",
    )


@pytest.mark.django_db
def test_changes_are_counted_and_marked_by_the_word(plan_request, running, approver):
    client = logged_in(approver)
    client.post(
        f"/admin/hitl/hitlrequest/{plan_request.pk}/decide/",
        {
            "action": "request_changes",
            "subject_digest": plan_request.subject_digest,
            "comment": "",
            "note-place": ["“Run plan”, Summary", "“Run plan”"],
            "note-text": ["Say who decides.", "  "],
        },
    )
    assert Decision.objects.get().comment == "On “Run plan”, Summary: Say who decides."
    again = agent_returns(running, work(summary="A plan in two steps, of mine."))
    assert ("info", "Plan of the run: 1 line changed since version 1.") in points(client, again)


def test_only_the_words_that_differ_are_marked():
    old, new = (
        {"summary": "s", "body": f"Lend for {n} weeks, then remind."} for n in ("two", "six")
    )
    [file] = compare_contents("agent_output", old, new)
    [changed] = [line for line in file.lines if line.kind == "changed"]
    assert [(part.text, part.differs) for part in changed.words[1]] == [
        ("Lend for ", False),
        ("six", True),
        (" weeks, then remind.", False),
    ]
    assert file.changes == 1


@pytest.mark.django_db
def test_the_text_of_a_requirement_stands_beside_its_id_and_is_never_markup(running):
    specified(running)
    texts = requirement_texts(running.pk)
    html = mark_safe("<p>Covers FR-1 and FR-12; FR-1 again.</p><pre>FR-1</pre>")
    shown = with_requirement_texts(html, "implementation_plan", texts)
    text = "A member borrows &lt;b&gt;one&lt;/b&gt; book."
    assert f'<b>FR-1</b> <span class="req-text">{text}</span></span> and FR-12' in shown
    assert f'<abbr title="{text}">FR-1</abbr> again' in shown
    assert "<pre>FR-1</pre>" in shown


@pytest.mark.django_db
def test_a_clarification_asks_each_question_once(running, approver):
    request = agent_returns(running, questions())
    page = logged_in(approver).get(f"/admin/hitl/hitlrequest/{request.pk}/change/").content.decode()
    assert page.count("For how long?") == 1


@pytest.mark.parametrize(
    ("changes", "tone"),
    [
        ({"counts": {"failed": 1, "errors": 0}}, "bad"),
        ({"problems": ["It ended early."]}, "bad"),
        ({}, "warn"),  # None was run.
        ({"passed": True}, "info"),  # Of the requirements that they check, no more.
    ],
)
def test_what_the_testers_own_tests_report_is_said_too(changes, tone):
    own = {"summary": "1 of 2 passed.", "passed": False, "counts": {"failed": 0, "errors": 0}}
    own |= {"failures": [{"name": "test_lend", "detail": "AssertionError"}], "problems": []}

    [point] = gaps_of({"acceptance": own | changes})

    assert (point.tone, point.text) == (tone, "1 of 2 passed.")
    assert point.details == ["test_lend: AssertionError"]
