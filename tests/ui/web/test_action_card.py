"""The page of a request about what an agent is about to do: the whole call, then what it claims."""

from uuid import uuid4

import pytest

from agents.enums import RequestKind
from agents.models import BudgetAccount
from audit.actors import Actor
from context.services import add_version, create_artifact
from hitl.agent_actions.asks import open_action_request
from hitl.agent_actions.card import COST_UNKNOWN, card_of
from hitl.models import AgentAction
from projects.transaction import ProjectTransaction
from tests.scenes import ask_of_agent
from tests.ui.web.conftest import open_request

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


@pytest.fixture
def project(make_project):
    return make_project(workflow="none", auto_start=True)


@pytest.fixture
def asks(project, owner, approver, client):
    """An agent's question, by its key; the approver looks at the pages."""
    approver.is_staff = True
    approver.save()
    client.force_login(approver)

    def ask(key, arguments, **fields):
        return ask_of_agent(project, owner, arguments, key, **fields).requests.get()

    return ask


@pytest.fixture
def request_page(asks, client):
    request = asks(
        "k",
        {"order": "12\u202e34", "amount": 12.5},
        why="<b>Trust me</b>",
        hints={"destructiveHint": True},
    )
    return request, client.get(page_of(request))


def ask_again(request, arguments, key="k2"):
    return ask_of_agent(request.project, request.project.created_by, arguments, key)


def page_of(request):
    return f"/admin/hitl/hitlrequest/{request.pk}/change/"


def decides(client, request, action, **data):
    form = {"action": action, "subject_digest": request.subject_digest} | data
    return client.post(page_of(request).replace("change", "decide"), form)


def test_the_card_shows_the_call_complete_and_escaped(request_page):
    _, page = request_page
    text = page.content.decode()
    assert page.status_code == 200
    assert "destructive" in text
    assert "\u202e" not in text
    assert "12.5" in text
    assert "<b>Trust me</b>" not in text
    assert "project stops" not in text


def test_it_is_approved_on_its_page(request_page, client):
    request, _ = request_page
    answer = client.post(
        f"/admin/hitl/hitlrequest/{request.pk}/decide/",
        {"action": "approve", "subject_digest": request.subject_digest},
    )
    request.agent_action.refresh_from_db()
    assert (answer.status_code, request.agent_action.status) == (302, "approved")


def test_changed_arguments_are_not_shown_as_what_was_asked(request_page, client):
    request, _ = request_page
    AgentAction.objects.update(arguments='{"amount":9999}')
    page = client.get(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "9999" not in text
    assert "integrity" in text


def test_a_draft_of_other_arguments_is_checked(request_page, client):
    request, _ = request_page
    path = f"/admin/hitl/hitlrequest/{request.pk}/check/"
    good = client.post(path, {"content": '{"order": "1"}'})
    bad = client.post(path, {"content": "[1]"})
    assert (good.json()["is_valid"], bad.json()["is_valid"]) == (True, False)


def test_a_person_changes_the_arguments_in_a_form(asks, client):
    schema = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 10}}}
    request = asks("k", {"order": "1", "amount": 12.5}, edit_schema=schema)
    page = client.get(page_of(request)).content.decode()
    assert "&quot;amount&quot;: 12.5" in page
    assert '"maximum": 10' in page

    refused = decides(client, request, "amend", content='{"order": "1", "amount": 11}')
    twice = decides(client, request, "amend", content='{"amount": 1, "amount": 2}')
    done = decides(client, request, "amend", content='{"order": "1", "amount": 9}')

    assert refused.status_code == 400
    assert "Amount: " in refused.content.decode()
    assert "&quot;amount&quot;: 11" in refused.content.decode(), "what was written is kept"
    assert twice.status_code == 422
    assert done.status_code == 302
    request.agent_action.refresh_from_db()
    assert request.agent_action.arguments == '{"amount":9,"order":"1"}'
    again = client.get(page_of(request.agent_action.requests.get(status="pending")))
    (change,) = again.context["amended"].shown
    assert change.path == "amount"


def test_no_argument_is_folded_away(asks, client):
    page = client.get(page_of(asks("k", {"a": {"b": {"c": {"d": [{"deep": "x"}]}}}})))
    assert page.context["arguments"].count("<details") == 6
    assert page.context["arguments"].count(" open>") == 6


def test_arguments_are_compared_with_the_last_call_of_the_tool(asks, client):
    asks("k1", {"order": "1", "amount": 10, "note": "old-note"})
    page = client.get(page_of(asks("k2", {"order": "1", "amount": 99, "by": "new-one"})))
    changes = {change.path: (change.old, change.new) for change in page.context["changes"].shown}
    assert sorted(changes) == ["amount", "by", "note"]
    assert changes["by"][0] is None
    assert changes["note"][1] is None
    assert "old-note" in page.content.decode()


def test_the_card_tells_what_people_said_of_the_same_call(asks, client):
    decides(client, asks("k1", {"order": "1"}), "reject", comment="Ask the shop first.")
    page = client.get(page_of(asks("k2", {"order": "1"})))
    (earlier,) = page.context["card"].earlier
    assert (earlier.action.status, earlier.decisions[0].action) == ("denied", "reject")
    assert "Ask the shop first." in page.content.decode()


def test_what_a_call_rests_on_is_compared_with_what_has_replaced_it(asks, client, project, owner):
    prices = create_artifact(
        project_id=project.pk,
        actor=Actor.of_user(owner),
        artifact_type="user_input",
        title="Prices",
        content={"text": "A parcel costs 5."},
    )
    based_on = [{"artifact": str(prices.pk), "version": 1}]
    request = asks("k", {"order": "1"}, based_on=based_on)
    assert client.get(page_of(request)).context["stale"] == []
    new = {"text": "A parcel costs 6."}
    add_version(artifact_id=prices.pk, actor=Actor.of_user(owner), content=new)

    page = client.get(page_of(request))

    (stale,) = page.context["stale"]
    assert (stale["old"].number, stale["new"].number) == (1, 2)
    assert "A parcel costs <del>5</del>." in page.content.decode()
    assert "A parcel costs <ins>6</ins>." in page.content.decode()


def test_an_answer_is_a_form_made_of_the_schema(asks, client):
    schema = {
        "type": "object",
        "properties": {"ship": {"type": "boolean"}, "price": {"type": "number", "maximum": 9}},
        "required": ["ship", "price"],
    }
    request = asks("k", {"order": "1"}, allowed=["answer"], response_schema=schema)
    form = client.get(page_of(request)).context["answer_form"]
    assert [field.label for field in form] == ["ship", "price"]

    refused = decides(client, request, "answer", **{"answer-0": "0", "answer-1": "10"})
    done = decides(client, request, "answer", **{"answer-0": "0", "answer-1": "8.5"})

    assert refused.status_code == 400
    assert refused.context["answer_form"].errors == {"1": ["10 is greater than the maximum of 9"]}
    assert done.status_code == 302
    request.agent_action.refresh_from_db()
    assert request.agent_action.answer == '{"price":8.5,"ship":true}'


def test_whether_it_happened_is_a_choice(asks, client, project):
    asked = asks("k", {"order": "1"})
    decides(client, asked, "approve")
    action = asked.agent_action
    with ProjectTransaction(project.pk, Actor.of_scheduler()) as tx:
        AgentAction.objects.update(status="unknown")
        action.refresh_from_db()
        request = open_action_request(tx, action, kind=RequestKind.ESCALATION)
    choices = client.get(page_of(request)).context["answer_form"].fields["0"].choices
    assert len(choices) == 4

    decides(client, request, "answer", **{"answer-0": "2"})

    action.refresh_from_db()
    assert action.status == "not_executed"


def test_a_person_approves_further_calls_within_bounds_and_ends_it(asks, client, project):
    request = asks("k1", {"order": "1", "amount": 12.5, "tags": ["a"], "pattern": "x"})
    page = client.get(page_of(request))
    assert len(page.context["follow_up"].rows()) == 4
    form = {"follow-count": "2", "follow-hours": "1"} | {
        f"follow-{number}-may": may for number, may in enumerate(["range", "any", "list", "same"])
    }

    refused = decides(client, request, "approve", **form, **{"follow-0-most": "12"})
    done = decides(
        client,
        request,
        "approve",
        **form | {"follow-0-least": "1", "follow-0-most": "20", "follow-2-values": "y\nz"},
    )

    assert refused.context["follow_up"].errors == {
        "0-most": ["This call has 12.5: end there or above."]
    }
    assert done.status_code == 302
    rule = project.standing_approvals.get()
    assert (rule.uses_max, rule.bounds) == (
        2,
        {
            "type": "object",
            "properties": {
                "order": {"type": "string"},
                "amount": {"type": "number", "minimum": 1, "maximum": 20},
                "tags": {"const": ["a"]},
                "pattern": {"enum": ["x", "y", "z"]},
            },
            "required": ["amount", "order", "pattern", "tags"],
            "additionalProperties": False,
        },
    )
    covered = {"order": "2", "amount": 20, "tags": ["a"], "pattern": "z"}
    assert ask_again(request, covered).rule == rule
    assert client.get(page_of(request)).context["uses"].count() == 1
    ended = client.post(
        page_of(request).replace("change", "end-standing-approval"), {"rule": str(rule.pk)}
    )
    assert ended.status_code == 302
    assert ask_again(request, covered, "k3").status == "pending"


def test_a_destructive_call_is_approved_by_itself(request_page):
    assert request_page[1].context["follow_up"] is None


def test_identical_calls_are_one_group_and_each_is_decided_by_itself(asks, client):
    first, second = asks("k1", {"order": "1"}), asks("k2", {"order": "1"})
    other = asks("k3", {"order": "2"})

    rows = client.get("/admin/").context["rows"]
    groups = [row for row in rows if "rows" in row]
    assert [(len(group["rows"]), group["total"]) for group in groups] == [(2, 2)]
    assert len(rows) == 2
    only = client.get(f"/admin/?call={groups[0]['digest']}")
    assert only.context["page"].paginator.count == 2
    form = {
        "action": "approve",
        "origin": "inbox",
        "_selected_action": [str(second.pk)],
        f"digest-{second.pk}": second.subject_digest,
    }
    open_request(client, second)
    client.post("/admin/hitl/hitlrequest/", form)

    statuses = {request: request.agent_action for request in (first, second, other)}
    for action in statuses.values():
        action.refresh_from_db()
    assert [action.status for action in statuses.values()] == ["pending", "approved", "pending"]


def test_a_group_whose_row_was_changed_shows_no_call(asks, client):
    asks("k1", {"order": "1"}), asks("k2", {"order": "1"})
    AgentAction.objects.filter(idempotency_key="k2").update(arguments='{"order":"999"}')
    text = client.get("/admin/").content.decode()
    assert "2 identical calls" in text
    assert "complete</summary>" not in text


def test_the_card_says_what_is_spent_of_the_budget(asks, client):
    request = asks("k", {"order": "1234"})
    page = client.get(page_of(request)).content.decode()
    action = request.agent_action
    name = f"project:{action.project_id}"
    BudgetAccount.objects.create(name=name, spent_micros=1_200_000, reserved_micros=300_000)

    assert COST_UNKNOWN in page
    action.task_id = uuid4()
    assert card_of(request).facts["budget"].startswith("$1.20 spent in the project, which has no")
    action.project.budget_micros = 5_000_000
    said = "$1.20 of $5.00 spent in the project, $0.30 held back for calls under way"
    assert card_of(request).facts["budget"].startswith(said)
