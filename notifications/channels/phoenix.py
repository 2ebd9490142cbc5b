"""Arize Phoenix: each decision is an annotation of the span."""

from django.conf import settings

from notifications.channel import Channel, register_channel
from notifications.scores import Score, post, send_scores

# A span that is not there yet is an error then, and tried again.
PATH = "/v1/span_annotations?sync=true"


@register_channel
class Phoenix(Channel):
    name, label = "phoenix", "Phoenix"

    @property
    def takes_scores(self) -> bool:
        return bool(settings.PHOENIX_BASE_URL)

    def send(self, deadline: float) -> int:
        return send_scores(self.name, send_score, deadline) if self.takes_scores else 0


def send_score(score: Score) -> None:
    """The same identifier over retries: it is the same annotation then. Raises NotSent."""
    result = {"label": score.action}
    if score.approved is not None:
        result["score"] = score.approved
    annotation = {
        "span_id": score.span_id,
        "name": "decision",
        "annotator_kind": "HUMAN",
        "identifier": score.id,
        "result": result,
        "metadata": score.facts,
    }
    key = settings.PHOENIX_API_KEY
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    post(f"{settings.PHOENIX_BASE_URL.rstrip('/')}{PATH}", {"data": [annotation]}, headers=headers)
