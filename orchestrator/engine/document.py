"""One document of all that a project has accepted so far.

It is never "updated": it is made from the accepted versions when somebody asks, and kept under
their hash, so that no event can be missed. It holds as much as a web process can bear: contents are
read one after the other, and no more of them once the document is full.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac

from agents.models import Task
from audit.actors import Actor
from audit.canonical import canonical
from context.html import read_markdown
from context.markdown import plain
from context.models import Artifact, ArtifactVersion
from context.printing.blocks import PrintBudget
from context.printing.pdf import SECONDS, print_pdf
from context.rendering import PART_MAX_CHARACTERS, lowered, part_markdown
from core.text import one_line
from orchestrator.models import AssembledDocument
from projects.models import Project
from projects.transaction import ProjectTransaction

# Increase it when the same versions are to give another document.
LAYOUT = 6
MEDIA_TYPES = {
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
ENDINGS = {"markdown": "md", "html": "html", "pdf": "pdf"}
MAX_CHARACTERS = 2_000_000
# Read from contents. Of some only a little is printed: of a program, the names of its files.
MAX_READ_CHARACTERS = 20_000_000
MAX_PARTS = 1_000
# Less of a part than this helps nobody.
MIN_PART_CHARACTERS = 1_000
LEFT_OUT = "(Left out: this document is full. The export has it.)"

# Rendering takes a processor, and memory: one document at a time.
_rendering = threading.Lock()


@dataclass(frozen=True)
class Sources:
    """What a document is made of. `sha256` identifies it."""

    project: Project
    versions: list[ArtifactVersion]
    sha256: str


@dataclass(frozen=True)
class Part:
    """An accepted version for reading. `about` says what it is."""

    title: str
    about: str
    markdown: str
    is_left_out: bool = False


def current_outputs(project: Project) -> set[str]:
    """Ids of the artifacts that current tasks have created; dropped rounds are not current."""
    results = Task.objects.filter(project=project, is_current=True).values_list("result", flat=True)
    return {output["artifact"] for result in results for output in result.get("outputs", [])}


def sources_of(project: Project) -> Sources:
    """The accepted versions, without contents, in the order in which their artifacts were made."""
    accepted = (
        ArtifactVersion.objects.filter(artifact__project=project, status="accepted")
        .select_related("artifact")
        .defer("inline_content")
        .order_by("artifact__created_at", "artifact__id")
    )
    # Of what steps have created here, only the current round counts; imports have no task.
    by_steps = Artifact.objects.filter(project=project, task__isnull=False).exclude(step="")
    dropped = {str(pk) for pk in by_steps.values_list("pk", flat=True)} - current_outputs(project)
    versions = [version for version in accepted if str(version.artifact_id) not in dropped]
    names = [[str(v.artifact_id), v.artifact.title, v.number, v.sha256] for v in versions]
    stamp = canonical([LAYOUT, str(project.pk), project.name, names])
    return Sources(project, versions, hashlib.sha256(stamp).hexdigest())


def document_of(sources: Sources, form: str, print_seconds: float = SECONDS) -> bytes:
    """The document as `markdown`, `html` or `pdf`, rendered unless it is kept for these sources.

    Takes as long as it takes, apart from setting it in type. Raises TooLong, ContentChanged, and
    KeyError for another form. Writes, so call it outside of a reading transaction.
    """
    body = kept_document(sources, form)
    if body is not None:
        return body
    with _rendering:
        # Another thread may have rendered it meanwhile.
        body = kept_document(sources, form)
        if body is not None:
            return body
        body = render_document(sources, form, print_seconds)
        # Kept unless the project has changed, or was erased, in the meantime.
        with ProjectTransaction(sources.project.pk, Actor.of_system("documents")) as tx:
            if sources_of(tx.project).sha256 == sources.sha256:
                values = {
                    "source_sha256": sources.sha256,
                    "body": body,
                    "seal": seal_of(sources, form, body),
                }
                AssembledDocument.objects.update_or_create(
                    project=tx.project, form=form, defaults=values
                )
    return body


def kept_document(sources: Sources, form: str) -> bytes | None:
    document = AssembledDocument.objects.filter(
        project=sources.project, form=form, source_sha256=sources.sha256
    ).first()
    # Nobody who can only write to the database can put another document in its place.
    if document is None or document.seal != seal_of(sources, form, bytes(document.body)):
        return None
    return bytes(document.body)


def seal_of(sources: Sources, form: str, body: bytes) -> str:
    """By the server's secret key."""
    return salted_hmac(
        f"paraph.document.{form}.{sources.sha256}", body, algorithm="sha256"
    ).hexdigest()


def render_document(sources: Sources, form: str, print_seconds: float = SECONDS) -> bytes:
    """Raises TooLong, and KeyError for another form."""
    parts = parts_of(sources.versions)
    if form == "pdf":
        return render_pdf(sources, parts, print_seconds)
    return FORMS[form](sources, parts)


def parts_of(versions: list[ArtifactVersion]) -> list[Part]:
    """In the order of the versions, which come without contents."""
    characters, read_characters = MAX_CHARACTERS, MAX_READ_CHARACTERS
    parts = []
    for version in versions[:MAX_PARTS]:
        artifact, markdown = version.artifact, ""
        is_full = characters < MIN_PART_CHARACTERS or read_characters <= 0
        # There is no such row if it was erased in the meantime.
        whole = None if is_full else ArtifactVersion.objects.filter(pk=version.pk).first()
        if whole is not None:
            content = whole.content
            read_characters -= _characters_in(content)
            limit = min(PART_MAX_CHARACTERS, characters)
            markdown = part_markdown(artifact.artifact_type, content, limit)
            characters -= len(markdown)
        model = f" with {version.provider} {version.model}".rstrip() if version.provider else ""
        maker = f"by {version.source_agent or 'a person'}{model}"
        if version.claims:
            verified = "verified" if version.claims["is_verified"] else "not verified"
            maker = one_line(f"imported, {verified}: said to be by {version.claimed_maker}")
        about = (
            f"{artifact.artifact_type.replace('_', ' ')}, version {version.number}, "
            f"{maker}; SHA-256 {version.sha256}"
        )
        title = one_line(artifact.title)
        parts.append(Part(title, about, markdown or LEFT_OUT, is_left_out=not markdown))
    return parts


def _characters_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(key) + _characters_in(part) for key, part in value.items())
    if isinstance(value, list):
        return sum(map(_characters_in, value))
    return len(value) if isinstance(value, str) else 1


def _facts(sources: Sources, parts: list[Part]) -> list[str]:
    """For the reader, at the beginning."""
    count = len(sources.versions)
    facts = [f"Accepted versions: {count}" if count else "Nothing has been accepted yet."]
    if left_out := count - sum(not part.is_left_out for part in parts):
        unlisted = count - MAX_PARTS
        note = f"; the last {unlisted:,} are not listed" if unlisted > 0 else ""
        facts.append(
            f"Left out: {left_out:,} of {count:,}, because this document is full (at most "
            f"{MAX_CHARACTERS:,} characters){note}. The export of the project has all of them, "
            "each in its file below artifacts/."
        )
    facts.append(f"Project {sources.project.pk}")
    facts.append(f"Made of versions with the hash {sources.sha256}")
    return facts


def render_markdown(sources: Sources, parts: list[Part]) -> bytes:
    texts = [f"# {plain(sources.project.name)}\n"]
    texts += [f"{fact}  \n" for fact in _facts(sources, parts)]
    for part in parts:
        head = f"\n# {plain(part.title)}\n\n{plain(part.about)}\n\n"
        texts.append(head + lowered(part.markdown))
    return "".join(texts).encode()


def render_html(sources: Sources, parts: list[Part]) -> bytes:
    context = {
        "title": one_line(sources.project.name),
        "facts": _facts(sources, parts),
        "parts": [(part, read_markdown(part.markdown)) for part in parts],
    }
    return render_to_string("orchestrator/document.html", context).encode()


def render_pdf(sources: Sources, parts: list[Part], seconds: float = SECONDS) -> bytes:
    budget = PrintBudget()
    return print_pdf(
        {
            "title": one_line(sources.project.name),
            "stamp": sources.sha256,
            "lang": "en",
            "contents": "Contents",
            "facts": _facts(sources, parts),
            "parts": [
                {"title": p.title, "about": p.about, "blocks": budget.blocks_of(p.markdown)}
                for p in parts
            ],
        },
        seconds,
    )


FORMS: dict[str, Callable[[Sources, list[Part]], bytes]] = {
    "markdown": render_markdown,
    "html": render_html,
    "pdf": render_pdf,
}
