"""Presses in Slack come by a connection that we open, and decide as those that come by address."""

import json
import queue
import threading
from contextlib import contextmanager

import pytest
from websockets.sync.server import serve as serve_sockets

from hitl.models import Decision
from notifications.slack_accounts import new_code
from notifications.slack_socket import serve
from tests.live import LONG_SECONDS
from tests.scenes import asked

pytestmark = pytest.mark.django_db(transaction=True)


class SlackSocket:
    """Slack's side of socket mode: each connection that was opened, and what it acknowledged."""

    def __init__(self) -> None:
        self.sockets, self.answers = queue.Queue(), queue.Queue()
        self.server = serve_sockets(self._listen, "127.0.0.1", 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _listen(self, socket) -> None:
        self.sockets.put(socket)
        for message in socket:
            self.answers.put(json.loads(message))

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/link/?ticket=1"

    def opened(self):
        return self.sockets.get(timeout=LONG_SECONDS)

    def send(self, socket, kind, payload, envelope="e1"):
        """What is answered to it."""
        message = {"envelope_id": envelope, "type": kind, "payload": payload}
        socket.send(json.dumps(message | {"accepts_response_payload": True}))
        answer = self.answers.get(timeout=LONG_SECONDS)
        assert answer["envelope_id"] == envelope
        return answer.get("payload")


@pytest.fixture
def slack(settings, receiver):
    """Its API, which names the address of the socket, and answers all else that all is well."""
    slack = SlackSocket()
    settings.SLACK_BOT_TOKEN, settings.SLACK_APP_TOKEN = "xoxb-test", "xapp-test"
    settings.SLACK_API_URL = receiver.url.replace("hook", "api/")
    receiver.status, receiver.answer = 200, {"content-type": "application/json"}
    receiver.body = json.dumps({"ok": True, "url": slack.url}).encode()
    slack.calls = receiver
    yield slack
    slack.server.shutdown()


@contextmanager
def socket_mode():
    stopped = threading.Event()
    process = threading.Thread(target=serve, args=[stopped])
    process.start()
    try:
        yield
    finally:
        stopped.set()
        process.join()


def press(request, slack_user="U1"):
    value = f"{request.pk} {request.subject_digest}"
    return {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": slack_user},
        "channel": {"id": "D1"},
        "trigger_id": "1.2.abc",
        "actions": [{"action_id": "decide:approve", "value": value}],
    }


def command(text, slack_user="U1"):
    return {"command": "/paraph", "text": text, "team_id": "T1", "user_id": slack_user}


def test_a_linked_person_decides_and_nobody_else(project, approver, slack):
    request = asked(project)
    with socket_mode():
        socket = slack.opened()
        linked = slack.send(socket, "slash_commands", command(f"link {new_code(approver)}"))
        assert linked["text"].startswith("Linked")
        slack.send(socket, "interactive", press(request, "U9"))
        assert not Decision.objects.exists()
        slack.send(socket, "interactive", press(request))
        decision = Decision.objects.get()
        assert (decision.decided_by, decision.channel) == (approver, "slack")
        # Slack had not heard of it, and sends it again.
        slack.send(socket, "interactive", press(request))
        assert Decision.objects.count() == 1
        # What is not of its form is acknowledged, or it would come for ever.
        assert slack.send(socket, "interactive", {"type": "block_actions"}) is None
    tokens = [headers["authorization"] for headers, _ in slack.calls.messages]
    assert tokens[0] == "Bearer xapp-test"
    assert set(tokens[1:]) == {"Bearer xoxb-test"}


@pytest.mark.slow
def test_it_goes_on_where_slack_closes_the_connection(project, approver, slack):
    with socket_mode():
        slack.opened().send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
        answer = slack.send(slack.opened(), "slash_commands", command("help"))
        assert answer["text"].startswith("Type /paraph link CODE")
