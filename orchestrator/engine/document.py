"""One document of all that a project has accepted so far.

It is never "updated": it is made of the accepted versions whenever somebody asks, and kept under
the hash of these, so that no event can be missed.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from agents.models import Task
from audit.actors import Actor
from audit.canonical import canonical
from context.html import read_markdown
from context.markdown import plain
from context.models import Artifact, ArtifactVersion
from context.printing.blocks import PrintBudget
from context.printing.pdf import print_pdf
from context.rendering import lowered
from orchestrator.engine.document_parts import Part, fact_of_what_is_left_out, parts_of
from orchestrator.models import AssembledDocument
from projects.models import Project
from projects.transaction import ProjectTransaction

# Each takes a processor, and memory, while it is made.
_one_at_a_time = threading.Lock()
# Raise it when the same versions shall give another document.
LAYOUT = 4
MEDIA_TYPES = {
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
ENDINGS = {"markdown": "md", "html": "html", "pdf": "pdf"}


@dataclass(frozen=True)
class Sources:
    """What a document is made of; `sha256` names it."""

    project: Project
    versions: list[ArtifactVersion]
    sha256: str


def sources_of(project: Project) -> Sources:
    """The accepted versions, without contents, in the order in which the work came to them."""
    dropped = _dropped_artifacts(project)
    versions = [
        version
        for version in _accepted(project).defer("inline_content")
        if str(version.artifact_id) not in dropped
    ]
    named = [[str(v.artifact_id), v.artifact.title, v.number, v.sha256] for v in versions]
    stamp = canonical([LAYOUT, str(project.pk), project.name, named])
    return Sources(project, versions, hashlib.sha256(stamp).hexdigest())


def document_of(sources: Sources, form: str) -> bytes:
    """The document as `markdown`, `html` or `pdf`, made only if the kept one is of other sources.

    Raises KeyError for another form. Writes, so call it outside of a reading transaction.
    """
    body = _kept(sources, form)
    if body is not None:
        return body
    with _one_at_a_time:
        # Who has waited may find it made.
        body = _kept(sources, form)
        if body is None:
            body = make_document(sources, form)
            _keep(sources, form, body)
    return body


def read_document(sources: Sources, form: str) -> bytes:
    """The same, and keeps nothing: for reading transactions."""
    body = _kept(sources, form)
    return make_document(sources, form) if body is None else body


def _kept(sources: Sources, form: str) -> bytes | None:
    kept = AssembledDocument.objects.filter(
        project=sources.project, form=form, source_sha256=sources.sha256
    ).first()
    return bytes(kept.body) if kept else None


def _keep(sources: Sources, form: str, body: bytes) -> None:
    """Unless the project has moved on, or was erased, while the document was made."""
    with ProjectTransaction(sources.project.pk, Actor.of_system("documents")) as tx:
        if sources_of(tx.project).sha256 == sources.sha256:
            kept = {"source_sha256": sources.sha256, "body": body}
            AssembledDocument.objects.update_or_create(project=tx.project, form=form, defaults=kept)


def make_document(sources: Sources, form: str) -> bytes:
    """Raises KeyError for another form."""
    return FORMS[form](sources, parts_of(sources.versions))


def _accepted(project: Project) -> Any:
    return (
        ArtifactVersion.objects.filter(artifact__project=project, status="accepted")
        .select_related("artifact")
        .order_by("artifact__created_at", "artifact__id")
    )


def _dropped_artifacts(project: Project) -> set[str]:
    """What a step has made, but not in its current round; imports were made by no task of ours."""
    tasks = Task.objects.filter(project=project, is_current=True).exclude(step="")
    made = {
        output["artifact"]
        for result in tasks.values_list("result", flat=True)
        for output in result.get("outputs", [])
    }
    of_steps = Artifact.objects.filter(project=project, task__isnull=False).exclude(step="")
    return {str(pk) for pk in of_steps.values_list("pk", flat=True)} - made


def _facts(sources: Sources, parts: list[Part]) -> list[str]:
    count = len(sources.versions)
    return [
        f"Accepted versions: {count}" if count else "Nothing has been accepted yet.",
        *fact_of_what_is_left_out(parts, count),
        f"Project {sources.project.pk}",
        f"Made of versions with the hash {sources.sha256}",
    ]


def _as_markdown(sources: Sources, parts: list[Part]) -> bytes:
    texts = [
        f"# {plain(sources.project.name)}\n",
        *(f"{fact}  \n" for fact in _facts(sources, parts)),
    ]
    for part in parts:
        head = f"\n# {plain(part.title)}\n\n{plain(part.about)}\n\n"
        texts.append(head + lowered(part.markdown))
    return "".join(texts).encode()


def _as_html(sources: Sources, parts: list[Part]) -> bytes:
    context = {
        "title": sources.project.name,
        "facts": _facts(sources, parts),
        "parts": [(part, read_markdown(part.markdown)) for part in parts],
    }
    return render_to_string("orchestrator/document.html", context).encode()


def _as_pdf(sources: Sources, parts: list[Part]) -> bytes:
    budget = PrintBudget()
    return print_pdf(
        {
            "title": sources.project.name,
            "stamp": sources.sha256,
            "lang": "en",
            "contents": "Contents",
            "facts": _facts(sources, parts),
            "parts": [
                {"title": p.title, "about": p.about, "blocks": budget.blocks_of(p.markdown)}
                for p in parts
            ],
        }
    )


FORMS: dict[str, Callable[[Sources, list[Part]], bytes]] = {
    "markdown": _as_markdown,
    "html": _as_html,
    "pdf": _as_pdf,
}
