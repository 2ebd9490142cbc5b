"""What the worker adds to every model: cancellation, a span of each call, and progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from typing import Any

from django.conf import settings
from pydantic import BaseModel

from agents.models import Task
from agents.protocols import Assignment, Model, Reply, WorkError
from agents.providers.gen_ai import INVOKE_AGENT, agent_facts, span_name, usage_facts
from agents.providers.partial import Sink, partial_output
from agents.worker.cancellation import Cancellation
from audit.stream.notifier import publish_ephemeral
from audit.stream.publisher import is_watched
from context.rendering import render_markdown
from core.database import release_connection
from core.tracing import Span, named_span

EXCERPT_LENGTH = 2_000


class CancellableModel:
    """Checks before each call whether the work may go on, and ends the call when it may not.

    Only a model whose `produce` is a coroutine can be ended in the middle; of any other the answer
    is waited for, and then not used.
    """

    def __init__(self, model: Model, cancellation: Cancellation) -> None:
        self.model = model
        self.cancellation = cancellation
        self.takes_tools = getattr(model, "takes_tools", False)

    def produce(self, *arguments: Any, artifact_type: str, **named: Any) -> Reply:
        self.cancellation.check()
        # A call takes long: others may use the connection meanwhile.
        release_connection()
        try:
            with agent_span(self.cancellation.claim.task, artifact_type) as call:
                reply = self.model.produce(*arguments, artifact_type=artifact_type, **named)
                if iscoroutine(reply):
                    reply = self.cancellation.run(reply)
                call.add(usage_facts(reply.usage))
            return reply
        finally:
            # Whatever came of the call, an error included, is not used.
            self.cancellation.raise_if_requested()


@contextmanager
def agent_span(task: Task, artifact_type: str) -> Iterator[Span]:
    """Which model served the work and how much it took, never what it wrote."""
    facts = agent_facts(str(task.agent_type), str(task.pk))
    facts = {**facts, "paraph.artifact_type": artifact_type}
    with named_span(span_name(INVOKE_AGENT, str(task.agent_type)), facts) as call:
        try:
            yield call
        except WorkError as error:
            call.add(usage_facts(error.usage))
            raise


class ProgressReportingModel:
    """Sends what is being written to those who listen to the project. It is not stored."""

    def __init__(self, model: Model, task: Task) -> None:
        self.model = model
        self.task = task
        self.number = 0
        self.takes_tools = getattr(model, "takes_tools", False)

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        **named: Any,
    ) -> Reply:
        turn = named.get("turn")
        if turn is None or not turn.messages:
            self.number += 1
        self._publish("progress", artifact_type)
        with partial_output(self._sink(artifact_type)):
            reply = self.model.produce(
                assignment, artifact_type=artifact_type, output_type=output_type, **named
            )
        # The last output is stored in a moment, and an event will say so.
        is_last = self.number >= len(assignment.expected)
        if not is_last and isinstance(reply.content, output_type):
            text = excerpt(artifact_type, reply.content)
            self._publish("partial_output", artifact_type, text=text)
        return reply

    def _sink(self, artifact_type: str) -> Sink | None:
        """Only where somebody watches: a stream costs more than an answer in one piece."""
        if not (self.takes_tools and settings.MODEL_STREAMING):
            return None
        if not is_watched(self.task.project_id):
            return None
        return lambda name, text: self._publish("writing", artifact_type, call=name, text=text)

    def _publish(self, kind: str, artifact_type: str, **extra: Any) -> None:
        content = {
            "kind": kind,
            "task": str(self.task.pk),
            "step": self.task.step,
            "agent_type": str(self.task.agent_type),
            "artifact_type": artifact_type,
            "number": self.number,
            "of": max(self.number, len(self.task.handoff.get("expected_outputs", ()))),
        }
        publish_ephemeral(self.task.project_id, content | extra)


def excerpt(artifact_type: str, content: BaseModel) -> str:
    """The beginning of an output as Markdown; it is not checked yet."""
    return render_markdown(artifact_type, content.model_dump(mode="json"))[:EXCERPT_LENGTH]
