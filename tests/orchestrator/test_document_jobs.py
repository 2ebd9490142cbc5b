"""What takes long is made by a worker, and whoever asks comes back."""

from datetime import timedelta

import pytest

from orchestrator.engine import document_jobs
from orchestrator.engine.document import document_of, sources_of
from orchestrator.engine.document_jobs import EXIT_TOO_LONG, make_document
from orchestrator.models import AssembledDocument, DocumentJob
from projects.models import Project
from tests.orchestrator.test_large_documents import accept

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


@pytest.fixture
def enqueued(monkeypatch):
    """The jobs that were put into the queue; `answer` is what the queue says."""
    jobs = []
    monkeypatch.setattr(document_jobs, "enqueue", lambda job, id: jobs.append((job, id)) or True)
    return jobs


@pytest.fixture
def child(monkeypatch):
    """The child does its work in this process, so that it is in the test's transaction."""

    def run(project, form, is_stopping):
        document_of(sources_of(Project.objects.get(pk=project)), form)
        return 0

    monkeypatch.setattr(document_jobs, "run_child", run)


@pytest.fixture
def large(project):
    accept(project, 3, {"text": "A rule.\n\n" * 2_000})
    return project


@pytest.fixture
def ask(large, viewer, client_of):
    def get(form="pdf", what="document", **headers):
        url = f"/api/v1/projects/{large.pk}/{what}/?as={form}"
        return client_of(viewer).get(url.removesuffix("?as="), headers=headers)

    return get


def end_with(monkeypatch, status):
    monkeypatch.setattr(document_jobs, "run_child", lambda *arguments: status)
    make_document(DocumentJob.objects.get().pk)


@pytest.mark.parametrize("form", ["pdf", "html", "markdown"])
def test_a_large_one_is_made_by_a_worker_and_then_there(ask, enqueued, child, form):
    first = ask(form)
    assert (first.status_code, first.json()["status"]) == (202, "being_made")
    assert first["Location"].endswith(f"/document/?as={form}")
    assert int(first["Retry-After"]) > 0

    make_document(enqueued[0][1])

    assert ask(form).status_code == 200
    assert AssembledDocument.objects.get().form == form
    assert not DocumentJob.objects.exists()


def test_asking_again_enqueues_nothing_until_the_job_must_be_lost(ask, enqueued):
    assert [ask().status_code for _ in range(3)] == [202] * 3
    assert len(enqueued) == 1
    job = DocumentJob.objects.get()
    job.enqueued_at -= document_jobs.LOST + timedelta(seconds=1)
    job.save()

    assert ask().status_code == 202

    assert len(enqueued) == 2


def test_while_the_queue_is_away_it_says_so_and_the_next_one_who_asks_enqueues(ask, monkeypatch):
    answers = [False, True]
    monkeypatch.setattr(document_jobs, "enqueue", lambda job, id: answers.pop(0))

    assert ask().json()["code"] == "redis_away"
    assert ask().status_code == 202


def test_one_of_other_versions_is_another_one(large, ask, enqueued):
    ask()
    accept(large, 1, {"text": "One more."})

    assert ask().status_code == 202

    assert len(enqueued) == 2


@pytest.mark.parametrize("status", [None, -9, EXIT_TOO_LONG])
def test_one_that_takes_too_long_is_refused_for_a_while(ask, enqueued, monkeypatch, status):
    ask()
    end_with(monkeypatch, status)

    answer = ask()
    assert (answer.status_code, answer.json()["code"]) == (422, "document_too_large")
    job = DocumentJob.objects.get()
    job.failed_at -= document_jobs.RETRY_FAILED
    job.save()
    assert ask().status_code == 202


def test_a_failure_of_another_kind_is_not_called_too_large(ask, enqueued, monkeypatch):
    ask()
    end_with(monkeypatch, 1)

    assert (ask().status_code, ask().json()["code"]) == (503, "document_failed")


def test_a_worker_that_stops_leaves_it_to_another_one(ask, enqueued, monkeypatch):
    ask()
    monkeypatch.setattr(document_jobs, "run_child", lambda *arguments: None)
    make_document(DocumentJob.objects.get().pk, is_stopping=lambda: True)

    assert ask().status_code == 202

    assert len(enqueued) == 2


def test_a_browser_gets_a_page_that_comes_back(ask, enqueued):
    page = ask(Accept="text/html")

    assert page.status_code == 202
    assert 'http-equiv="refresh"' in page.content.decode()


def test_an_export_waits_for_its_documents(ask, enqueued, child):
    assert ask("", "export").status_code == 202

    for _, job in enqueued:
        make_document(job)

    assert ask("", "export").status_code == 200


def test_an_export_without_a_document_that_is_too_large_says_so(ask, enqueued, monkeypatch):
    ask("", "export")
    monkeypatch.setattr(document_jobs, "run_child", lambda *arguments: None)
    for _, job in enqueued:
        make_document(job)

    answer = ask("", "export")

    assert answer.status_code == 200
    assert b"document/no-pdf.txt" in b"".join(answer.streaming_content)


def test_a_small_one_that_takes_long_to_print_is_left_to_the_worker(
    project, viewer, client_of, enqueued, monkeypatch
):
    accept(project, 1, {"text": "A rule."})
    monkeypatch.setattr(document_jobs, "IMMEDIATE_SECONDS", 0.001)

    answer = client_of(viewer).get(f"/api/v1/projects/{project.pk}/document/?as=pdf")

    assert answer.status_code == 202
