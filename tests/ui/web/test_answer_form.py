"""A form made of the JSON Schema by which an agent wants its answer."""

import pytest
from django.http import QueryDict

from core.errors import InvalidInput
from ui.web.inbox.answer_form import AnswerForm

SCHEMA = {
    "type": "object",
    "properties": {
        "is_paid": {"type": "boolean"},
        "amount": {"type": "number", "description": "In euros."},
        "speed": {"enum": ["slow", 2, None]},
        "note": {"type": "string", "maxLength": 40},
        "reason": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ways": {"type": "array", "items": {"enum": ["post", "van"]}},
        "address": {"type": "object", "properties": {"street": {"type": "string"}}},
        "anything": {},
    },
    "required": ["is_paid", "amount", "reason"],
}


def form_of(schema, **values):
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(f"answer-{name[1:]}", value if isinstance(value, list) else [value])
    return AnswerForm(schema, data)


def test_each_value_has_a_field_of_its_kind():
    form = AnswerForm(SCHEMA)

    kinds = [(form[name].label, form[name].widget_type) for name in form.fields]
    assert kinds == [
        ("is_paid", "radioselect"),
        ("amount", "number"),
        ("reason", "textarea"),
        ("speed", "select"),
        ("note", "text"),
        ("tags", "textarea"),
        ("ways", "checkboxselectmultiple"),
        ("address › street", "textarea"),
        ("anything (as JSON)", "textarea"),
    ]
    assert form["1"].help_text == "In euros."


def test_what_was_filled_in_is_the_answer_and_the_rest_is_left_out():
    form = form_of(
        SCHEMA, _0="1", _1="12.5", _3="1", _5="a\n\n b ", _6=["0", "1"], _7="Main St", _8="[1]"
    )

    assert form.content() == {
        "is_paid": False,
        "amount": 12.5,
        "speed": 2,
        "reason": None,
        "tags": ["a", "b"],
        "ways": ["post", "van"],
        "address": {"street": "Main St"},
        "anything": [1],
    }
    assert form_of({"type": "string"}, _0="Yes").content() == "Yes"


@pytest.mark.parametrize("number", ["", "twelve", '"12"', "true", "0.1234567890123456789"])
def test_what_is_no_number_is_said_at_its_field(number):
    with pytest.raises(InvalidInput) as refused:
        form_of(SCHEMA, _0="0", _1=number).content()

    assert [error["field"] for error in refused.value.errors] == ["content.amount"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
        {"type": "object", "properties": {"a": {}}, "required": ["b"]},
        {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(90)}},
    ],
)
def test_what_no_form_fits_is_written_as_json(schema):
    form = form_of(schema, _0='{"b": 1}')

    assert form["0"].label == "Your answer (as JSON)"
    assert form.content() == {"b": 1}


def test_names_of_the_agent_are_shown_as_what_they_are():
    form = AnswerForm({"type": "object", "properties": {"a\u202eb": {"title": "x\u200by"}}})

    assert form["0"].label == "a‹U+202E›b (as JSON)"
    assert form["0"].help_text == "x‹U+200B›y"
