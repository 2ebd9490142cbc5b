"""Long lists are counted no further than people look, and are read to their end all the same."""

import pytest

from core import pagination

pytestmark = pytest.mark.django_db

PROJECTS = "/api/v1/projects/"


@pytest.fixture
def api(owner, make_project, client_of, monkeypatch):
    monkeypatch.setattr(pagination, "COUNT_MAX", 2)
    for number in range(3):
        make_project(name=f"P{number}")
    return client_of(owner)


def test_a_long_list_is_counted_no_further_and_read_to_its_end(api):
    page, names, exact = api.get(f"{PROJECTS}?page_size=1").json(), [], []
    while page:
        names += [project["name"] for project in page["results"]]
        exact.append((page["count"], page["count_is_exact"]))
        page = api.get(page["next"]).json() if page["next"] else None

    assert names == ["P2", "P1", "P0"]
    assert exact == [(2, False), (3, False), (3, True)]
    assert api.get(f"{PROJECTS}?page_size=1&page=4").status_code == 404


def test_its_last_page_counts_all(api):
    page = api.get(f"{PROJECTS}?page_size=1&page=last").json()

    assert (page["count"], page["count_is_exact"], page["next"]) == (3, True, None)


def test_its_browsable_page_has_numbers_to_follow(api):
    for number in (1, 2, 3):
        page = api.get(f"{PROJECTS}?page_size=1&page={number}", headers={"Accept": "text/html"})
        assert page.status_code == 200


def test_a_short_list_is_counted_exactly(owner, make_project, client_of):
    make_project()

    page = client_of(owner).get(PROJECTS).json()

    assert list(page) == ["count", "count_is_exact", "next", "previous", "results"]
    assert (page["count"], page["count_is_exact"]) == (1, True)
