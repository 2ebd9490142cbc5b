"""All that an assignment says, read once: the words of people, the requirements, the program."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agents.offline import generators
from agents.offline.demands import Wanted
from agents.offline.entities import EntityIdea, FieldIdea
from agents.offline.program import Program
from agents.offline.reading import Source, storable
from agents.offline.requirements import Found, Reading, understand
from agents.offline.words import identifier
from agents.protocols import Assignment, Material

_EARLY = ("agent_output", "project_plan", "software_specification")
_LATE = ("system_architecture", "implementation_plan", "source_code")
_OWN = ("loan", "booking", "tick")
_WITHDRAWN = "Its tests failed"
_KEPT_TYPES = ("text", "integer", "decimal", "date", "boolean", "choice")


@dataclass(frozen=True)
class Case:
    """An assignment, understood."""

    assignment: Assignment

    @cached_property
    def clarifications(self) -> list[dict[str, Any]]:
        """Everything that was asked and answered, each answer once."""
        own = [
            {"questions": list(a.questions), "answer": a.answer, "answered_by": a.answered_by}
            for a in self.assignment.answers
        ]
        found = [*self._handed("clarifications"), *self._responses(), *own]
        return list({item["answer"]: item for item in found if item["answer"].strip()}.values())[
            :50
        ]

    @cached_property
    def comments(self) -> list[str]:
        """Comments of people before the specification was settled."""
        return self._comments(_EARLY, settled=self.settled is not None)

    @cached_property
    def late_comments(self) -> list[str]:
        """Comments of people after the specification was settled."""
        if self.settled is None:
            return self._comments(_LATE, settled=True)
        if "software_specification" not in self.assignment.expected:
            return self._comments(_LATE, settled=False)
        known = {note["comment"] for note in self.settled.content["feedback"]}
        return [c for c in self._comments(_EARLY, settled=False) if c not in known]

    @cached_property
    def own_comments(self) -> list[str]:
        """Comments on what is to be written: of this round and of earlier ones."""
        earlier = [
            note["comment"]
            for material in self.assignment.materials
            if material.artifact_type in self.assignment.expected
            for note in material.content.get("feedback") or []
        ]
        return [c for c in dict.fromkeys([*earlier, *self.assignment.feedback]) if c.strip()][-50:]

    @cached_property
    def sources(self) -> list[Source]:
        answers = [
            Source("answer", n, storable(c["answer"])) for n, c in enumerate(self.clarifications)
        ]
        comments = [Source("feedback", n, storable(c)) for n, c in enumerate(self.comments)]
        return [Source("brief", 0, storable(self.assignment.brief)), *answers, *comments]

    @cached_property
    def reading(self) -> Reading:
        return understand(self.sources)

    @cached_property
    def title(self) -> str:
        if self.settled:
            return self.settled.content["title"]
        heading = next(iter(self.reading.headings), "") or self.assignment.project_name
        return " ".join(storable(heading).split())[:120] or "Untitled"

    @cached_property
    def numbered(self) -> list[tuple[str, Found]]:
        """The requirements found in people's words, with their ids."""
        counts = {"FR": 0, "NFR": 0}
        numbered = []
        for found in self.reading.found:
            prefix = "NFR" if found.kind == "quality" else "FR"
            counts[prefix] += 1
            numbered.append((f"{prefix}-{counts[prefix]}", found))
        return numbered

    @property
    def settled(self) -> Material | None:
        """The specification that was handed over; it counts, not the brief.

        Who writes it anew goes back to the words, unless a person had a hand in it.
        """
        return self._truth("software_specification")

    @cached_property
    def changes(self) -> list[Wanted]:
        """Requirements made of late comments."""
        sources = [Source("feedback", n, storable(c)) for n, c in enumerate(self.late_comments)]
        found = understand(sources).found
        handed = self.settled.content["requirements"] if self.settled else []
        numbers = [int(r["id"].split("-")[1]) for r in handed if r["id"].startswith("CR-")]
        first = max(numbers, default=0) + 1
        return [Wanted(f"CR-{n}", f.statement) for n, f in enumerate(found, start=first)]

    @cached_property
    def wanted(self) -> list[Wanted]:
        if self.settled is None:
            own = [Wanted(key, found.statement, found.priority) for key, found in self.numbered]
            return own + self.changes
        handed = self.settled.content["requirements"]
        own = [Wanted(r["id"], storable(r["statement"]), r["priority"]) for r in handed]
        return own + self.changes

    @cached_property
    def kind(self) -> str:
        return generators.kind_of(self.wanted)

    @cached_property
    def program(self) -> Program:
        kind = self.kind or "records"
        return generators.build(
            kind, self.title, self.wanted, given=self.given, dropped=self.failed
        )

    @cached_property
    def given(self) -> list[EntityIdea]:
        """The data model that was handed over; it counts, not our own."""
        architecture = self._truth("system_architecture")
        entities = architecture.content["data_model"] if architecture else []
        return [
            _entity(entity)
            for entity in entities
            if entity["fields"] and entity["name"] not in _OWN
        ]

    @cached_property
    def failed(self) -> dict[str, str]:
        """Requirements whose tests failed in the round before, with what was seen."""
        results = self.assignment.newest("test_results")
        if results is None or results.content["passed"] or self.assignment.agent_type != "coder":
            return {}
        coverage = results.content["coverage"]
        failed = {
            r["requirement"]: _withdrawn(r, results.version)
            for r in coverage
            if r["status"] == "failed"
        }
        return failed | {r["requirement"]: r["reason"] for r in coverage if _was_withdrawn(r)}

    def _truth(self, artifact_type: str) -> Material | None:
        material = self.assignment.newest(artifact_type)
        if material is None or material.changed_by_person:
            return material
        return None if artifact_type in self.assignment.expected else material

    def _handed(self, field: str) -> list[Any]:
        return [item for m in self.assignment.materials for item in m.content.get(field) or []]

    def _responses(self) -> list[dict[str, Any]]:
        return [
            {key: m.content[key] for key in ("questions", "answer", "answered_by")}
            for m in self.assignment.materials
            if m.artifact_type == "hitl_response" and m.content["action"] in ("", "answer")
        ]

    def _comments(self, types: tuple[str, ...], *, settled: bool) -> list[str]:
        handed = [
            note["comment"]
            for material in self.assignment.materials
            if material.artifact_type in types
            for note in material.content.get("feedback") or []
        ]
        own = [] if settled else list(self.assignment.feedback)
        return [c for c in dict.fromkeys([*handed, *own]) if c.strip()]


def _entity(content: dict[str, Any]) -> EntityIdea:
    fields = tuple(
        FieldIdea(identifier(f["name"]), f["type"], f["required"], f["unique"], tuple(f["choices"]))
        for f in content["fields"]
        if f["type"] in _KEPT_TYPES
    )
    return EntityIdea(identifier(content["name"]), fields)


def _was_withdrawn(result: dict[str, Any]) -> bool:
    return result["status"] == "not_covered" and result["reason"].startswith(_WITHDRAWN)


def _withdrawn(result: dict[str, Any], version: int) -> str:
    tests = ", ".join(result["tests"])[:500]
    return (
        f"{_WITHDRAWN} (test results, version {version}: {tests}). The offline rules cannot repair "
        "what they wrote, so it was taken out and needs a person."
    )
