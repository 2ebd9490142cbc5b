"""What agents write is shown for reading, and can do nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.html import read_markdown
from context.side_by_side import compare_contents
from ui.web.artifacts.content_html import code_html, content_html, json_tree, source_files

TAG = re.compile(r"<(/?)([a-zA-Z0-9]+)([^>]*)>")
ALLOWED = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "em", "strong", "s", "a", "pre"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "span"),
    *("details", "summary"),
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<a href='x' onclick='alert(1)'>x</a>",
    "<svg/onload=alert(1)>",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "<style>*{display:none}</style>",
    '<div x-data x-init="alert(1)">',
    "[x]: javascript:alert(1)\n\n[x]",
    '<https://evil.example/"onmouseover=alert(1)>',
    "{{ 7|add:7 }} {% load static %}",
]


def tags_of(html):
    return [(name.lower(), attributes) for _, name, attributes in TAG.findall(html)]


@pytest.mark.parametrize("text", ATTACKS)
def test_markup_in_markdown_is_shown_as_text(text):
    html = read_markdown(text)
    assert {name for name, _ in tags_of(html)} <= ALLOWED
    assert not any(re.search(r"\bon\w+=|style=|javascript:|x-", a) for _, a in tags_of(html))
    assert not any("src=" in attributes for _, attributes in tags_of(html))


# Without a deadline: the time says how busy the machine is, not how good the code.
@given(st.text(alphabet=st.sampled_from("<>\"'&/=()[]!`*_#|~ \nabcdonjvsript:;{}%-"), max_size=200))
def test_no_text_becomes_a_tag_or_an_attribute_of_its_own(text):
    for html in (read_markdown(text), code_html(text, path="a.py"), json_tree({"a": [text]})):
        assert {name for name, _ in tags_of(str(html))} <= ALLOWED
        assert not any(re.search(r"\son\w+\s*=", attributes) for _, attributes in tags_of(html))


def test_headings_stand_below_those_of_the_page():
    assert "<h3>One</h3>" in read_markdown("# One")
    assert "<h6>Six</h6>" in read_markdown("###### Six")


def test_links_leave_without_a_trace():
    html = read_markdown("[there](https://example.org)")
    assert 'rel="noopener noreferrer nofollow"' in html


def test_code_is_highlighted_without_inline_styles():
    html = code_html("def f():\n    return '<b>'\n", path="a.py")
    assert '<span class="k">def</span>' in html
    assert "style=" not in html
    assert "&lt;b&gt;" in html


def test_the_path_of_a_file_is_only_text():
    html = source_files([{"path": "<script>x</script>.py", "content": "1", "language": "python"}])
    assert "<script>" not in html


def test_a_huge_tree_is_cut_and_says_so():
    html = json_tree([list(range(100)) for _ in range(100)])
    assert "(not shown)" in html
    assert len(html) < 1_000_000


def test_contents_are_compared_line_by_line():
    old = {"summary": "S", "body": "one\n\ntwo\n\nthree"}
    files = compare_contents("agent_output", old, old | {"body": "one\n\n2\n\nthree\n\nfour"})
    kinds = [line.kind for line in files[0].lines]
    assert "changed" in kinds
    assert "added" in kinds
    assert compare_contents("agent_output", old, old) == []


def test_a_program_is_compared_file_by_file():
    code = {
        "title": "T",
        "summary": "S",
        "files": [{"path": "a.py", "content": "1\n", "language": "python"}],
        "entry_point": "a.py",
        "test_command": [],
        "covered": [],
        "notes": [],
    }
    more = [*code["files"], {"path": "b.py", "content": "2\n", "language": "python"}]
    files = compare_contents("source_code", code, code | {"files": more})
    assert [(one.path, one.status) for one in files] == [("source/b.py", "added")]


def test_content_of_an_older_schema_is_shown_as_it_is():
    old = {"body": "Written before there was a summary", "<b>": 1}
    assert "Written before" in content_html("agent_output", old)
    assert "&lt;b&gt;" in content_html("agent_output", old)
    assert compare_contents("agent_output", old, old | {"body": "x"})[0].lines


def test_texts_beyond_the_limit_are_not_compared():
    old = {"summary": "S", "body": "x\n\n" * 9_000}
    files = compare_contents("agent_output", old, old | {"body": "y\n\n" * 9_000})
    assert files[0].lines is None
