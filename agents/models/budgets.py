"""What calls of models cost: one row a request to a provider, and what is spent of each budget."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.enums import CallState
from projects.models import Project


class ModelCall(models.Model):
    """One request to a provider. Holds no words: see `ModelExchange` for those."""

    # Without constraints in the database: a call must not wait for whoever holds these rows.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    task = models.UUIDField()
    fence = models.PositiveIntegerField(help_text="Of the claim that it was made for.")
    agent_type = models.CharField(max_length=50)
    provider = models.CharField(max_length=50)
    model = models.CharField(max_length=200)
    day = models.DateField(help_text="Its day in UTC, whose budget it counts against.")
    state = models.CharField(max_length=10, choices=CallState, default=CallState.RESERVED)
    reserved_micros = models.PositiveBigIntegerField(help_text="The most that it can cost.")
    charged_micros = models.PositiveBigIntegerField(
        default=0, help_text="What it counts against budgets."
    )
    cost_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Empty: its price or its tokens are not known."
    )
    input_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    cached_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Of the input, read from the provider's cache."
    )
    output_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=100, blank=True, default="")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "model_calls"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=CallState.values), name="model_call_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "day"], name="model_calls_of_a_project"),
            models.Index(fields=["task", "fence"], name="model_calls_of_an_attempt"),
            models.Index(
                fields=["id"], name="model_calls_reserved", condition=Q(state=CallState.RESERVED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} ({self.state})"


class BudgetAccount(models.Model):
    """What is spent and reserved: of the installation, a project, one of its agents, a day.

    The limits stand elsewhere: in the settings, and with the project.
    """

    name = models.CharField(primary_key=True, max_length=100)
    spent_micros = models.PositiveBigIntegerField(default=0, db_default=0)
    reserved_micros = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "budget_accounts"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
