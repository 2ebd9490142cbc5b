"""What a person looks at before they read the rest: what is missing or risky, and the cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models import Task, TaskAttempt
from agents.selectors import USED
from context.staleness import staleness_of
from context.types.test_results import tested_of
from hitl.presenter import PresentedRequest, PresentedVersion
from ui.wording import changed_text, cost_text, counted

NAMED_MAX = 8
DEMO = "demo"
NOT_SHOWN = {"failed": "failed", "not_run": "not tested", "not_covered": "not tested"}


@dataclass(frozen=True)
class Point:
    """`tone`: bad, warn, good or info; `details` are a few lines below the text."""

    tone: str
    text: str
    details: list[str] = field(default_factory=list)


def points_of(presented: PresentedRequest, changes: Sequence[int | None]) -> list[Point]:
    """The worst first. `changes`: by content, how many lines changed; None with nothing before."""
    points = [*_risks(presented)]
    for content, changed in zip(presented.contents, changes, strict=True):
        if content.difference is None:
            points += gaps_of(content.version.content)
        points += _sources(content)
        if content.difference is None:
            points.append(Point("info", changed_text(content, changed)))
    if presented.request.task is not None:
        points.append(_cost(presented.request.task))
    order = ("bad", "warn", "info", "good")
    return sorted(points, key=lambda point: order.index(point.tone))


def _risks(presented: PresentedRequest) -> Iterator[Point]:
    verdict = presented.subject.get("verdict")
    if verdict == "fail":
        yield Point("bad", "The agent itself says that it failed.")
    if error := presented.subject.get("error"):
        yield Point("bad", error["detail"])
    if presented.card is not None:
        for tone, text in presented.card.warnings:
            yield Point(tone, text)
        if presented.card.action.effect:
            text = (
                f"Effect: {presented.card.action.effect}. While a call with it runs, has succeeded "
                "or may have, no other call with it is let through."
            )
            yield Point("info", text)


def gaps_of(content: dict[str, Any]) -> Iterator[Point]:
    """What was asked for and is not there, by the content's own account."""
    coverage = content.get("coverage") or []
    if coverage and isinstance(coverage[0], dict) and "status" in coverage[0]:
        missing = [item for item in coverage if item["status"] != "passed"]
        tone = "bad" if any(item["status"] == "failed" for item in coverage) else "warn"
        lines = [
            f"{item['requirement']} {NOT_SHOWN.get(item['status'], item['status'])}: "
            f"{item.get('statement') or item.get('reason') or ''}"
            for item in sorted(missing, key=lambda item: item["status"] != "failed")
        ]
        yield Point(tone if missing else "good", tested_of(coverage), _few(lines))
    not_covered = content.get("not_covered") or []
    if not_covered and isinstance(not_covered[0], dict):
        lines = [f"{item['requirement']}: {item['reason']}" for item in not_covered]
        number = counted(len(not_covered), "requirement")
        yield Point("warn", f"{number} not covered.", _few(lines))
    problems = content.get("problems") or []
    if problems and "coverage" in content:
        yield Point("bad", "The test run is in doubt.", _few([str(line) for line in problems]))
    if own := content.get("acceptance"):
        counts, failures = own["counts"], own["failures"]
        is_bad = counts["failed"] or counts["errors"] or own["problems"]
        tone = "info" if own["passed"] else "bad" if is_bad else "warn"
        lines = [f"{test['name']}: {test['detail']}" for test in failures]
        yield Point(tone, own["summary"], _few(lines))
    ignored = [
        note for note in content.get("feedback") or [] if isinstance(note, dict) and
        note.get("honoured") is False
    ]  # fmt: skip
    if ignored:
        lines = [f"“{note['comment']}” {note['response']}" for note in ignored]
        yield Point("bad", "Not everything that people asked for was changed.", _few(lines))


def _sources(content: PresentedVersion) -> Iterator[Point]:
    if content.version.provider == DEMO:
        yield Point("warn", f"{content.artifact.title} was made by the demo model.")
    if content.version.claims:
        yield Point("warn", f"{content.artifact.title} was imported from another installation.")
    if stale := staleness_of([content.artifact.pk]).get(content.artifact.pk):
        sources = [
            f"Made from version {source['used']} of {source['title']}; "
            f"version {source['accepted']} is accepted."
            for source in stale.because
        ]
        yield Point("warn", f"{content.artifact.title} is out of date.", sources)


def _cost(task: Task) -> Point:
    used = TaskAttempt.objects.filter(task=task).aggregate(**USED)
    return Point("info", f"Cost of this step so far: {cost_text(used)}.")


def _few(lines: list[str]) -> list[str]:
    more = len(lines) - NAMED_MAX
    return lines[:NAMED_MAX] + ([f"and {more} more"] if more > 0 else [])
