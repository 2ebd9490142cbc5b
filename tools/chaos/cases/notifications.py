"""Other systems that are told: one that is away for an hour, and deaths in between."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents.events import TASK_PROGRESS
from audit.actors import Actor
from audit.models import Event
from audit.services import Draft, record_all
from notifications.models import Webhook
from notifications.webhooks import create_webhook
from projects.models import Project
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run

EVENTS = 40
HOUR = timedelta(hours=1)


class Receiver:
    """Notes the id of what it gets, and answers `status`."""

    def __init__(self) -> None:
        self.status = 503
        self.taken: list[str] = []
        self.refused: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                is_taken = receiver.status == 200
                if is_taken:
                    receiver.taken.append(body["id"])
                else:
                    receiver.refused.add(body["id"])
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@contextmanager
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()


@case()
def receiver_down_for_an_hour(run: Run) -> None:
    """A webhook's receiver is away for an hour, and workers die after they sent: it gets everything
    in order, a repeat with the same id."""
    (project,) = run.create(1, Mood(), is_left_alone=True, auto_start=False)
    ada = Actor.of_user(Project.objects.get(pk=project).created_by)
    with receiver() as hears:
        webhook, _ = create_webhook(project_id=UUID(project), actor=ada, url=hears.url)
        draft = Draft(TASK_PROGRESS, Actor.of_system("chaos"), {"note": "Something happens."})
        with transaction.atomic():
            record_all(project, [draft] * EVENTS)
        run.until(lambda: hears.refused, 60, "the receiver was tried")
        for hears.status in (503, 200):
            let_an_hour_pass(webhook)
            run.fall("worker", "after_notification_before_record")
        let_an_hour_pass(webhook)
        run.measure("the receiver has everything", lambda: not pending(webhook), 60)
    events = Event.objects.filter(project=project, sequence__gt=webhook.after)
    ids = [f"evt_{event.epoch}_{event.sequence}" for event in events.order_by("sequence")]
    if list(dict.fromkeys(hears.taken)) != ids or hears.refused != {ids[0]}:
        raise Broken("the receiver got other events, or in another order")
    if len(hears.taken) == len(ids):
        raise Broken("what was sent before a death was not sent again")
    run.counted["events told, one of them twice"] = len(hears.taken)


def pending(webhook: Webhook) -> bool:
    deliveries = webhook.deliveries.all()
    return deliveries.count() < EVENTS or deliveries.filter(status="pending").exists()


def let_an_hour_pass(webhook: Webhook) -> None:
    """For the webhook alone: as if all of its times were so much longer ago."""
    Webhook.objects.filter(pk=webhook.pk).update(
        next_attempt_at=F("next_attempt_at") - HOUR, leased_until=None
    )
    webhook.deliveries.update(retry_until=F("retry_until") - HOUR)
