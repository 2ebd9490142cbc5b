"""Staff who are no members find nothing of the project, even with every permission on models."""

import uuid

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern

from audit.models import Event
from tests.isolation.routes import PLACE, plain
from tests.isolation.test_paths import head_of
from tests.isolation.things import OURS
from ui.web.error_pages import bare_page

pytestmark = pytest.mark.django_db

PAGES = [
    (model, plain(str(pattern.pattern)))
    for model, model_admin in admin.site._registry.items()
    if model._meta.app_label in OURS
    for pattern in model_admin.get_urls()
]
OF_ONE = [(model, path) for model, path in PAGES if PLACE.search(path)]
OF_MANY = [(model, path) for model, path in PAGES if not PLACE.search(path)]
# What belongs to the site as a whole, such as its search.
OF_SITE = [
    path
    for path in (plain(str(p.pattern)) for p in admin.site.get_urls() if isinstance(p, URLPattern))
    if not PLACE.search(path)
]
TOGETHER = [*OF_SITE, *(f"{app}/" for app in OURS)]


@pytest.fixture
def things(things_of_the_module):
    return things_of_the_module


@pytest.fixture
def client(outsider):
    outsider.is_staff = True
    outsider.save()
    outsider.user_permissions.set(Permission.objects.filter(content_type__app_label__in=OURS))
    client = Client()
    client.force_login(outsider)
    return client


def url_of(model, path, things, id):
    """The first place of a path is the thing's own id."""
    first, *others = PLACE.findall(path)
    values = {first: id} | {name: things.named(name) for name in others}
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return base + PLACE.sub(lambda place: str(values[place[1]]), path)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_page_of_one_thing_is_as_if_there_were_none(
    things, client, subtests, method, monkeypatch
):
    # What a refusal says, without the frame that is around every page.
    monkeypatch.setattr("orchestrator.errors.error_page", lambda _, *said: bare_page(*said))
    before, send = head_of(things), getattr(client, method)

    for model, path in OF_ONE:
        with subtests.test(model.__name__, path=path):
            id = things.id_of(model)
            none = uuid.uuid4() if isinstance(id, uuid.UUID) else 2**31 - 1
            answers = [send(url_of(model, path, things, one)) for one in (id, none)]

            assert {answer.status_code for answer in answers} <= {302, 403, 404, 405}
            assert len({answer.status_code for answer in answers}) == 1
            leads_to = [
                answer.headers.get("Location", "").replace(str(one), "ID")
                for answer, one in zip(answers, (id, none), strict=True)
            ]
            assert leads_to[0] == leads_to[1]
            assert things.project.name not in answers[0].content.decode()
    assert head_of(things) == before


def test_no_list_shows_anything_of_the_project(things, client, subtests):
    for model, path in OF_MANY:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{path}"
        with subtests.test(base):
            response = client.get(base)

            assert response.status_code in (200, 302, 403)
            assert str(things.project.pk) not in response.content.decode()
            assert things.project.name not in response.content.decode()


def test_no_page_of_the_site_shows_anything_of_the_project(things, client, subtests):
    for path in TOGETHER:
        for words in ("", "books", str(things.project.pk)[:8]):
            with subtests.test(path, words=words):
                response = client.get(f"/admin/{path}", {"q": words})

                assert response.status_code in (200, 302, 400, 403, 404, 405)
                assert str(things.project.pk) not in response.content.decode()
                assert things.project.name not in response.content.decode()


@pytest.mark.parametrize("search", ["", "Library", "project"])
def test_no_search_finds_anything_of_the_project(things, client, subtests, search):
    words = str(things.project.pk) if search == "project" else search

    for model in {model for model, path in OF_MANY if not path}:
        with subtests.test(model.__name__):
            response = client.get(
                f"/admin/{model._meta.app_label}/{model._meta.model_name}/", {"q": words}
            )

            assert response.status_code == 200
            assert response.context["cl"].result_count == 0


def test_the_admin_was_read():
    assert "search/" in OF_SITE
    assert Event in {model for model, _ in OF_ONE}
    assert len(OF_ONE) > 25
