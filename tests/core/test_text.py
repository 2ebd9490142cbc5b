import json
import sys
import unicodedata

import pytest

from core.text import escaped, escaped_json, visible

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "obey me")
#: What hides something, or the rest, from a reader; and what shows that it is there.
CORPUS = {
    "a turned direction": ("if admin\u202e:eslaf", "‹U+202E›"),
    "an isolate": ("\u2066user\u2069", "‹U+2066›"),
    "a mark of direction": ("a\u200fb", "‹U+200F›"),
    "no width": ("pass\u200bword", "‹U+200B›"),
    "a joiner between letters": ("ad\u200dmin", "‹U+200D›"),
    "a soft hyphen": ("pay\u00adpal", "‹U+00AD›"),
    "tags": (f"fine{TAGS}", "‹U+E006F›‹U+E0062›"),
    "variation selectors": ("a\ufe0f\U000e0101", "‹U+FE0F›‹U+E0101›"),
    "a blank letter": ("x\u3164y\u2800z", "‹U+3164›"),
    "a command to the terminal": ("\x1b[2J\x9b31m", "‹U+001B›[2J‹U+009B›31m"),
    "a backspace": ("rm -rf /\b\b\b", "‹U+0008 ×3›"),
    "an unexpected end of a line": ("safe()  # \u2028evil()", "‹U+2028›"),
    "much of nothing": ("a" + "\u200b" * 5_000 + "b", "‹U+200B ×5,000›"),
}
PADDING = {
    "blanks": ("ok" + " " * 50_000 + "evil()", "ok ‹U+0020 ×50,000› evil()"),
    "empty lines": ("ok" + "\n" * 50_000 + "evil()", "ok\n‹49,999 empty lines›\nevil()"),
    "a line written over": ("safe\revil", "safe‹U+000D›evil"),
}
SHOWN = "Bücher 图书馆 ספרייה مكتبة می‌خواهم क्‍ष 👩‍💻 ❤️ ❤️‍🔥 👨‍👩‍👧 3️⃣ 🏴 \n\tzwei"


@pytest.mark.parametrize(("text", "sign"), (CORPUS | PADDING).values(), ids=CORPUS | PADDING)
def test_what_hides_is_shown(text, sign):
    assert sign in visible(text)


@pytest.mark.parametrize("text", [text for text, _ in CORPUS.values()], ids=CORPUS)
def test_json_for_an_editor_keeps_its_value(text):
    shown = escaped_json(json.dumps({"text": text}, ensure_ascii=False))

    assert escaped(shown) == shown
    assert json.loads(shown) == {"text": text}


def test_text_of_every_script_and_emoji_stay_as_they_are():
    assert escaped(SHOWN) == visible(SHOWN) == SHOWN


def test_nothing_that_unicode_calls_a_control_or_a_format_is_left():
    number_signs = {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606)}
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}

    left = [
        f"{point:04X}"
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) in hidden
        and point not in number_signs
        and chr(point) not in "\n\r\t"
        and escaped(f"a{chr(point)}b") == f"a{chr(point)}b"
    ]

    assert left == []


def test_texts_that_differ_look_different():
    one, other = TAGS * 9 + "\U000e0041", TAGS * 9 + "\U000e0042"

    assert visible(one) != visible(other)
