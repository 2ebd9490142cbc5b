import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Task
from audit.actors import Actor
from context.models import Artifact
from context.search import find, present_hits, queries, scope_of
from context.search.query_parser import OFF, parse_query, search_cursor
from context.search.scope import Scope, windows
from context.services import add_version, create_artifact
from projects.services import add_member
from tests.scenes import asked

pytestmark = pytest.mark.django_db

SEARCH = "/api/v1/search/"


def note(project, body, title="Notes", **fields):
    return create_artifact(
        actor=Actor.of_user(project.created_by),
        project_id=project.pk,
        artifact_type="agent_output",
        title=title,
        content={"summary": "Summary.", "body": body} | fields,
    )


def specification(project):
    requirement = {
        "id": "FR-3",
        "title": "Lending limit",
        "statement": "A member borrows at most five books.",
        "kind": "functional",
        "priority": "must",
        "acceptance_criteria": ["The sixth loan is refused."],
        "spans": [],
    }
    return create_artifact(
        actor=Actor.of_user(project.created_by),
        project_id=project.pk,
        artifact_type="software_specification",
        title="Specification",
        content={
            "title": "Library",
            "summary": "Lending.",
            "product_kind": "records",
            "actors": [],
            "requirements": [requirement],
            "out_of_scope": [],
            "assumptions": [],
        },
    )


def titles(matches):
    return [hit.title for hit in present_hits(matches.hits, matches.words)]


def sections(text, user, **filters):
    return titles(find(text, scope_of(user), granularity="section", **filters))


def test_words_are_found_in_other_forms(project, owner):
    note(project, "# Lending\n\nMembers borrow books.\n\n# Garden\n\nTrees and birds.")

    assert sections("borrowed book", owner) == ["Lending"]


def test_a_word_that_is_not_finished_is_found(project, owner):
    note(project, "# Reservations\n\nWho reserves waits.")

    assert sections("reservat", owner) == ["Reservations"]


def test_a_phrase_and_a_word_that_must_not_be_there(project, owner):
    note(
        project,
        "# One\n\nA red book.\n\n# Two\n\nA book that is red.\n\n# Three\n\nA red book, torn.",
    )

    assert set(sections('"red book"', owner)) == {"One", "Three"}
    assert sections('"red book" -torn', owner) == ["One"]


def test_the_better_match_comes_first(project, owner):
    note(
        project,
        "# Much\n\nloans loans, loans and loans\n\n# Little\n\none of the loans" + " x" * 300,
    )

    assert sections("loans", owner) == ["Much", "Little"]


def test_an_exact_id_comes_before_every_mention(project, owner):
    specification(project)
    note(project, "# Mentions\n\n" + "See FR-3. " * 20)

    first = present_hits(find("fr-3", scope_of(owner)).hits[:1], "")[0]

    assert (first.kind, first.identifier, first.score) == ("concept", "FR-3", 2.0)


def test_a_typo_in_a_title_is_forgiven(project, owner):
    note(project, "# Reservation policy\n\nWho comes first.")

    assert sections("resevration polcy", owner) == ["Reservation policy"]
    assert sections("astronomy", owner) == []


def test_only_the_current_version_is_found(project, owner):
    artifact = note(project, "# Old\n\nZeppelin")
    add_version(
        actor=Actor.of_user(owner),
        artifact_id=artifact.pk,
        content={"summary": "S", "body": "# New\n\nBicycle"},
    )

    assert sections("zeppelin", owner) == ["Old"]
    assert sections("bicycle", owner) == []

    Artifact.objects.filter(pk=artifact.pk).update(accepted_version=2)

    assert sections("zeppelin", owner) == []
    assert sections("bicycle", owner) == ["New"]


def test_nobody_finds_what_they_may_not_see(project, owner, outsider, staff):
    note(project, "# Secret\n\nZeppelin")

    assert sections("zeppelin", outsider) == []
    assert find("zeppelin", scope_of(outsider, project.pk)).hits == []
    assert sections("zeppelin", staff) == ["Secret"]


def test_a_member_finds_only_in_their_projects(make_project, owner, outsider):
    seen, unseen = make_project(name="Seen"), make_project(name="Unseen")
    note(seen, "# Mine\n\nZeppelin")
    note(unseen, "# Theirs\n\nZeppelin. FR-9 zeppelins")
    add_member(project_id=seen.pk, actor=Actor.of_user(owner), user=outsider, role="viewer")

    assert sections("zeppelin", outsider) == ["Mine"]
    assert sections("zeppelin", owner, artifacts=Artifact.objects.filter(project=seen)) == ["Mine"]


def test_the_scope_holds_also_where_the_index_cannot_help(project, owner, outsider, monkeypatch):
    monkeypatch.setattr("context.search.scope.IN_THE_INDEX", 0)
    note(project, "# Secret\n\nZeppelin")

    assert sections("zeppelin", owner) == ["Secret"]
    assert sections("zepelin", owner) == []
    assert sections("secrt", owner) == ["Secret"]
    assert sections("secrt", outsider) == []


def test_documents_are_named_once(project, owner):
    note(project, "# A\n\nloans\n\n# B\n\nloans", title="On loans")

    matches = find("loans", scope_of(owner), granularity="document")

    assert titles(matches) == ["On loans"]


def test_who_cut_the_candidates_says_so(project, owner, monkeypatch):
    monkeypatch.setattr(queries, "CANDIDATES", 1)
    note(project, "# A\n\nloans here\n\n# B\n\nloans there")

    matches = find("loans", scope_of(owner), granularity="section")

    assert (titles(matches), matches.is_complete) == (["B"], False)


def test_what_matches_is_marked_and_everything_else_escaped(project, viewer, client_of):
    note(project, "# X\n\n<script>alert(1)</script> \ue000forged\ue001 & zeppelin\n")

    hit = client_of(viewer).get(SEARCH, {"q": "zeppelin"}).json()["results"][0]

    assert {"text": "zeppelin", "is_match": True} in hit["excerpt"]
    assert "<mark>zeppelin</mark>" in hit["html"]
    assert "<script>" not in hit["html"]
    assert "<mark>forged" not in hit["html"]


def test_filters_narrow_the_hits(project, viewer, client_of):
    asked(project)
    specification(project)

    def kinds(**filters):
        body = client_of(viewer).get(SEARCH, {"q": "plan or books"} | filters).json()
        return {hit["artifact_type"] for hit in body["results"]}

    assert {"agent_output", "software_specification", "user_input"} == kinds()
    assert kinds(artifact_type="software_specification") == {"software_specification"}
    assert kinds(source_agent="orchestrator") == {"agent_output"}
    assert kinds(phase="discovery") == {"agent_output"}
    assert kinds(phase="launch") == set()
    assert kinds(granularity="concept") == {"software_specification"}
    assert kinds(project=project.pk) == kinds()
    assert Task.objects.filter(phase="discovery").exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": "x" * 301}, "q"),
        ({"q": "a\0b"}, "q"),
        ({"q": "a", "project": "1"}, "project"),
        ({"q": "a", "artifact_type": "poem"}, "artifact_type"),
        ({"q": "a", "phase": "lunch"}, "phase"),
        ({"q": "a", "granularity": "letter"}, "granularity"),
    ],
)
def test_a_filter_that_cannot_be_is_400_and_named(viewer, client_of, query, field):
    response = client_of(viewer).get(SEARCH, query)

    assert response.status_code == 400
    assert field in {error["field"] for error in response.json()["errors"]}


def test_hits_come_in_pages(project, viewer, client_of):
    note(project, "".join(f"# Number {n}\n\nloans\n\n" for n in range(7)))
    query = {"q": "loans", "granularity": "section", "page_size": 3}

    pages = [client_of(viewer).get(SEARCH, query | {"page": n}).json() for n in (1, 2, 3)]

    assert [page["count"] for page in pages] == [7, 7, 7]
    assert len({hit["path"] for page in pages for hit in page["results"]}) == 7
    assert client_of(viewer).get(SEARCH, query | {"page": 9}).status_code == 404


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS)
def test_any_words_can_be_searched(staff, text):
    matches = find(text, scope_of(staff))

    assert present_hits(matches.hits, matches.words) is not None


def later(texts):
    """As if so many texts had been written in between."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('context_bodies_id_seq', nextval('context_bodies_id_seq') + %s)", [texts]
        )


@pytest.mark.administrator
def test_texts_are_found_however_many_were_written_since(project, owner):
    note(project, "# Oldest\n\nZeppelins")
    for name, since in (("Old", 3_000_000), ("Young", 400_000), ("Newest", 9_000)):
        later(since)
        note(project, f"# {name}\n\nZeppelins")

    matches = find("zeppelin", scope_of(owner), granularity="section")

    assert set(titles(matches)) == {"Oldest", "Old", "Young", "Newest"}
    assert matches.is_complete


@pytest.mark.administrator
def test_the_newest_are_looked_at_first_however_far_apart_they_are(project, owner, monkeypatch):
    note(project, "# Old\n\nZeppelins")
    later(3_000_000)
    note(project, "# New\n\nZeppelins")
    monkeypatch.setattr(queries, "CANDIDATES", 1)

    assert sections("zeppelin", owner) == ["New"]


def test_more_texts_are_asked_where_the_best_are_not_what_the_filters_want(
    project, owner, monkeypatch
):
    note(project, "# Loans\n\nloans loans loans")
    expected = note(project, "# Aside\n\nsome words and then loans")
    monkeypatch.setattr(queries, "BEST", 1)

    assert sections("loans", owner, artifacts=Artifact.objects.filter(pk=expected.pk)) == ["Aside"]


def test_it_is_said_also_of_no_hits_that_older_texts_were_left_out(project, owner, monkeypatch):
    expected = note(project, "# A\n\nloans here")
    note(project, "# B\n\nloans there")
    monkeypatch.setattr(queries, "CANDIDATES", 1)

    only = Artifact.objects.filter(pk=expected.pk)
    matches = find("loans", scope_of(owner), granularity="section", artifacts=only)

    assert (matches.hits, matches.is_complete) == ([], False)


def test_what_begins_so_is_left_out_where_the_word_itself_is_found_often(project, owner):
    note(project, "".join(f"# Number {n}\n\nA book.\n\n" for n in range(queries.FEW)))
    note(project, "# Other\n\nA bookshelf.")
    note(project, "# Rare\n\nA boo.")

    assert "Other" not in sections("book", owner)
    assert {"Rare", "Other"} <= set(sections("boo", owner))


WORD = st.sampled_from(["red", "book", "loan", "blue-green", "FR-3"])
ASKED = st.lists(
    st.one_of(
        WORD,
        WORD.map("-{}".format),
        st.lists(WORD, min_size=1, max_size=3).map(lambda w: f'"{" ".join(w)}"'),
        st.lists(WORD, min_size=2, max_size=3).map(lambda w: f'-"{" ".join(w)}"'),
        st.just("or"),
    ),
    max_size=5,
).map(" ".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ASKED, st.lists(WORD, max_size=6).map(" ".join))
def test_the_index_is_asked_for_no_less_than_what_was_meant(db, query, text):
    with search_cursor() as cursor:
        question = parse_query(query, Scope(None), cursor)
        cursor.execute(
            "SELECT said @@ %s::tsquery, said @@ %s::tsquery FROM to_tsvector('english', %s) said",
            [question.words, question.loose, text],
        )
        is_meant, is_asked_for = cursor.fetchone()

    assert is_asked_for or not is_meant


@pytest.fixture
def full_store(make_project):
    """So many texts that their indexes are worth it, and the project of every tenth of them."""
    mine, other = make_project(name="Mine"), make_project(name="Other")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO context_bodies (project_id, sha256, text, tokens)"
            " SELECT CASE WHEN n %% 10 = 0 THEN %s ELSE %s END::uuid, n::text,"
            " 'loans of books ' || n, 4 FROM generate_series(1, 10000) AS n",
            [mine.pk, other.pk],
        )
        cursor.execute("ANALYZE context_bodies")
    return mine


def test_who_sees_old_projects_alone_begins_with_their_newest_text(make_project):
    old, new = make_project(name="Old"), make_project(name="New")
    ids = {old: [5, 9], new: [7, 90_000_000]}
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO context_bodies (id, project_id, sha256, text, tokens)"
            " VALUES (%s, %s, %s, 'loans', 1)",
            [(row, project.pk, str(row)) for project, of_it in ids.items() for row in of_it],
        )

    def windows_of(*projects):
        scope = Scope(tuple(project.pk for project in projects) or None)
        with search_cursor() as cursor:
            return [window.cells for window in parse_query("loans", scope, cursor).windows]

    def cells(*spans):
        return [window.cells for window in windows(spans)]

    assert windows_of(old) == cells((5, 9))
    assert windows_of(old, new) == cells((5, 9), (7, 90_000_000))
    assert windows_of() == cells((5, 90_000_000))


def plans_of(search):
    """How the database carries out what the search asks of texts."""
    with CaptureQueriesContext(connection) as queries:
        search()
    statements = [" ".join(query["sql"].split()) for query in queries]
    with search_cursor() as cursor:
        for sql in statements:
            if "FROM context_bodies WHERE" not in sql:
                continue
            cursor.execute(f"EXPLAIN {sql}")
            yield "\n".join(row[0] for row in cursor.fetchall())


# ANALYZE is for who owns the tables.
@pytest.mark.administrator
@pytest.mark.parametrize("person", ["owner", "staff"])
@pytest.mark.parametrize("text", ["loans", '"loans of books"', "4711", "loans books -4711"])
def test_words_project_and_age_are_asked_for_in_one_index(full_store, request, person, text):
    user = request.getfixturevalue(person)
    scope = scope_of(user, full_store.pk) if person == "owner" else scope_of(user)

    plans = list(plans_of(lambda: find(text, scope)))
    assert plans
    for plan in plans:
        conditions = [line for line in plan.splitlines() if "Index Cond: ((search @@" in line]
        assert conditions, plan
        assert all("(id >> 12)" in condition for condition in conditions)
        by_project = ["ARRAY[project_id] &&" in condition for condition in conditions]
        assert all(by_project) == (person == "owner")
        assert "Seq Scan" not in plan
        assert "Gather" not in plan


def test_a_search_leaves_the_planner_as_it_was(project, owner):
    def settings_now():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(OFF)]
            )
            return cursor.fetchall()

    before = settings_now()
    find("loans", scope_of(owner))

    assert settings_now() == before


def test_the_list_of_artifacts_finds_words_too(project, viewer, outsider, client_of):
    note(project, "# Lending\n\nMembers borrow books.", title="One")
    note(project, "# Garden\n\nTrees.", title="Two")

    def listed(user, q):
        body = client_of(user).get("/api/v1/artifacts/", {"q": q}).json()
        return {row["title"] for row in body["results"]}

    assert listed(viewer, "borrowed") == {"One"}
    assert listed(viewer, "wo") == {"Two"}
    assert listed(outsider, "borrowed") == set()
