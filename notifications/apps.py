from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Tells people and other systems what the log says, by its own cursor on each stream."""

    name = "notifications"

    def ready(self) -> None:
        from audit.rows import register_rows
        from notifications import cursor, people, scores
        from notifications.channels import webhook

        cursor.register_reader(webhook.interest, webhook.read)
        cursor.register_reader(people.interest, people.read)
        cursor.register_reader(scores.interest, scores.read)
        register_rows("rows_of_webhooks")
