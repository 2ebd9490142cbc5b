"""Single requirements, decisions, questions, endpoints and entities, with ids that last."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from context.artifact_types import artifact_types
from context.enums import ConceptKind
from context.parts.headings import TITLE_MAX_CHARACTERS, slug
from context.parts.sections import as_lines

Content = dict[str, Any]

CONCEPTS_MAX = 500
# One answer may be to many questions; the whole of it is in its section.
ANSWER_MAX_CHARACTERS = 2_000
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
    if artifact_type not in artifact_types:
        return []
    concepts: dict[str, ConceptPart] = {}
    for concept in artifact_types[artifact_type].concepts(content):
        if len(concepts) == CONCEPTS_MAX:
            break
        concepts.setdefault(concept.identifier, concept)
    return list(concepts.values())


def named(kind: ConceptKind, name: str, text: str) -> ConceptPart:
    return ConceptPart(kind, f"{kind}/{slug(name)}", name, text)


def question(words: str, answer: str) -> ConceptPart:
    """What was asked, with the answer; a question has no name but its own words."""
    line = " ".join(words.split())
    text = as_lines({"question": words, "answer": answer[:ANSWER_MAX_CHARACTERS]})
    digest = hashlib.sha256(line.casefold().encode()).hexdigest()[:12]
    return ConceptPart(
        ConceptKind.QUESTION, f"question/{digest}", line[:TITLE_MAX_CHARACTERS], text
    )


def find_questions(content: Content) -> Iterator[ConceptPart]:
    for clarification in content["clarifications"]:
        for words in clarification["questions"]:
            yield question(words, clarification["answer"])


def find_marked(markdown: str) -> Iterator[ConceptPart]:
    """Requirements by the ids that their lines begin with."""
    for match in _MARKED.finditer(markdown):
        line = match[0].strip()
        title = line.strip(_MARKS)[:TITLE_MAX_CHARACTERS]
        yield ConceptPart(ConceptKind.REQUIREMENT, match[1], title, line)
