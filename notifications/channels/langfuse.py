"""Langfuse: each decision is a score of the trace, and again whether the work was approved."""

from django.conf import settings

from notifications.channel import Channel, register_channel
from notifications.scores import Score, post, send_scores

PATH = "/api/public/scores"


@register_channel
class Langfuse(Channel):
    name, label = "langfuse", "Langfuse"

    @property
    def takes_scores(self) -> bool:
        return bool(settings.LANGFUSE_BASE_URL)

    def send(self, deadline: float) -> int:
        return send_scores(self.name, send_score, deadline) if self.takes_scores else 0


def send_score(score: Score) -> None:
    """The same id over retries: it is the same score then. Raises NotSent."""
    about = {"traceId": score.trace_id, "observationId": score.span_id, "metadata": score.facts}
    said = {"name": "decision", "dataType": "CATEGORICAL", "value": score.action}
    scores = [about | said | {"id": score.id}]
    if score.approved is not None:
        said = {"name": "approved", "dataType": "BOOLEAN", "value": score.approved}
        scores.append(about | said | {"id": f"{score.id}-approved"})
    for body in scores:
        post(
            f"{settings.LANGFUSE_BASE_URL.rstrip('/')}{PATH}",
            body,
            auth=(settings.LANGFUSE_PUBLIC_KEY, settings.LANGFUSE_SECRET_KEY),
        )
