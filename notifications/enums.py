from django.db import models


class DeliveryStatus(models.TextChoices):
    #: To be sent, or to be tried again.
    PENDING = "pending", "Pending"
    #: The receiver has it.
    SENT = "sent", "Sent"
    #: Given up; somebody can send it again.
    DEAD = "dead", "Given up"
    #: Not sent, because it was no longer true, or no longer wanted.
    DROPPED = "dropped", "Not sent"


class WhenTold(models.TextChoices):
    #: As soon as it happens, quiet hours aside.
    AT_ONCE = "at_once", "At once"
    #: With all others, once a day.
    DIGEST = "digest", "Once a day, together"
    #: Never.
    OFF = "off", "Never"
