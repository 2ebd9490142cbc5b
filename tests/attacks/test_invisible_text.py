"""An agent writes what a person does not see, or sees in another order, everywhere it can write."""

import io

import pytest
from django.test import Client
from django.urls import reverse

from agents.protocols import Completed, NeedsPerson, Output, PermanentError
from agents.services import fail_attempt
from audit.actors import Actor
from context.models import Artifact
from context.printing.blocks import blocks_of
from core.text import escaped
from hitl.models import HitlRequest
from hitl.services import add_comment
from orchestrator.engine.document import FORMS, parts_of, sources_of
from projects.models import Project
from tests.core.test_text import CORPUS
from tests.isolation.test_admin import OF_MANY, OF_ONE, TOGETHER, url_of
from tests.isolation.things import Things
from tests.scenes import USAGE, advance, claim, decide_as, finish, side_task
from ui.terminal.console import Terminal
from ui.terminal.requests import show_request, whole_text

pytestmark = pytest.mark.django_db

HIDING = f"Ready {' '.join(text for text, _ in CORPUS.values())} &#x202e; end"
LONG = HIDING + "\u200b" * 50_000
# Titles and names are shorter.
SHORT = "Fine \u202e\u200b\U000e0041\x1b[2J x\u200dy"
PROGRAM = {
    "title": SHORT,
    "summary": HIDING,
    "entry_point": "main.py",
    "test_command": [],
    "covered": [],
    "notes": [HIDING],
    "files": [{"path": "main.py", "language": "python", "content": f"# {LONG}\nprint('hi')\n"}],
}
DOCUMENT = {"summary": HIDING, "body": f"# {HIDING}\n\n`{LONG}`\n\n```python\n{LONG}\n```\n"}


@pytest.fixture
def hiding(project, owner, approver, monkeypatch):
    """A project in which everything that people or agents wrote hides something."""
    owner.is_staff = owner.is_superuser = True
    owner.save()
    Project.objects.filter(pk=project.pk).update(name=SHORT, brief=HIDING)
    monkeypatch.setattr("tests.scenes.CONTENT", DOCUMENT)
    things = Things(Project.objects.get(pk=project.pk))
    request = HitlRequest.objects.pending().filter(project=project).latest("created_at")
    add_comment(request_id=request.pk, actor=Actor.of_user(approver), text=HIDING)
    document, program = (
        Output("agent_output", SHORT, DOCUMENT),
        Output("source_code", SHORT, PROGRAM),
    )
    amended = finish(side_task(project), Completed((document,), USAGE, notes=HIDING))
    decide_as(approver, amended, "amend", content=DOCUMENT | {"body": HIDING}, comment=HIDING)
    finish(side_task(project), Completed((program,), USAGE, notes=HIDING))
    finish(side_task(project), NeedsPerson((HIDING,), USAGE, HIDING))
    failing = side_task(project, instructions=HIDING)
    fail_attempt(claim=claim(failing), error=PermanentError("unreadable", HIDING))
    advance(project)
    return things


def test_no_page_hides_anything(hiding, owner):
    pages = dict(pages_of(hiding, owner))

    assert len(pages) > 60
    assert [url for url, page in pages.items() if hides(page)] == []
    assert sum("‹U+202E›" in page for page in pages.values()) > 20


def test_control_without_the_check_the_pages_hide_it(hiding, owner, monkeypatch):
    monkeypatch.setattr("ui.web.visible_text.escaped", lambda text: text)

    pages = dict(pages_of(hiding, owner))

    assert sum(map(hides, pages.values())) > 20


def test_neither_the_terminal_nor_a_document_nor_its_print_hides_anything(hiding, owner):
    out = io.StringIO()
    for request in HitlRequest.objects.filter(project=hiding.project):
        show_request(Terminal(out), request, owner, in_full=True)
        Terminal(out).write(whole_text(request, owner))
    sources = sources_of(Project.objects.get(pk=hiding.project.pk))
    markdown = FORMS["markdown"](sources, parts_of(sources.versions)).decode()
    printed = repr([blocks_of(part.markdown) for part in parts_of(sources.versions)])

    assert "‹U+202E›" in out.getvalue()
    assert "‹U+202E›" in markdown
    assert "‹U+202E›" in printed
    # Between the parts of a long word stands a place for a break, which is our own.
    assert not any(map(hides, (out.getvalue(), markdown, printed.replace("\u200b", ""))))


def test_control_without_the_check_the_terminal_is_commanded(hiding, owner, monkeypatch):
    for place in ("ui.terminal.console.visible", "context.rendering.visible"):
        monkeypatch.setattr(place, lambda text: text)
    out = io.StringIO()

    for request in HitlRequest.objects.filter(project=hiding.project):
        show_request(Terminal(out), request, owner, in_full=True)

    assert "\x1b[2J" in out.getvalue()


def test_what_is_stored_signed_and_sent_as_data_is_not_changed(hiding, owner):
    artifact = Artifact.objects.get(project=hiding.project, artifact_type="source_code")
    client = Client()
    client.force_login(owner)

    sent = client.get(f"/api/v1/artifacts/{artifact.pk}/").json()

    assert sent["content"]["files"] == PROGRAM["files"]
    assert artifact.versions.get().content["notes"] == [HIDING]


def hides(text):
    return text != escaped(text)


def pages_of(things, owner):
    """Every page of the admin about the project, its document, and the pages of the API."""
    client = Client()
    client.force_login(owner)
    artifacts = Artifact.objects.filter(project=things.project).values_list("pk", flat=True)
    urls = [
        *(
            url_of(model, path, things, pk)
            for model, path in OF_ONE
            for pk in ids_of(model, things)
        ),
        *(f"/admin/{m._meta.app_label}/{m._meta.model_name}/{path}" for m, path in OF_MANY),
        *(f"/admin/{path}" for path in TOGETHER),
        "/admin/search/?q=Ready",
        f"{reverse('project-document', args=[things.project.pk])}?as=html",
        *(f"/admin/context/artifact/{pk}/change/?against=1" for pk in artifacts),
        *(f"/api/v1/artifacts/{pk}/" for pk in artifacts),
        *(f"/api/v1/artifacts/{pk}/diff/?as=html" for pk in artifacts),
        *(
            "/api/v1/projects/",
            "/api/v1/hitl/requests/",
            "/api/v1/tasks/",
            "/api/v1/search/?q=Ready",
        ),
        f"/api/v1/audit/events/?project={things.project.pk}",
    ]
    for url in urls:
        response = client.get(url, headers={"Accept": "text/html"})
        if response.get("Content-Type", "").startswith("text/html"):
            yield url, response.content.decode()


def ids_of(model, things):
    if model in (HitlRequest, Artifact):
        return model.objects.filter(project=things.project).values_list("pk", flat=True)
    return [things.id_of(model)]
