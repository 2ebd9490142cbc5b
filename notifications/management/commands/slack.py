import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.database import SHORT_SILENCE_SECONDS, limit_silence
from core.heartbeat import begin
from notifications.slack_socket import serve


class Command(BaseCommand):
    help = "Fetches what people press in Slack, by socket mode; runs until it is stopped."

    def handle(self, **options: Any) -> None:
        if not (settings.SLACK_APP_TOKEN and settings.SLACK_BOT_TOKEN):
            raise CommandError("Set SLACK_APP_TOKEN (xapp-...) and SLACK_BOT_TOKEN (xoxb-...).")
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        limit_silence(SHORT_SILENCE_SECONDS)
        begin()
        serve(stopped)
