from drf_spectacular.openapi import AutoSchema as BaseAutoSchema
from drf_spectacular.utils import OpenApiParameter

SAFE = {"GET", "HEAD", "OPTIONS"}


class AutoSchema(BaseAutoSchema):
    """Says what holds for every operation: the idempotency key and the shape of errors."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        if self.method in SAFE:
            return []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="The same key and body replays the first answer.",
            )
        ]
