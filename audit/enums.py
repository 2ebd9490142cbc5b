from django.db import models


class EventSource(models.TextChoices):
    AGENT = "agent", "Agent"
    USER = "user", "User"
    SYSTEM = "system", "System"
    WEBHOOK = "webhook", "Webhook"
    SCHEDULER = "scheduler", "Scheduler"
