import pytest

from agents.offline.calculation.grammar import rules_in
from agents.offline.demands import Wanted
from agents.offline.entities import described
from agents.offline.generators import kind_of
from agents.offline.grammar import acts
from agents.offline.limits import beyond, beyond_records
from agents.offline.records.understand import demands_of
from agents.offline.records.world import world_of


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("Members can borrow books.", [("lend", "book")]),
        ("Staff add, edit and remove books", [(a, "book") for a in ("add", "change", "remove")]),
        ("Books can be added by staff", [("add", "book")]),
        ("Volunteers can add books and members", [("add", "book"), ("add", "member")]),
        ("The program shows a list of all tasks", [("list", "task")]),
        ("Nutzer können Rezepte löschen", [("remove", "rezepte")]),
        ("The book was on the shelf", []),
        ("My record collection is large", []),
    ],
)  # fmt: skip
def test_what_is_done_to_what_is_found(statement, expected):
    assert [(act.operation, act.thing) for act in acts(statement)] == expected


@pytest.mark.parametrize(
    ("statement", "name", "fields"),
    [
        (
            "Each book has a title, an author and a unique ISBN.",
            "book",
            ["title", "author", "isbn"],
        ),
        ("For every member we keep a name and a phone number.", "member", ["name", "phone_number"]),
        ("Rooms have a name and a number of seats.", "room", ["name", "seats"]),
        ("Jedes Rezept hat einen Titel und eine Dauer.", "rezept", ["titel", "dauer"]),
    ],
)
def test_fields_are_found_where_they_are_listed(statement, name, fields):
    idea = described(statement)
    assert idea.name == name
    assert [field.name for field in idea.fields] == fields


def test_them_means_everything_that_was_named_before():
    statement = "Volunteers can add books and members, and correct them."
    demands = demands_of(statement, world_of([statement]))
    changed = [demand.entity for demand in demands if demand.kind == "change"]
    assert changed == ["book", "member"]


@pytest.mark.parametrize(
    ("statement", "kind", "amount"),
    [
        ("A parcel up to 2 kg costs 4.90 EUR.", "step", "4.90"),
        ("Parcels longer than 120 cm cost 6,50 € extra.", "price", "6.50"),
        ("Members get a discount of 10 %.", "percent", "-10"),
        ("We charge 80 cents per km.", "per", "0.8"),
        ("The total price is never less than 6 EUR.", "least", "6"),
        ("Children under 6 years travel free.", "free", "0"),
        ("Parcels heavier than 25 kg are refused.", "refuse", "0"),
    ],
)
def test_rules_with_numbers_are_read(statement, kind, amount):
    rule = rules_in(statement)[0]
    assert (rule.kind, str(rule.amount)) == (kind, amount)


@pytest.mark.parametrize(
    "statement",
    [
        "Send an e-mail when it is late.",
        "People log in on a web page.",
        "Show a pie chart.",
        "Scan the barcode.",
    ],
)
def test_what_no_small_program_can_do_is_refused_with_a_reason(statement):
    assert beyond(statement)


def test_half_of_a_sentence_is_not_enough():
    assert "last watered" in beyond_records("I want to see when each plant was last watered.")


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["Users can add tasks.", "Users can remove tasks."], "records"),
        (["The program reads a CSV file.", "Show the total per month."], "tables"),
        (["Up to 2 kg it costs 4 EUR.", "Express costs 8 EUR extra."], "calculation"),
        (["It should be nice."], ""),
    ],
)
def test_the_kind_of_program_follows_from_the_words(statements, kind):
    assert kind_of([Wanted(f"FR-{n}", s) for n, s in enumerate(statements, start=1)]) == kind
