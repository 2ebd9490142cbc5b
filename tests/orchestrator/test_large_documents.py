"""One document of very much: it stays within bounds, and says what it leaves out."""

import time
import tracemalloc

import pytest

from context.models import Artifact, ArtifactVersion, sha256_of
from orchestrator.engine import document
from orchestrator.engine.document import (
    FORMS,
    LEFT_OUT,
    MAX_CHARACTERS,
    document_of,
    sources_of,
)
from orchestrator.engine.export import export_files

pytestmark = pytest.mark.django_db

WORDS = "The quick brown fox jumps over the lazy dog. "


def accept(project, count, content, artifact_type="user_input"):
    """That many accepted versions; what takes long in the services is not what is looked at."""
    made = Artifact.objects.bulk_create(
        Artifact(
            project=project,
            artifact_type=artifact_type,
            title=f"Part {number}",
            version=1,
            accepted_version=1,
            created_by=project.created_by,
        )
        for number in range(count)
    )
    ArtifactVersion.objects.bulk_create(
        (
            ArtifactVersion(
                artifact=artifact,
                number=1,
                inline_content=content,
                sha256=sha256_of(content),
                status="accepted",
                author=project.created_by,
            )
            for artifact in made
        ),
        batch_size=20,
    )


@pytest.fixture
def narrow(monkeypatch):
    """A document that is soon full."""
    monkeypatch.setattr(document, "MAX_CHARACTERS", 5_000)
    monkeypatch.setattr(document, "MAX_PARTS", 8)


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_full_document_says_what_it_leaves_out_and_where_that_is(project, narrow, form):
    accept(project, 10, {"text": WORDS * 40})

    text = document_of(sources_of(project), form).decode()

    assert "Left out: 7 of 10" in text
    assert "below artifacts/" in text
    assert "the last 2 are not listed" in text
    assert text.count(LEFT_OUT) == 5
    assert "Part 7" in text
    assert "Part 8" not in text


def test_the_last_one_that_fits_is_cut_and_says_so(project, narrow):
    accept(project, 10, {"text": WORDS * 40})

    text = document_of(sources_of(project), "markdown").decode()

    assert text.count("characters; the export has all.)") == 1
    assert text.count(WORDS * 40) == 2


def test_the_export_has_what_the_document_leaves_out(project, narrow):
    accept(project, 10, {"text": WORDS * 40})

    files = dict(export_files(project))

    whole = [data for path, data in files.items() if path.startswith("artifacts/")]
    assert sum((WORDS * 40).encode() in data for data in whole) >= 10


def test_a_full_document_reads_no_further(project, narrow, django_assert_max_num_queries):
    accept(project, 10, {"text": WORDS * 500})
    sources = sources_of(project)

    with django_assert_max_num_queries(2):
        FORMS["markdown"](sources, document.parts_of(sources.versions))


def test_what_is_read_for_little_counts_too(project, monkeypatch):
    monkeypatch.setattr(document, "MAX_READ_CHARACTERS", 10_000)
    files = [{"path": "main.py", "content": "x = 1\n" * 1_000, "language": "python"}]
    program = {"title": "Program", "summary": "S", "entry_point": "main.py", "files": files}
    accept(project, 5, program | {"test_command": [], "covered": [], "notes": []}, "source_code")

    text = document_of(sources_of(project), "markdown").decode()

    assert text.count("| main.py |") == 2
    assert text.count(LEFT_OUT) == 3


def test_a_small_document_leaves_out_nothing_and_says_nothing(project):
    accept(project, 2, {"text": WORDS})

    assert "Left out" not in document_of(sources_of(project), "html").decode()


@pytest.mark.long
def test_hundreds_of_large_artifacts_take_bounded_time_and_memory(project, subtests):
    accept(project, 300, {"text": f"# Rules\n\n{WORDS * 20}\n\n" * 400})
    sources = sources_of(project)

    for form in FORMS:
        with subtests.test(form):
            tracemalloc.start()
            began = time.monotonic()
            body = document_of(sources, form)
            took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
            tracemalloc.stop()

            print(f"{form}: {took:.1f} s, {peak / 1e6:.0f} MB, {len(body) / 1e6:.1f} MB")
            assert len(body) < MAX_CHARACTERS * 5
            assert peak < 100 * 1024 * 1024
            assert took < 120
