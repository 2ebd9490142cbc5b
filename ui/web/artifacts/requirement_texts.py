"""The text of a requirement beside its id, so that nobody has to look FR-3 up."""

import re
from typing import Any
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from context.models import ArtifactVersion
from core.text import one_line
from projects.integrity import ContentChanged

SPECIFICATION = "software_specification"
# They say it themselves.
WITH_TEXTS = {SPECIFICATION, "test_results"}
TEXT_MAX = 160
TAGS = re.compile(r"(<[^>]+>)")
QUOTED = ("pre", "code", "a", "h3", "h4", "h5", "h6", "summary")
FIRST = '<span class="req"><b>{}</b> <span class="req-text">{}</span></span>'
AGAIN = '<abbr title="{}">{}</abbr>'


def requirement_texts(project_id: UUID) -> dict[str, str]:
    """By id, as the specification that was accepted has them; else the newest one."""
    versions = ArtifactVersion.objects.filter(
        artifact__project=project_id, artifact__artifact_type=SPECIFICATION
    )
    version = versions.filter(status="accepted").order_by("-pk").first()
    version = version or versions.order_by("-pk").first()
    if version is None:
        return {}
    try:
        requirements = version.content.get("requirements") or []
    except ContentChanged:
        return {}
    return {item["id"]: one_line(item["statement"]) for item in requirements}


def with_requirement_texts(
    html: SafeString, artifact_type: str, texts: dict[str, str]
) -> SafeString:
    """Beside the first mention of each id, and on the others as a tooltip."""
    if not texts or artifact_type in WITH_TEXTS:
        return html
    ids = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, texts))})(?![\w-])")
    seen: set[str] = set()

    def text_of(match: re.Match[str]) -> str:
        name, text = match[1], texts[match[1]]
        if name in seen:
            return format_html(AGAIN, text, name)
        seen.add(name)
        return format_html(FIRST, name, text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…")

    parts: list[Any] = []
    quoted = 0
    for part in TAGS.split(html):
        if part.startswith("<"):
            tag = part.strip("</>").split()[0].lower() if part.strip("</>") else ""
            if tag in QUOTED:
                quoted += -1 if part.startswith("</") else 1
            parts.append(part)
        else:
            parts.append(part if quoted else ids.sub(text_of, part))
    return mark_safe("".join(parts))  # noqa: S308 (the parts were safe; what is added is escaped)
