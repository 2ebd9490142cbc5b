"""Names spelled alike, for those whose projects are old in a store that went on."""

import json
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from context.models import Section
from context.search import find, queries
from context.search.query_parser import search_cursor
from context.search.scope import Scope
from tests.context.documents import hand_in

# ANALYZE is for who owns the tables.
pytestmark = [pytest.mark.django_db, pytest.mark.administrator]

FIRST_ID, APART, OLD_NAMES = 1 << 30, 100, 1_000
# A first window has two cells.
IN_A_WINDOW = 2 * 4096 // APART + 1
ENOUGH = 40
MANY_NAMES = """
    INSERT INTO context_sections (id, project_id, version_id, position, pointer, path, title, kind,
        body_id)
    SELECT %s + n * %s, project_id, version_id, 100 + n, '', 'path', 'Reservation policy ' || n,
        kind, body_id
    FROM context_sections, generate_series(1, %s) AS n WHERE context_sections.id = %s
"""


def text_of(project) -> Section:
    return Section.objects.filter(version__artifact=hand_in(project, "# Lending\n\nNone.\n")).last()


def named(project, first, count):
    with connection.cursor() as cursor:
        cursor.execute(MANY_NAMES, [first, APART, count, text_of(project).pk])
        # Else the project would reach from there to here.
        cursor.execute("UPDATE context_sections SET trigrams = NULL WHERE id < %s", [FIRST_ID])


@pytest.fixture
def old(make_project):
    project = make_project(name="Old")
    named(project, FIRST_ID, OLD_NAMES)
    return project


@pytest.fixture
def new(make_project):
    project = make_project(name="New")
    named(project, FIRST_ID + 50_000_000, 5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE context_sections")
    return project


def misspelled(*projects):
    scope = Scope(tuple(project.pk for project in projects))
    return find("resevration polcy", scope, granularity="section").hits


def plan_of_names(search):
    with CaptureQueriesContext(connection) as queries:
        search()
    (sql,) = (query["sql"] for query in queries if "near_section" in query["sql"])
    with search_cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (plan_rows,) = cursor.fetchone()
    return (json.loads(plan_rows) if isinstance(plan_rows, str) else plan_rows)[0]["Plan"]


def nodes(plan):
    yield plan
    yield from chain.from_iterable(nodes(child) for child in plan.get("Plans", []))


def names_read(plan) -> int:
    scans = [node for node in nodes(plan) if node["Node Type"] == "Bitmap Heap Scan"]
    return sum(scan["Actual Rows"] for scan in scans)


@pytest.mark.parametrize("is_member_of_the_new_one", [False, True])
def test_a_window_of_names_is_read_however_much_is_newer(
    old, new, monkeypatch, is_member_of_the_new_one
):
    monkeypatch.setattr(queries, "NAMES", ENOUGH)
    projects = [old, new] if is_member_of_the_new_one else [old]

    read = names_read(plan_of_names(lambda: misspelled(*projects)))

    # The windows that follow are twice as large each.
    assert ENOUGH <= read <= IN_A_WINDOW * 3


def test_all_misspelled_names_of_old_projects_are_found(old, new, monkeypatch):
    monkeypatch.setattr(queries, "HITS", OLD_NAMES * 2)
    monkeypatch.setattr(queries, "NAMES", OLD_NAMES * 2)

    assert len(misspelled(old)) == OLD_NAMES
    assert len(misspelled(old, new)) == OLD_NAMES + 5


def test_the_newest_names_of_old_projects_come_before_their_older_ones(old, new, monkeypatch):
    monkeypatch.setattr(queries, "NAMES", 1)

    (hit,) = misspelled(old)

    assert Section.objects.get(pk=hit.pk).title == f"Reservation policy {OLD_NAMES}"


def test_what_is_new_in_other_projects_is_not_shown(old, new):
    ids = {hit.pk for hit in misspelled(old)}

    assert not Section.objects.filter(pk__in=ids).exclude(project=old).exists()
    assert ids
