"""What a running agent shows in passing to those who listen to its project. Nobody keeps it."""

from typing import Any

from pydantic import BaseModel

from agents.models import Task
from agents.protocols import Assignment, Model, Questions, Reply
from audit.stream.notifier import publish_ephemeral
from context.rendering import render_markdown

EXCERPT_LENGTH = 2_000


class Shown:
    """A model of whose calls the listeners learn while they last."""

    def __init__(self, model: Model, task: Task) -> None:
        self.model = model
        self.task = task
        self.number = 0

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        **more: Any,
    ) -> Reply:
        self.number += 1
        self._show("progress", artifact_type)
        reply = self.model.produce(
            assignment, artifact_type=artifact_type, output_type=output_type, **more
        )
        # The last output is stored in a moment, and an event will say so.
        if self.number < len(assignment.expected) and not isinstance(reply.content, Questions):
            self._show("partial_output", artifact_type, text=excerpt(artifact_type, reply.content))
        return reply

    def _show(self, kind: str, artifact_type: str, **more: Any) -> None:
        content = {
            "kind": kind,
            "task": str(self.task.pk),
            "step": self.task.step,
            "agent_type": str(self.task.agent_type),
            "artifact_type": artifact_type,
            "number": self.number,
            "of": max(self.number, len(self.task.handoff.get("expected_outputs", ()))),
        }
        publish_ephemeral(self.task.project_id, content | more)


def excerpt(artifact_type: str, content: BaseModel) -> str:
    """The beginning of an output as Markdown; it is not checked yet."""
    return render_markdown(artifact_type, content.model_dump(mode="json"))[:EXCERPT_LENGTH]
