import io
import re
import zipfile
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agents.models import Task
from audit.actors import Actor
from context.printing.blocks import blocks_of
from context.printing.pdf import print_pdf
from context.rendering import lowered
from context.services import create_artifact
from hitl.models import HitlRequest
from hitl.services import decide
from orchestrator.engine.document import FORMS, document_of, seal_of, sources_of
from orchestrator.models import AssembledDocument
from tests.scenes import asked, running

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

HOSTILE = """# <script>alert(1)</script>

<img src=x onerror=alert(1)> [link](javascript:alert(1)) ![picture](https://spy.example/x.png)

#import "@preview/evil:1.0.0" #read("/etc/passwd") $x$ @ref <label>

> > > > > > > > > > > > deep

```python
never closed <b>
"""


@pytest.fixture
def document(project, viewer, client_of):
    def get(form, **headers):
        api = client_of(viewer)
        return api.get(f"/api/v1/projects/{project.pk}/document/?as={form}", headers=headers)

    return get


def approved(project):
    request = HitlRequest.objects.pending().get(project=project)
    approver = project.memberships.get(role="approver").user
    decide(
        request_id=request.pk,
        actor=Actor.of_user(approver),
        action="approve",
        subject_digest=request.subject_digest,
        channel="rest",
    )


def hand_in(project, owner, title="Notes", body=HOSTILE):
    create_artifact(
        actor=Actor.of_user(owner),
        project_id=project.pk,
        artifact_type="agent_output",
        title=title,
        content={"summary": "Notes.", "body": body},
    )


def test_it_holds_what_was_accepted_and_nothing_else(project, document):
    asked(project)

    text = document("markdown").content.decode()

    assert "lending library" in text
    assert "The plan" not in text


def test_it_is_new_as_soon_as_something_is_accepted(project, document):
    asked(project)
    first = document("markdown")
    approved(project)

    second = document("markdown", **{"If-None-Match": first["ETag"]})

    assert second.status_code == 200
    assert second["ETag"] != first["ETag"]
    assert "## The plan" in second.content.decode()
    assert "The plan" not in first.content.decode()


def test_the_same_sources_are_answered_with_304(project, document):
    running(project)
    first = document("html")

    again = document("html", **{"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        ("markdown", "text/markdown; charset=utf-8", b"# Library"),
        ("html", "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        ("pdf", "application/pdf", b"%PDF-"),
    ],
)
def test_there_are_three_forms(project, document, form, media_type, beginning):
    running(project)

    response = document(form)

    assert response.status_code == 200
    assert response["Content-Type"] == media_type
    assert response.content.startswith(beginning)
    assert document(form).content == response.content
    assert AssembledDocument.objects.filter(project=project, form=form).count() == 1


def test_another_form_is_400_and_named(project, document):
    response = document("docx")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "as"


def test_a_project_without_anything_accepted_says_so(project, document):
    assert "Nothing has been accepted yet." in document("html").content.decode()
    assert document("pdf").content.startswith(b"%PDF-")


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_page_runs_and_loads_nothing_that_an_agent_wrote(project, owner, document):
    hand_in(project, owner, title="<script>alert(2)</script>")

    response = document("html")

    page = Seen()
    page.feed(response.content.decode())
    assert not page.tags & {"script", "img", "iframe", "link", "object", "form"}
    assert page.handlers == []
    assert all(address.startswith(("#", "https://", "mailto:")) for address in page.addresses)
    assert "sandbox" in response["Content-Security-Policy"]


def test_hostile_text_becomes_a_pdf_and_nothing_of_it_is_evaluated(project, owner, document):
    hand_in(project, owner)

    assert document("pdf").content.startswith(b"%PDF-")


def test_an_open_code_block_does_not_swallow_the_next_part(project, owner, document):
    hand_in(project, owner, title="First")
    hand_in(project, owner, title="Second", body="plain")

    tokens = MarkdownIt().parse(document("markdown").content.decode())

    tops = [n for n, token in enumerate(tokens) if (token.tag, token.nesting) == ("h1", 1)]
    headings = [tokens[n + 1].content for n in tops]
    assert headings == ["Library", "First", "Second"]


def test_a_program_is_listed_by_file_and_hash(project, owner, document):
    files = [{"path": "main.py", "content": "print('hello')\n", "language": "python"}]
    create_artifact(
        actor=Actor.of_user(owner),
        project_id=project.pk,
        artifact_type="source_code",
        title="Program",
        content={
            "title": "Program",
            "summary": "Greets.",
            "files": files,
            "entry_point": "main.py",
            "test_command": [],
            "covered": [],
        },
    )

    text = document("markdown").content.decode()

    assert re.search(r"\| main\.py \| 2 \| [0-9a-f]{64} \|", text)
    assert "print('hello')" not in text


def test_what_only_a_dropped_round_has_made_is_not_in_it(project):
    asked(project)
    before = len(sources_of(project).versions)
    approved(project)
    assert len(sources_of(project).versions) == before + 1
    Task.objects.filter(project=project, step="orchestrate").update(is_current=False)

    assert len(sources_of(project).versions) == before


@given(st.text(max_size=400))
def test_any_markdown_ends_where_it_ends(text):
    after = lowered(text) + "\n# Next\n"

    tokens = MarkdownIt("commonmark", {"html": False}).parse(after)

    assert [t.content for t in tokens if t.type == "inline"][-1:] == ["Next"]


PIECES = st.sampled_from(
    [
        "# a\n",
        "> ",
        "- ",
        "1. ",
        "**",
        "*",
        "~~",
        "`",
        "```\n",
        "|a|b|\n|-|-|\n|c|\n",
        "\n",
        "x",
        "[a](b)",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_markdown_can_be_printed(text):
    part = {"title": "Part", "about": "", "blocks": blocks_of(text)}
    facts = {"title": "T", "stamp": "0" * 64, "lang": "en", "contents": "Contents", "facts": []}

    assert print_pdf(facts | {"parts": [part]}).startswith(b"%PDF-")


def test_every_form_has_its_maker():
    assert list(FORMS) == ["markdown", "html", "pdf"]


def test_a_document_that_was_overtaken_is_given_and_not_kept(project, owner):
    running(project)
    sources = sources_of(project)
    hand_in(project, owner)

    body = document_of(sources, "markdown")

    assert body.startswith(b"# Library")
    assert not AssembledDocument.objects.filter(project=project).exists()


def test_an_export_has_the_documents_that_were_kept_and_makes_none_of_its_own(
    project, viewer, client_of, document
):
    running(project)
    api, path = client_of(viewer), f"/api/v1/projects/{project.pk}/export/"
    b"".join(api.get(path).streaming_content)
    kept = AssembledDocument.objects.filter(project=project, form="pdf")
    kept.update(body=b"%PDF-kept", seal=seal_of(sources_of(project), "pdf", b"%PDF-kept"))

    archive = zipfile.ZipFile(io.BytesIO(b"".join(api.get(path).streaming_content)))

    assert archive.read("document/project.pdf") == b"%PDF-kept"
    assert archive.read("document/project.md") == document("markdown").content
