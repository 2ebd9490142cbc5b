import os

from django.apps import AppConfig


class InboxConfig(AppConfig):
    """Registers the inbox of these tests, or none, in place of the product's."""

    name = "tests.audit"
    label = "tests_audit"

    def ready(self) -> None:
        from audit.stream.subscription import register_inbox
        from tests.audit.inbox import waiting_for

        register_inbox(None if os.environ.get("WITHOUT_INBOX") else waiting_for)
