import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

SEND_TIMEOUT_SECONDS = 1


class QuickToRing(Celery):
    """Workers wait for messages with patience; who rings holds up a request and must not."""

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        given = kwargs.pop("transport_options", None) or {}
        options = {"socket_timeout": SEND_TIMEOUT_SECONDS} | given
        return super().connection_for_write(url, transport_options=options, **kwargs)


app = QuickToRing("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
