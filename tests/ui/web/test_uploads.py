import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile

from context.models import Artifact
from tests.context.documents import hand_in
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project", "staff_members")]

EVIL = "</textarea><script>alert(1)</script>"


def upload(client, project, data=b"# Fees\n", name="fees.md", **fields):
    file = SimpleUploadedFile(name, data)
    return client.post(f"/admin/projects/project/{project.pk}/upload/", {"file": file, **fields})


def write(client, artifact, text, base_version=1, **fields):
    path = f"/admin/context/artifact/{artifact.pk}/write/"
    return client.post(path, {"text": text, "base_version": base_version, **fields})


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_an_approver_hands_in_a_file(project, approver):
    response = upload(logged_in(approver), project, title="Fees")

    artifact = Artifact.objects.get()
    assert response.url == f"/admin/context/artifact/{artifact.pk}/change/"
    assert (artifact.title, artifact.artifact_type) == ("Fees", "user_input")
    assert artifact.versions.get().content == {"text": "# Fees\n"}


def test_what_is_no_text_is_refused_with_the_words_of_the_api(project, approver):
    response = upload(logged_in(approver), project, b"%PDF-1.7", "fees.md")

    assert "(not_text)" in said(response)[0]
    assert not Artifact.objects.exists()


def test_a_form_without_a_file_says_so(project, approver):
    response = logged_in(approver).post(f"/admin/projects/project/{project.pk}/upload/")

    assert said(response) == ["Choose a file. (invalid)"]


@pytest.mark.parametrize(("who", "status"), [("viewer", 302), ("outsider", 404)])
def test_who_may_not_hand_in_leaves_nothing(project, request, who, status):
    client = logged_in(request.getfixturevalue(who))
    artifact = hand_in(project)

    assert upload(client, project).status_code == status
    assert write(client, artifact, "Mine.").status_code == {302: 403}.get(status, status)

    assert Artifact.objects.get().version == 1


def test_the_forms_are_for_who_may_use_them(project, approver, viewer):
    artifact = hand_in(project)
    pages = [f"/admin/projects/project/{project.pk}/change/"]
    pages.append(f"/admin/context/artifact/{artifact.pk}/change/")

    for page, form in zip(pages, ("/upload/", "/write/"), strict=True):
        assert form in logged_in(approver).get(page).content.decode()
        assert form not in logged_in(viewer).get(page).content.decode()


def test_a_person_writes_the_next_version_of_an_input(project, approver):
    artifact = hand_in(project)

    response = write(logged_in(approver), artifact, "\r\nThree weeks.\r\n", comment="Longer.")

    version = artifact.versions.get(number=2)
    assert response.status_code == 302
    assert (version.content["text"], version.comment) == ("\nThree weeks.\n", "Longer.")
    assert version.status == "accepted"


def test_what_was_typed_on_an_older_version_is_refused_and_kept(project, approver):
    artifact = hand_in(project)
    client = logged_in(approver)
    write(client, artifact, "Three weeks.")

    response = write(client, artifact, EVIL)

    page = response.content.decode()
    assert response.status_code == 409
    assert "The last version is 2, not 1." in page
    assert "&lt;/textarea&gt;&lt;script&gt;" in page
    assert EVIL not in page
    assert 'name="base_version" value="2"' in page


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"text": ""}, "Text"),
        ({"base_version": "x"}, "Base version"),
        ({"base_version": "0"}, "Base version"),
    ],
)
def test_a_bad_form_is_400_and_names_the_field(project, approver, fields, name):
    response = write(logged_in(approver), hand_in(project), **{"text": "x"} | fields)

    assert response.status_code == 400
    assert f"{name}: " in response.content.decode()
