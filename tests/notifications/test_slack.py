"""A button in Slack decides as the linked person, on what was shown; nobody else's does."""

import json
import time
from urllib.parse import parse_qs, urlencode

import pytest
from django.test import Client
from slack_sdk.signature import SignatureVerifier

from hitl.models import Decision, HitlRequest
from notifications.channels.slack import fitting_blocks
from notifications.messages import Message
from notifications.models import Notification, SlackAccount
from notifications.slack_accounts import new_code
from tests.scenes import agent_returns, asked, set_policy, work
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db

SIGNING_SECRET = "of the app"


@pytest.fixture
def slack(settings, receiver):
    """Slack's API, as it answers when all is well."""
    settings.SLACK_BOT_TOKEN, settings.SLACK_SIGNING_SECRET = "xoxb-test", SIGNING_SECRET
    settings.SLACK_API_URL = receiver.url.replace("hook", "api/")
    receiver.status, receiver.answer = 200, {"content-type": "application/json"}
    receiver.body = b'{"ok": true, "ts": "1.1"}'
    return receiver


def calls(slack, method):
    found = []
    for path, (headers, body) in zip(slack.paths, slack.messages, strict=True):
        if path == f"/api/{method}":
            is_json = "json" in headers["content-type"]
            values = {k: v[0] for k, v in parse_qs(body.decode()).items()}
            found.append(json.loads(body) if is_json else values)
    return found


def signed_post(fields, *, secret=SIGNING_SECRET, age=0):
    body, at = urlencode(fields), str(int(time.time()) - age)
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    return Client().post(
        "/slack/",
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature},
    )


def command(text, slack_user="U1"):
    answer = signed_post({"text": text, "team_id": "T1", "user_id": slack_user})
    return answer.json()["text"]


def link(user, slack_user="U1"):
    assert command(f"link {new_code(user)}", slack_user).startswith("Linked")


def press(action, request, slack_user="U1", digest=None, **signing):
    payload = {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": slack_user},
        "channel": {"id": "D1"},
        "trigger_id": "1.2.abc",
        "actions": [
            {
                "action_id": f"decide:{action}",
                "value": f"{request.pk} {digest or request.subject_digest}",
            }
        ],
    }
    return signed_post({"payload": json.dumps(payload)}, **signing)


def submit(slack, comment, slack_user="U1"):
    view = calls(slack, "views.open")[-1]["view"]
    values = {"comment": {"text": {"value": comment}}}
    payload = {
        "type": "view_submission",
        "team": {"id": "T1"},
        "user": {"id": slack_user},
        "view": {"private_metadata": view["private_metadata"], "state": {"values": values}},
    }
    return signed_post({"payload": json.dumps(payload)})


def buttons(message):
    blocks = (
        message["blocks"] if isinstance(message["blocks"], list) else json.loads(message["blocks"])
    )
    return [e["action_id"] for b in blocks if b["type"] == "actions" for e in b["elements"]]


def test_a_linked_person_gets_a_message_and_its_button_decides(project, approver, slack, tell):
    link(approver)
    request = asked(project)
    tell()
    message = calls(slack, "chat.postMessage")[-1]
    assert message["channel"] == "U1"
    assert "decide:approve" in buttons(message)

    assert press("approve", request).status_code == 200

    decision = Decision.objects.get()
    assert (decision.decided_by, decision.channel) == (approver, "slack")
    assert decision.assurance == "chat"
    assert "recorded as the decision of approver" in calls(slack, "chat.postEphemeral")[-1]["text"]


def test_an_account_that_is_not_linked_decides_nothing(project, slack):
    request = asked(project)
    press("approve", request, slack_user="U9")

    assert not Decision.objects.exists()
    assert "not linked" in calls(slack, "chat.postEphemeral")[-1]["text"]


def test_who_may_no_longer_log_in_decides_nothing(project, approver, slack):
    link(approver)
    approver.is_active = False
    approver.save()
    press("approve", asked(project))

    assert not Decision.objects.exists()


@pytest.mark.parametrize("signing", [{"secret": "of another"}, {"age": 400}])
def test_what_slack_has_not_signed_just_now_is_refused(project, approver, slack, signing):
    link(approver)
    answer = press("approve", asked(project), **signing)

    assert answer.status_code == 401
    assert not Decision.objects.exists()


def test_what_is_no_message_of_slack_is_refused(slack):
    assert Client().post("/slack/", {"payload": "{}"}).status_code == 401
    assert signed_post({"payload": "{}"}).status_code == 400
    assert signed_post({"payload": "["}).status_code == 400
    assert signed_post({}).status_code == 400


def test_a_button_of_what_has_changed_decides_nothing(project, approver, slack):
    link(approver)
    request = asked(project)
    press("approve", request, digest="0" * 64)

    assert not Decision.objects.exists()
    assert "subject_changed" in calls(slack, "chat.postEphemeral")[-1]["text"]


def test_pressed_twice_it_decides_once(project, approver, slack):
    link(approver)
    request = asked(project)
    press("approve", request)
    press("approve", request)

    assert Decision.objects.filter(request=request).count() == 1
    assert "already" in calls(slack, "chat.postEphemeral")[-1]["text"]


def test_a_rejection_asks_why(project, approver, slack):
    link(approver)
    request = asked(project)
    press("reject", request)
    assert not Decision.objects.exists()
    assert "errors" in submit(slack, "").json()["response_action"]
    submit(slack, "Not this way.")

    assert HitlRequest.objects.get(pk=request.pk).status == "rejected"
    assert Decision.objects.get().comment == "Not this way."


def test_what_is_not_shown_in_full_cannot_be_approved_there(project, approver, slack, tell):
    link(approver)
    agent_returns(project, work(body="long " * 1000))
    tell()
    message = calls(slack, "chat.postMessage")[-1]

    assert "decide:approve" not in buttons(message)
    assert "decide:reject" in buttons(message)


def test_where_the_password_is_asked_again_slack_decides_nothing(project, approver, slack, tell):
    set_policy(project, reauthenticate=["plan_approval"])
    link(approver)
    request = asked(project)
    tell()
    assert buttons(calls(slack, "chat.postMessage")[-1]) == ["open"]
    press("approve", request)

    assert not Decision.objects.exists()
    assert "reauthentication_required" in calls(slack, "chat.postEphemeral")[-1]["text"]


def test_a_code_links_once_and_for_ten_minutes(approver, owner, slack):
    code = new_code(approver)
    assert "wrong or over" in command("link nonsense")
    assert command(f"link {code}").startswith("Linked")
    assert "wrong or over" in command(f"link {code}")
    assert "somebody else" in command(f"link {new_code(owner)}")
    assert command("help").startswith("Type /paraph link CODE")


def test_a_person_makes_the_code_on_their_page_and_unlinks_there(approver, slack):
    approver.is_staff = True
    approver.save()
    client = logged_in(approver)
    page = client.post("/admin/notifications/", {"verb": "link_slack"}).content.decode()
    code = page.split("/paraph link ")[1].split("<")[0]
    assert command(f"link {code}").startswith("Linked")
    client.post("/admin/notifications/", {"verb": "unlink_slack"})

    assert not SlackAccount.objects.exists()


def test_slack_that_does_not_answer_gets_it_later(project, approver, slack, tell):
    link(approver)
    slack.body = b'{"ok": false, "error": "fatal_error"}'
    asked(project)
    tell()
    row = Notification.objects.get(channel="slack")
    assert (row.status, row.error) == ("pending", "Slack answered fatal_error.")


def test_rooms_of_the_operators_are_told_that_there_is_something_and_not_what(
    project, settings, receiver, tell
):
    settings.APPRISE_URLS = [receiver.url.replace("http://", "json://")]
    receiver.status = 200
    request = asked(project)
    tell()

    told = json.loads(receiver.messages[0][1])
    assert f"/admin/hitl/hitlrequest/{request.pk}/change/" in told["message"]
    assert "Two steps" not in told["message"]
    assert {n.status for n in Notification.objects.filter(channel="apprise")} == {"sent"}


def test_a_digest_has_no_more_blocks_than_slack_takes():
    message = Message(
        "Subject", "Lead", {"Project": "P"}, "Text", "7 more are cut off", "l", "Open"
    )
    blocks = fitting_blocks([message] * 12)
    assert len(blocks) <= 50
    assert blocks[-1]["text"]["text"] == "And 3 more: open Paraph."
    assert len(fitting_blocks([message] * 9)) == 45
