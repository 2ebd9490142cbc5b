from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.enums import Phase


class AgentType(models.Model):
    """A type of agent: one of the installation's own, or what it has changed of one that ships.

    What is empty or null is as it ships; of an own type: nothing, or as the settings say.
    """

    name = models.CharField(max_length=20, primary_key=True)
    title = models.CharField(max_length=100)
    phase = models.CharField(max_length=20, choices=Phase, help_text="Where most of its work is.")
    instructions = models.TextField(blank=True)
    model = models.CharField(
        max_length=200, blank=True, help_text="Instead of the settings'; `external` for elsewhere."
    )
    tools = ArrayField(models.CharField(max_length=100), null=True, blank=True)
    ask_before = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Tools that people are asked about before each call, in every project.",
    )
    max_turns = models.PositiveIntegerField(null=True, blank=True)
    max_tokens = models.PositiveIntegerField(null=True, blank=True)
    max_seconds = models.PositiveIntegerField(null=True, blank=True)
    is_shipped = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "agent_types"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z][a-z0-9_]*$"), name="agent_type_is_a_name"
            ),
            models.CheckConstraint(
                condition=Q(is_shipped=True) | ~Q(instructions=""),
                name="agent_type_of_ones_own_has_instructions",
            ),
        ]

    def __str__(self) -> str:
        return self.title
