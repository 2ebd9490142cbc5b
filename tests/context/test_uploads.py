import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from context.models import Artifact
from context.services import UPLOAD_MAX_BYTES
from context.services.uploads import safe_name

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

UPLOAD = "/api/v1/artifacts/upload/"


@pytest.fixture
def send(project, owner, client_of):
    def post(data, name="rules.md", user=owner, **fields):
        file = SimpleUploadedFile(name, data, "application/octet-stream")
        body = {"project": str(project.pk), "file": file} | fields
        return client_of(user).post(UPLOAD, body, format="multipart")

    return post


def test_a_text_file_becomes_a_persons_input(send, owner):
    data = "# Règles\nDeux semaines.\n".encode()

    response = send(data)

    artifact = response.json()
    assert response.status_code == 201
    assert (artifact["artifact_type"], artifact["title"]) == ("user_input", "rules.md")
    assert (artifact["content"]["text"], artifact["created_by"]) == (data.decode(), owner.pk)
    comment = Artifact.objects.get().versions.get().comment
    assert "text/markdown" in comment
    assert hashlib.sha256(data).hexdigest() in comment


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark_is_read_by_it(send, encoding):
    assert send("Zwei Wochen für Bücher.".encode(encoding)).json()["content"] == {
        "text": "Zwei Wochen für Bücher."
    }


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 words", "PDF"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x89PNG\r\n\x1a\nrest", "PNG"),
        (b"\x7fELF\x02\x01", "program"),
        (b"words\0words", "not text"),
        (b"\xc3\x28 words", "not text"),
        (b"GIF89a\xff\xfe", "GIF"),
    ],
)
def test_what_is_no_text_is_refused_by_what_it_is_not_by_its_name(send, data, kind):
    response = send(data, name="rules.txt")

    assert (response.status_code, response.json()["code"]) == (415, "not_text")
    assert kind in response.json()["detail"]
    assert not Artifact.objects.exists()


def test_a_text_may_begin_like_something_else(send):
    assert send(b"MZ is short for a name. GIF8 is not.").status_code == 201


@pytest.mark.parametrize("extra", [1, 10 * 1024 * 1024])
def test_a_file_over_the_limit_is_413_and_names_it(send, extra):
    response = send(b"x" * (UPLOAD_MAX_BYTES + extra))

    assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
    assert "2,097,152" in response.json()["detail"]


def test_a_text_that_is_too_long_is_413_and_names_the_limit(send):
    response = send(b"x" * 400_001)

    assert (response.status_code, response.json()["code"]) == (413, "text_too_long")
    assert "400,000" in response.json()["detail"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\brief.md", "brief.md"),
        (".htaccess", "htaccess"),
        ("a\nb\u202e.txt", "a b .txt"),
        ("..", "upload"),
        ("", "upload"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_name_is_made_safe(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("fields", "field"), [({"project": "x"}, "project"), ({"note": "x"}, "note"), ({}, "file")]
)
def test_a_bad_form_names_the_field(send, fields, field):
    response = send(b"" if field == "file" else b"words", **fields)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(("person", "status"), [("viewer", 403), ("outsider", 404), ("staff", 403)])
def test_who_may_not_upload(send, viewer, outsider, staff, person, status):
    user = {"viewer": viewer, "outsider": outsider, "staff": staff}[person]

    assert send(b"words", user=user).status_code == status
    assert not Artifact.objects.exists()
