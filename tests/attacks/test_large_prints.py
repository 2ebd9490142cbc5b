"""A person hands in what takes very long to lay out, and asks for it again and again."""

import time

import pytest
from django.test import Client

from context.html import read_markdown
from orchestrator.engine import document_jobs
from tests.end_to_end.conftest import start_worker  # noqa: F401 - a fixture
from tests.live import eventually
from tests.orchestrator.test_large_documents import accept

ANSWER_SECONDS = 4
# Each line of code is a piece of its own to set in type.
CODE = "```\n" + "x = 1\n" * 14_000 + "```\n"


@pytest.fixture
def get(project, owner):
    accept(project, 3, {"text": CODE})
    client = Client()
    client.force_login(owner)

    def get(form="pdf"):
        began = time.monotonic()
        response = client.get(f"/api/v1/projects/{project.pk}/document/?as={form}")
        return response, time.monotonic() - began

    return get


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_in_the_web_process_and_the_worker_makes_it(get, start_worker):  # noqa: F811
    worker = start_worker(threads=2)
    eventually(worker.is_ready)
    longest = 0.0

    def is_there():
        nonlocal longest
        response, seconds = get()
        longest = max(longest, seconds)
        time.sleep(1)
        assert response.status_code in (200, 202), response.content
        return response.status_code == 200 and response.content.startswith(b"%PDF-")

    assert eventually(is_there, 100)
    assert longest < ANSWER_SECONDS


@pytest.mark.django_db(transaction=True)
def test_control_in_the_web_process_it_takes_long(get, monkeypatch):
    monkeypatch.setattr(document_jobs, "IMMEDIATE_TOKENS", 10**9)
    monkeypatch.setattr(document_jobs, "IMMEDIATE_SECONDS", 100)

    response, seconds = get()

    assert response.status_code == 200
    assert seconds > ANSWER_SECONDS


@pytest.mark.parametrize("sign", ["*a* ", "[", "`a` ", "- a\n", "|a|\n|-|\n", "<b>"])
def test_a_page_of_signs_is_laid_out_soon(sign):
    text, began = (sign * 400_000)[:400_000], time.monotonic()

    read_markdown(text)

    assert time.monotonic() - began < ANSWER_SECONDS


def test_control_without_the_limit_it_takes_long(monkeypatch):
    monkeypatch.setattr("context.html.MAX_SIGNS", 10**9)
    text, began = ("[" * 400_000), time.monotonic()

    read_markdown(text)

    assert time.monotonic() - began > ANSWER_SECONDS
