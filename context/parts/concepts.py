"""Single requirements, decisions, questions, endpoints and entities, with ids that last."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from context.enums import ArtifactType, ConceptKind
from context.parts.markdown import TITLE_MAX_CHARACTERS, slug
from context.parts.splitter import as_lines

Content = dict[str, Any]

CONCEPTS_MAX = 500
# One answer may be to many questions; the whole of it is in its section.
ANSWER_MAX_CHARACTERS = 2_000
_ENDPOINT = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (/[^\s,;`'\")]*)")
# A requirement in Markdown: a heading, an item or a row of a table that starts with its id.
_MARKED = re.compile(
    r"^[ \t]{0,8}(?:#{1,6}[ \t]+|[-*+][ \t]+|\d{1,4}[.)][ \t]+|\|[ \t]*)?[*_`\[]{0,3}"
    r"([A-Z]{1,6}-[0-9]{1,4})\b[^\n]*",
    re.MULTILINE,
)
_MARKS = "#*_`-+|[]:. \t"


@dataclass(frozen=True)
class ConceptPart:
    """`identifier` is the same in every version and, for requirements, the document's own."""

    kind: ConceptKind
    identifier: str
    title: str
    text: str


def find_concepts(artifact_type: str, content: Content) -> list[ConceptPart]:
    """What is named in the content, in order, each identifier once, CONCEPTS_MAX at most."""
    found: dict[str, ConceptPart] = {}
    for concept in _FINDERS.get(artifact_type, _nothing)(content):
        if len(found) == CONCEPTS_MAX:
            break
        found.setdefault(concept.identifier, concept)
    return list(found.values())


def _nothing(content: Content) -> Iterator[ConceptPart]:
    return iter(())


def _in_specification(content: Content) -> Iterator[ConceptPart]:
    for item in content["requirements"]:
        title = f"{item['id']} {item['title']}"[:TITLE_MAX_CHARACTERS]
        yield ConceptPart(ConceptKind.REQUIREMENT, item["id"], title, as_lines(item))
    yield from _questions(content)


def _in_architecture(content: Content) -> Iterator[ConceptPart]:
    for item in content["decisions"]:
        yield _named(ConceptKind.DECISION, item["title"], as_lines(item))
    for item in content["data_model"]:
        yield _named(ConceptKind.ENTITY, item["name"], as_lines(item))
    for line in content["interfaces"]:
        for method, path in _ENDPOINT.findall(line):
            yield _endpoint(method, path, line)


def _endpoint(method: str, path: str, line: str) -> ConceptPart:
    name = f"{method} {path}"[:TITLE_MAX_CHARACTERS]
    return ConceptPart(ConceptKind.ENDPOINT, f"endpoint/{name}"[:200], name, line)


def _named(kind: ConceptKind, name: str, text: str) -> ConceptPart:
    return ConceptPart(kind, f"{kind}/{slug(name)}", name, text)


def _questions(content: Content) -> Iterator[ConceptPart]:
    """What was asked, with the answer; a question has no name but its own words."""
    for asked in content["clarifications"]:
        for question in asked["questions"]:
            yield _question(question, asked["answer"])


def _question(question: str, answer: str) -> ConceptPart:
    words = " ".join(question.split())
    text = as_lines({"question": question, "answer": answer[:ANSWER_MAX_CHARACTERS]})
    digest = hashlib.sha256(words.casefold().encode()).hexdigest()[:12]
    title = words[:TITLE_MAX_CHARACTERS]
    return ConceptPart(ConceptKind.QUESTION, f"question/{digest}", title, text)


def _in_response(content: Content) -> Iterator[ConceptPart]:
    for question in content["questions"]:
        yield _question(question, content["answer"])


def _in_markdown(key: str) -> Callable[[Content], Iterator[ConceptPart]]:
    def find(content: Content) -> Iterator[ConceptPart]:
        for match in _MARKED.finditer(content[key]):
            line = match[0].strip()
            title = line.strip(_MARKS)[:TITLE_MAX_CHARACTERS]
            yield ConceptPart(ConceptKind.REQUIREMENT, match[1], title, line)
        if "clarifications" in content:
            yield from _questions(content)

    return find


_FINDERS: dict[str, Callable[[Content], Iterator[ConceptPart]]] = {
    ArtifactType.SOFTWARE_SPECIFICATION: _in_specification,
    ArtifactType.SYSTEM_ARCHITECTURE: _in_architecture,
    ArtifactType.PROJECT_PLAN: _questions,
    ArtifactType.USER_INPUT: _in_markdown("text"),
    ArtifactType.AGENT_OUTPUT: _in_markdown("body"),
    ArtifactType.HITL_RESPONSE: _in_response,
}
