"""What the demo model reads from an assignment: the quotes, and the answers and comments."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agents.protocols import Assignment, Material
from agents.providers.demo.brief import Passage, first_heading, read, storable

NOT_BUILT = "not built: the demo model writes no programs"
# As many as a specification may hold, and as many spans as a requirement may have.
MOST_REQUIREMENTS = 300
MOST_SPANS = 20
# Answers begin a requirement of their own, so there are a few more than this.
MOST_WHEN_SHARED = 240
MOST_SECTIONS = 40
LONGEST_STATEMENT = 15_000

Requirement = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of the brief, by its heading, with the ids of what is quoted from it."""

    name: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """An assignment, with its texts cut into quotes."""

    assignment: Assignment

    @cached_property
    def clarifications(self) -> list[dict[str, Any]]:
        """All questions of agents with their answers, each answer once."""
        earlier = [
            clarification
            for material in self.assignment.materials
            for clarification in material.content.get("clarifications") or []
        ]
        own = [
            {"questions": list(a.questions), "answer": a.answer, "answered_by": a.answered_by}
            for a in self.assignment.answers
        ]
        answered = [reply for reply in (*earlier, *own) if reply["answer"].strip()]
        return list({reply["answer"]: reply for reply in answered}.values())[:50]

    @cached_property
    def comments(self) -> list[str]:
        """The changes that people requested in what is to be written, of all rounds."""
        earlier = [
            note["comment"]
            for material in self.assignment.materials
            if material.artifact_type in self.assignment.expected
            for note in material.content.get("feedback") or []
        ]
        every = dict.fromkeys([*earlier, *self.assignment.feedback])
        return [storable(comment) for comment in every if comment.strip()][-50:]

    @cached_property
    def texts(self) -> dict[tuple[str, int], str]:
        """What is quoted from: the brief and the answers."""
        answers = {("answer", n): storable(c["answer"]) for n, c in enumerate(self.clarifications)}
        return {("brief", 0): storable(self.assignment.brief), **answers}

    @cached_property
    def passages(self) -> list[Passage]:
        return [p for place, text in self.texts.items() for p in read(text, *place)]

    @cached_property
    def title(self) -> str:
        if self.specification:
            return self.specification.content["title"]
        heading = first_heading(self.texts["brief", 0])
        name = heading or " ".join(storable(self.assignment.project_name).split())
        return f"{name[:100] or 'Untitled'} (demo)"

    @cached_property
    def specification(self) -> Material | None:
        """The one that later steps build on; None where it is what is to be written."""
        is_expected = "software_specification" in self.assignment.expected
        return None if is_expected else self.assignment.newest("software_specification")

    @cached_property
    def requirements(self) -> list[Requirement]:
        """Those of the specification at hand; else one for each sentence, in order.

        In a long text neighbours share one.
        """
        if self.specification:
            return self.specification.content["requirements"]
        is_long = len(self.passages) > MOST_REQUIREMENTS
        size = -(-len(self.passages) // MOST_WHEN_SHARED) if is_long else 1
        groups = [
            group[n : n + size]
            for place in self.texts
            if (group := [p for p in self.passages if (p.source, p.number) == place])
            for n in range(0, len(group), size)
        ]
        return [self._requirement(f"REQ-{n}", group) for n, group in enumerate(groups, start=1)]

    @property
    def ids(self) -> list[str]:
        return [requirement["id"] for requirement in self.requirements]

    def _requirement(self, key: str, group: Sequence[Passage]) -> Requirement:
        first = group[0]
        text = self.texts[first.source, first.number]
        places = [span for p in group for span in (*p.leads, (p.start, p.end))]
        places = list(dict.fromkeys(places))
        if len(places) > MOST_SPANS:
            places = [(min(a for a, _ in places), max(b for _, b in places))]
        source = {"source": first.source, "number": first.number}
        name = f"Answer {first.number + 1}" if first.source == "answer" else first.section
        line = f"{_short(name, 180)}, line {first.line}" if name else f"Line {first.line}"
        statement = "\n".join(_statement(text, passage) for passage in group)
        return {
            "id": key,
            "kind": "undecided",
            "title": f"{line}: {_short(' '.join(first.quote.split()), 80)}",
            "statement": _short(statement, LONGEST_STATEMENT),
            "priority": "undecided",
            "acceptance_criteria": [],
            "spans": [source | {"start": a, "end": b, "quote": text[a:b]} for a, b in places],
        }

    @cached_property
    def sections(self) -> list[Section]:
        """The requirements by the heading that they stand under; the last few share one."""
        brief = [passage for passage in self.passages if passage.source == "brief"]
        ends = [passage.end for passage in brief]
        ids: dict[str, list[str]] = {}
        for requirement in self.requirements:
            span = next(iter(requirement["spans"]), {"source": ""})
            name = "Answers of people" if span["source"] == "answer" else "Added by people"
            if span["source"] == "brief":
                place = bisect_right(ends, span["start"])
                section = brief[place].section if place < len(brief) else ""
                name = section or "Beginning of the brief"
            ids.setdefault(name, []).append(requirement["id"])
        sections = [Section(name, tuple(keys)) for name, keys in ids.items()]
        rest = tuple(key for section in sections[MOST_SECTIONS:] for key in section.ids)
        return sections[:MOST_SECTIONS] + ([Section("Further sections", rest)] if rest else [])


def listed(ids: Sequence[str]) -> str:
    """Ids for people, runs of neighbours in short: REQ-1 to REQ-4, REQ-7."""
    runs: list[list[str]] = []
    for key in ids:
        prefix, _, number = key.rpartition("-")
        if runs and f"{prefix}-{int(number) - 1}" == runs[-1][-1]:
            runs[-1].append(key)
        else:
            runs.append([key])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def inline(text: str) -> str:
    """A text of people in one line, harmless in Markdown."""
    return " ".join(text.split()).replace("<", "&lt;").replace("`", "'")


def _statement(text: str, passage: Passage) -> str:
    """The quote in one line, after what leads into it; a row's cells after those of its head."""
    leads = [" ".join(text[start:end].split()) for start, end in passage.leads]
    quote = passage.quote if passage.kind == "code" else " ".join(passage.quote.split())
    if passage.kind == "table row" and leads:
        head, cells = (
            [cell.strip() for cell in row.strip("| ").split("|")] for row in (leads[-1], quote)
        )
        if len(head) == len(cells):
            pairs = zip(head, cells, strict=True)
            return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs)
    return " ".join([*leads, quote])


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."
