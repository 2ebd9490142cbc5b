"""Pages of a project beside its own: requirements with their tests, and what its log proves."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from audit.full_verification import verify_fully
from context.models import ArtifactVersion
from core.text import one_line
from projects.integrity import ContentChanged
from projects.models import Project
from ui.web.pages import render_page
from ui.wording import counted

SPECIFICATION, RESULTS = "software_specification", "test_results"
NOT_TESTED = {"not_run", "not_covered", ""}
SHOWN_FIRST = {"failed": 0, "passed": 2}


@dataclass(frozen=True)
class TracedRequirement:
    """`verdict` is '' where no test report speaks of it."""

    id: str
    statement: str
    tests: list[str]
    verdict: str
    reason: str


def trail_of(project: Project) -> list[tuple[str, str]]:
    return [
        ("Projects", reverse("admin:projects_project_changelist")),
        (project.name, reverse("admin:projects_project_change", args=[project.pk])),
    ]


@require_GET
def show_traceability(request: HttpRequest, project: Project) -> HttpResponse:
    """Each requirement with its tests and what came of them; what is not shown comes first."""
    specification, results = (newest(project, name) for name in (SPECIFICATION, RESULTS))
    changed = [version.difference for version in (specification, results) if version]
    differences = [difference for difference in changed if difference]
    rows = [] if differences else traced(specification, results)
    rows.sort(key=lambda row: SHOWN_FIRST.get(row.verdict, 1))
    context = {
        "title": "Requirements and tests",
        "trail": trail_of(project),
        "project": project,
        "specification": specification,
        "results": results,
        "differences": differences,
        "rows": rows,
        "passed": sum(row.verdict == "passed" for row in rows),
        "failed": sum(row.verdict == "failed" for row in rows),
        "untested": sum(row.verdict in NOT_TESTED for row in rows),
    }
    return render_page(request, "ui/projects/traceability.html", context)


def newest(project: Project, artifact_type: str) -> ArtifactVersion | None:
    """The accepted version where there is one."""
    versions = ArtifactVersion.objects.filter(
        artifact__project=project, artifact__artifact_type=artifact_type
    ).select_related("artifact")
    accepted = versions.filter(status="accepted").order_by("-pk").first()
    return accepted or versions.order_by("-pk").first()


def traced(
    specification: ArtifactVersion | None, results: ArtifactVersion | None
) -> list[TracedRequirement]:
    requirements = content_of(specification).get("requirements") or []
    coverage = {item["requirement"]: item for item in content_of(results).get("coverage") or []}
    rows = []
    for item in requirements:
        result = coverage.pop(item["id"], {})
        rows.append(_row(item["id"], item["statement"], result))
    # A report may speak of a requirement that the specification no longer has.
    rows += [_row(name, result.get("statement", ""), result) for name, result in coverage.items()]
    return rows


def content_of(version: ArtifactVersion | None) -> dict[str, Any]:
    try:
        return version.content if version else {}
    except ContentChanged:
        return {}


def _row(name: str, statement: str, result: dict[str, Any]) -> TracedRequirement:
    verdicts = [
        f"{one_line(verdict['test'])}: {verdict['outcome'].replace('_', ' ')}"
        for verdict in result.get("verdicts") or []
    ]
    return TracedRequirement(
        id=name,
        statement=one_line(statement),
        tests=verdicts or [one_line(test) for test in result.get("tests") or []],
        verdict=result.get("status", ""),
        reason=one_line(result.get("reason") or ""),
    )


@require_POST
def show_verification(request: HttpRequest, project: Project) -> HttpResponse:
    """The chain computed anew, rows held against it, and it against the last checkpoint."""
    found = verify_fully(project.pk)
    context = {
        "title": "What the log proves",
        "trail": trail_of(project),
        "project": project,
        "found": found,
        "chain": found.chain,
        "rows": found.rows,
        "first_problem": found.rows.problems[0] if found.rows.problems else None,
        "events": counted(found.chain.events, "event"),
    }
    return render_page(request, "ui/projects/verification.html", context)
