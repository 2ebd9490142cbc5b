"""Multipart forms that nobody should have sent."""

import http.client

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from context.models import Artifact
from tests.live import WebServer, token_of

pytestmark = pytest.mark.django_db

UPLOAD = "/api/v1/artifacts/upload/"
IMPORT = "/api/v1/projects/import/"
BOUNDARY = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
END = b"--b--\r\n"
# What Twisted answered by itself, with nothing.
BROKEN = [
    (b"hello", BOUNDARY),
    (b"--other\r\nhello", BOUNDARY),
    (PART % (b"name", b"x") + END, "multipart/form-data"),
    (PART % (b"name", b"x") + END, "multipart/form-data; boundary="),
]


def file(name="rules.md", data=b"Two weeks."):
    return SimpleUploadedFile(name, data, "text/plain")


def at_fault(response) -> set[tuple[str, str]]:
    return {(error["field"], error["code"]) for error in response.json()["errors"]}


@pytest.fixture(params=["token", "session"])
def form(request, owner):
    """A way to send a form; with a session Django reads it before any parser of ours could."""
    client = Client(enforce_csrf_checks=True)
    headers = {"Authorization": f"Token {token_of(owner)}"}
    if request.param == "session":
        client.force_login(owner)
        client.cookies["csrftoken"] = "c" * 32
        headers = {"X-CSRFToken": "c" * 32}
    return lambda path, body, **how: client.post(path, body, headers=headers, **how)


@pytest.mark.parametrize("path", [UPLOAD, IMPORT])
def test_a_file_that_is_there_twice_is_400_and_named(project, form, path):
    response = form(path, {"project": str(project.pk), "file": [file(), file("other.md")]})

    assert response.status_code == 400
    assert ("file", "repeated") in at_fault(response)
    assert not Artifact.objects.exists()


def test_a_field_that_is_there_twice_is_400_and_named(project, form):
    project_id = str(project.pk)

    response = form(UPLOAD, {"project": [project_id, project_id], "file": file(), "title": "A"})

    assert (response.status_code, at_fault(response)) == (400, {("project", "repeated")})


def test_a_file_and_a_field_of_one_name_are_400_and_named(project, form):
    parts = PART % (b"file", b"x") + PART % (b'file"; filename="a.md', b"x")
    body = PART % (b"project", str(project.pk).encode()) + parts + END

    response = form(UPLOAD, body, content_type=BOUNDARY)

    assert (response.status_code, at_fault(response)) == (400, {("file", "repeated")})


def test_a_field_that_is_no_utf8_is_400_and_named(project, form):
    named = PART % (b'file"; filename="a.md', b"x") + PART % (b"title", b"R\xe8gles")
    body = PART % (b"project", str(project.pk).encode()) + named + END

    response = form(UPLOAD, body, content_type=BOUNDARY)

    assert (response.status_code, at_fault(response)) == (400, {("title", "not_utf8")})
    assert not Artifact.objects.exists()


def test_a_form_of_a_browsable_page_is_taken(project, owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    client.cookies["csrftoken"] = "c" * 32
    fields = {"project": str(project.pk), "file": file(), "csrfmiddlewaretoken": "c" * 32}

    assert client.post(UPLOAD, fields).status_code == 201


def test_more_fields_than_are_read_are_400(form):
    response = form(IMPORT, {f"field{number}": "x" for number in range(1_100)})

    assert (response.status_code, response.json()["code"]) == (400, "too_many_fields")


@pytest.mark.parametrize("boundary", ["multipart/form-data", "multipart/form-data; boundary=\0"])
def test_a_form_that_cannot_be_read_is_400_and_says_so(form, boundary):
    response = form(IMPORT, b"hello", content_type=boundary)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "malformed_multipart"


@pytest.mark.django_db(transaction=True)
def test_a_server_answers_such_forms_as_all_bad_input(web_server: WebServer, owner, subtests):
    headers = {"Authorization": f"Token {token_of(owner)}"}
    for body, content_type in BROKEN:
        with subtests.test(content_type, body=body):
            connection = http.client.HTTPConnection("127.0.0.1", web_server.port, timeout=40)
            connection.request("POST", IMPORT, body, headers | {"Content-Type": content_type})
            response = connection.getresponse()

            assert (response.status, response.headers["Content-Type"]) == (
                400,
                "application/problem+json",
            )
            assert b'"code"' in response.read()
            connection.close()
