"""A part that stands in many versions has its name in the index once."""

import pytest
from django.core.management import call_command
from django.db import connection

from audit.actors import Actor
from context.models import Artifact, Section
from context.search import find, present_hits, scope_of
from context.services import add_version, forget_repeated_names
from tests.context.documents import hand_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

LENDING = "# Reservation policy\n\nFirst come, first served.\n"
FEES = "# Fees\n\nNone.\n"
EVERY_NAME = "UPDATE context_sections SET trigrams = context_trigrams(project_id, title)"


@pytest.fixture
def artifact(project) -> Artifact:
    return hand_in(project, LENDING + FEES)


def edit(artifact, text):
    actor = Actor.of_user(artifact.created_by)
    return add_version(actor=actor, artifact_id=artifact.pk, content={"text": text})


def named() -> list[tuple[int, str]]:
    """Version and title of the rows that have trigrams."""
    rows = Section.objects.extra(where=["trigrams IS NOT NULL"]).order_by("id")
    return list(rows.values_list("version__number", "title"))


def found(text, user) -> list[tuple[str, int]]:
    hits = find(text, scope_of(user), granularity="section")
    return [(hit.title, hit.version) for hit in present_hits(hits.hits, hits.words)]


def test_what_a_version_shares_with_the_one_before_has_no_name_of_its_own(artifact):
    first = named()

    edit(artifact, LENDING + FEES + "# Opening\n\nAt nine.\n")

    assert named()[len(first) :] == [(2, "Opening")]


def test_a_misspelled_name_finds_the_part_in_the_version_that_counts(artifact, owner):
    edit(artifact, LENDING + "# Fees\n\nA dollar.\n")

    assert found("resevration polcy", owner) == [("Reservation policy", 2)]


def test_a_part_that_is_gone_is_not_found(artifact, owner):
    edit(artifact, FEES)

    assert found("resevration polcy", owner) == []


def test_a_part_that_comes_back_is_found_again(artifact, owner):
    edit(artifact, FEES)
    edit(artifact, FEES + LENDING)

    assert found("resevration polcy", owner) == [("Reservation policy", 3)]


def test_the_same_text_is_found_in_each_document_that_has_it(artifact, project, owner):
    hand_in(project, LENDING)

    assert found("resevration polcy", owner) == [("Reservation policy", 1)] * 2


def test_the_same_text_under_another_name_has_this_name_too(project, owner):
    hand_in(project, LENDING)
    part = Section.objects.get(title="Reservation policy")

    Section.objects.create(
        version=part.version,
        position=9,
        path="guidelines",
        title="Guidelines",
        kind=part.kind,
        body=part.body,
        project=project,
    )

    assert found("gidelines", owner) == [("Guidelines", 1)]


def test_names_of_before_go_and_everything_is_found_as_before(artifact, owner):
    edit(artifact, LENDING + "# Fees\n\nA dollar.\n")
    before = named()
    with connection.cursor() as cursor:
        cursor.execute(EVERY_NAME)
    with_all = found("resevration polcy", owner)
    repeated = len(named()) - len(before)

    counts = [forget_repeated_names(), forget_repeated_names()]

    assert repeated > 0
    assert counts == [repeated, 0]
    assert named() == before
    assert found("resevration polcy", owner) == with_all == [("Reservation policy", 2)]


def test_the_command_says_how_many_rows_there_were(artifact, capsys):
    call_command("slim_parts")

    assert capsys.readouterr().out == "0 rows made smaller.\n"
