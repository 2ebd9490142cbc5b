"""What a build gave, word for word. Whole documents are read at their version."""

import hashlib
from typing import Any

from context.enums import Form
from context.models import Concept, ContextBuild, Section


def items_with_texts(build: ContextBuild) -> list[dict[str, Any]]:
    """The items, each with its `text` where that is a part in full or a summary, else empty."""
    parts = [item for item in build.items if item["part"] and item["form"] == Form.FULL]
    texts = _texts_of(Concept, "identifier", parts) | _texts_of(Section, "path", parts)
    return [item | {"text": _text_of(item, texts)} for item in build.items]


def _text_of(item: dict[str, Any], texts: dict[str, str]) -> str:
    """By its hash, so that nothing but what was given can be shown."""
    return item.get("text") or texts.get(item["sha256"], "")


def _texts_of(model: Any, name: str, items: list[dict[str, Any]]) -> dict[str, str]:
    rows = model.objects.filter(
        version__artifact__in={item["artifact"] for item in items},
        version__number__in={item["version"] for item in items},
        **{f"{name}__in": {item["part"] for item in items}},
    )
    texts = rows.values_list("body__text", flat=True).distinct().order_by()
    return {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
