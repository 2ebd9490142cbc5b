import pytest

from audit.actors import Actor
from context.services import create_artifact

pytestmark = pytest.mark.django_db

HOSTILE = "# Lending\n\n<img src=x onerror=alert(1)> books borrowed\n"
URL = "/admin/search/"


@pytest.fixture
def page(project, approver, client):
    approver.is_staff = True
    approver.save()
    create_artifact(
        actor=Actor.of_user(approver),
        project_id=project.pk,
        artifact_type="agent_output",
        title="<b>Notes</b>",
        content={
            "summary": "S",
            "body": "# Lending\n\n<img src=x onerror=alert(1)> books borrowed\n",
        },
    )
    client.force_login(approver)

    def get(**query):
        return client.get(URL, query)

    return get


def test_what_is_found_is_marked_and_escaped(page):
    response = page(q="borrow")

    html = response.content.decode()
    assert "<mark>borrowed</mark>" in html
    assert "<img src=x" not in html
    assert "&lt;b&gt;Notes&lt;/b&gt;" in html
    assert "unsafe" not in response["Content-Security-Policy"]


def test_the_form_keeps_what_was_asked(page, project):
    html = page(q='"x" <y>', artifact_type="agent_output", project=project.pk).content.decode()

    assert 'value="&quot;x&quot; &lt;y&gt;"' in html
    assert '<option value="agent_output" selected>' in html
    assert f'<option value="{project.pk}" selected>' in html


def test_a_filter_that_cannot_be_is_said(page):
    response = page(q="x", phase="lunch")

    assert response.status_code == 200
    assert "Phase:" in response.content.decode()


def test_without_words_there_is_the_form_alone(page):
    html = page().content.decode()

    assert "hits-title" not in html
    assert 'type="search"' in html


def test_who_is_not_logged_in_is_sent_to_the_login(client):
    assert client.get(URL).status_code == 302
