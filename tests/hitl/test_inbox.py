"""What waits for a person, live over a real socket."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.actors import Actor
from hitl.selectors import inbox_items
from hitl.services import decide
from projects.services import remove_member
from tests.live import WebServer
from tests.scenes import agent_returns, plan

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def inbox_of(web_server: WebServer) -> Iterator[Callable[[Any], Callable[[], list]]]:
    """Opens a person's inbox; the answer waits for what it says next."""
    streams = []

    def opened(user: Any) -> Callable[[], list]:
        stream = web_server.stream(user)
        streams.append(stream)
        stream.say("subscribe", id="mine", project="inbox")
        return lambda: stream.hear(timeout=10)["items"]

    yield opened
    for stream in streams:
        stream.close()


def approve(request, user) -> None:
    decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action="approve",
        subject_digest=request.subject_digest,
        channel="test",
    )


def test_a_new_request_appears_and_a_decided_one_disappears(inbox_of, project, owner, approver):
    next_inbox = inbox_of(approver)
    assert next_inbox() == []
    request = agent_returns(project, plan())
    appeared = next_inbox()
    approve(request, owner)

    assert appeared == [
        {
            "request": str(request.pk),
            "project": str(project.pk),
            "project_name": "Library",
            "kind": "plan_approval",
            "title": request.title,
            "created_at": request.created_at.isoformat().replace("+00:00", "Z"),
            "due_at": None,
            "expires_at": None,
        }
    ]
    assert next_inbox() == []


def test_it_spans_all_projects(inbox_of, make_project, approver):
    requests = [agent_returns(make_project(name=name), plan()) for name in ("First", "Second")]
    items = inbox_of(approver)()

    assert [item["request"] for item in items] == [str(request.pk) for request in requests]
    assert [item["project_name"] for item in items] == ["First", "Second"]


def test_who_is_removed_from_the_project_has_nothing_waiting(inbox_of, project, owner, approver):
    agent_returns(project, plan())
    next_inbox = inbox_of(approver)
    assert len(next_inbox()) == 1
    remove_member(project_id=project.pk, actor=Actor.of_user(owner), user_id=approver.pk)

    assert next_inbox() == []


def test_only_those_who_may_decide_are_waited_for(project, owner, viewer, outsider, staff):
    agent_returns(project, plan())

    waiting = {user.username: len(inbox_items(user)) for user in (owner, viewer, outsider, staff)}

    assert waiting == {"owner": 1, "viewer": 0, "outsider": 0, "staff": 0}
