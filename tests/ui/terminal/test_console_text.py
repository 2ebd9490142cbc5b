import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import escaped, one_line, visible
from ui.terminal.console import Terminal
from ui.terminal.editor import EditingError, as_yaml, parse

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(st.text(st.characters()))
def test_no_text_commands_the_terminal(text):
    for character in visible(text):
        assert unicodedata.category(character) not in {"Cc", "Cs"} or character in "\r\n\t"
        assert unicodedata.bidirectional(character) not in BIDI


@given(st.text(st.characters()))
def test_cleaning_twice_changes_nothing_more(text):
    assert visible(visible(text)) == visible(text)


def test_text_of_every_script_stays_as_it_is():
    text = "Bücher 图书馆 ספרייה مكتبة 👩‍💻\n\tzwei"

    assert visible(text) == text


def test_one_line_is_one_line():
    assert one_line("a\r\nb c \t d") == "a b c d"


@given(JSON)
def test_what_the_editor_shows_reads_back_the_same(content):
    assert parse(as_yaml(content), "your content") == content


def test_the_editor_hides_nothing():
    content = {"body": "if admin\u202e:\n\u200bx\U000e0041 👩‍💻", "a\u202eb": "c"}

    assert escaped(as_yaml(content)) == as_yaml(content)
    assert parse(as_yaml(content), "your content") == content


def test_dates_and_times_stay_text():
    assert parse("day: 2026-01-31\n", "own.yaml") == {"day": "2026-01-31"}


def test_what_is_neither_json_nor_yaml_is_named():
    with pytest.raises(EditingError, match=r"own\.yaml is neither JSON nor YAML"):
        parse("a: [1", "own.yaml")
    with pytest.raises(EditingError, match=r"own\.json is not JSON"):
        parse("a: 1", "own.json")


def test_yaml_cannot_make_objects():
    with pytest.raises(EditingError):
        parse("!!python/object/apply:os.system ['true']", "own.yaml")


@given(st.text(st.characters()))
def test_nothing_that_is_printed_commands_the_terminal(text):
    out = io.StringIO()
    terminal = Terminal(out)

    terminal.say(text)
    terminal.write(text)
    terminal.show_markdown(text)
    terminal.show_diff(text)

    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in out.getvalue())
