"""Socket mode: what people press in Slack comes by a connection that we open, so that Slack need
not reach this installation."""

import logging
import threading
from contextlib import closing

from django.conf import settings
from django.db import connection
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from core.heartbeat import BEAT_SECONDS, beat, long_work
from core.log_fields import log_fields
from notifications.slack_requests import MALFORMED, answer_to

logger = logging.getLogger(__name__)

KINDS = ("interactive", "slash_commands")
#: At once; each takes a connection to the database.
CONCURRENCY = 4
#: The longest that opening a connection keeps its thread, also where Slack asks us to wait.
CONNECT_SECONDS = 90.0
PAUSES = (1, 2, 5, 10, 30)


def serve(stopped: threading.Event) -> None:
    """Until then. A connection that breaks is opened again, however long Slack is away."""
    # By the address of its other calls.
    web = WebClient(base_url=settings.SLACK_API_URL, timeout=10, retry_handlers=[])
    client = SocketModeClient(
        settings.SLACK_APP_TOKEN, web_client=web, logger=logger, concurrency=CONCURRENCY
    )
    client.socket_mode_request_listeners.append(receive)
    with closing(client):
        connect(client, stopped)
        while not stopped.wait(BEAT_SECONDS):
            beat()


def connect(client: SocketModeClient, stopped: threading.Event) -> None:
    """The first time; from then on the client does it itself."""
    failures = 0
    while not (stopped.is_set() or client.is_connected()):
        try:
            with long_work(CONNECT_SECONDS):
                # By an address of its own: the one before was for one attempt.
                client.connect_to_new_endpoint()
        except (SlackClientError, OSError) as error:
            logger.warning("Slack was not reached", extra={"error": str(error)})
            pause = PAUSES[min(failures, len(PAUSES) - 1)]
            failures += 1
            for _ in range(pause):
                beat()
                if stopped.wait(BEAT_SECONDS):
                    return


def receive(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
    """Acknowledged once it is done: what a death interrupts, Slack sends again."""
    answer = None
    if request.type in KINDS:
        try:
            with log_fields(channel="slack", job="slack_socket"):
                answer = answer_to(request.payload)
        except MALFORMED:
            logger.warning("This is not what Slack sends", extra={"kind": request.type})
        finally:
            connection.close()
    client.send_socket_mode_response(SocketModeResponse(request.envelope_id, answer))
