import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context.diff import apply_changes, changes_between, diff_contents
from tests.context.documents import contents, hand_in, is_same, values

EVIL = "<script>alert(1)</script>"
sources = st.lists(
    st.sampled_from(["a", "b\r", "\u2028", "- c", "+", "@@ -1 +1 @@"]), max_size=30
).map("\n".join)


@given(contents, contents)
@example({"a": [1, True]}, {"a": [True, 1]})
@example({"a.b": {"/": [1, 2, 3], "": None}}, {"a.b": {"/": [1]}})
@example({"a": [{"b": 1}, 2, 3, 4]}, {"a": [2]})
def test_the_difference_applied_to_the_older_content_gives_the_newer(old, new):
    changes = list(changes_between(old, new))

    assert is_same(apply_changes(old, changes), new)


@given(values)
def test_nothing_differs_from_itself(value):
    assert list(changes_between(value, value)) == []


def test_a_document_is_compared_by_section():
    old = {"text": "# Lending\nTwo weeks.\n# Fees\nNone.\n# Old\n"}
    new = {"text": "# Lending\nThree weeks.\n# Fees\nNone.\n# New\n"}

    sections = diff_contents("user_input", old, new)["sections"]

    assert [(s["path"], s["status"]) for s in sections] == [
        ("text/lending", "changed"),
        ("text/new", "added"),
        ("text/old", "removed"),
    ]
    assert "-Two weeks.\n+Three weeks." in sections[0]["unified"]


@given(sources, sources)
@example("a\r\nb", "a\nb\n")
@example("", "a\u2028b\x0cc")
def test_a_unified_difference_of_a_file_is_taken_as_patches_are(old, new):
    files = diff_contents("source_code", program(old), program(new))["files"]
    unified = [file["unified"] for file in files if file["path"] == "source/main.py"]

    assert patched(old, "".join(unified)) == new


def program(text):
    return {"files": [{"path": "main.py", "content": text}]}


def patched(old, unified):
    """The old text with the hunks of a unified difference in it, by its own rules."""
    lines, new, at = re.findall(r"[^\n]*\n|[^\n]+", old), [], 0
    rest = unified.replace("\n\\ No newline at end of file\n", "\0\n")
    for line in re.findall(r"[^\n]*\n", rest)[2:]:
        text = line[1:].replace("\0\n", "")
        if line.startswith("@@"):
            start = int(re.match(r"@@ -(\d+)", line)[1])
            until = start if re.match(r"@@ -\d+,0 ", line) else start - 1
            new += lines[at:until]
            at = until
        elif line[0] in " -":
            assert lines[at] == text
            at += 1
        if line[0] in " +":
            new.append(text)
    return "".join([*new, *lines[at:]])


def test_a_difference_that_is_whole_says_so():
    old = {"text": "a"}

    assert diff_contents("user_input", old, {"text": "b"})["is_complete"]
    long = {"text": "\n".join("x" for _ in range(8_001))}
    assert not diff_contents("user_input", old, long)["is_complete"]


@pytest.mark.django_db
def test_a_difference_as_a_page_shows_what_agents_wrote_as_text(project, owner, client_of):
    api = client_of(owner)
    path = f"/api/v1/artifacts/{hand_in(project).pk}/"
    api.post(f"{path}versions/", {"content": {"text": EVIL}})

    response = api.get(f"{path}diff/", {"as": "html"})

    page = response.content.decode()
    assert response["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.django_db
def test_where_only_the_ends_of_lines_differ_the_page_says_so(project, owner, client_of):
    api = client_of(owner)
    artifact = hand_in(project, "A\nB")
    path = f"/api/v1/artifacts/{artifact.pk}/"
    api.post(f"{path}versions/", {"content": {"text": "A\r\nB"}})

    assert "Only line endings changed." in api.get(f"{path}diff/", {"as": "html"}).content.decode()


@pytest.mark.django_db
def test_a_difference_in_no_known_form_is_400(project, owner, client_of):
    response = client_of(owner).get(f"/api/v1/artifacts/{hand_in(project).pk}/diff/?as=pdf")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "as"


@pytest.mark.django_db
def test_an_outsider_sees_no_difference(project, outsider, client_of):
    path = f"/api/v1/artifacts/{hand_in(project).pk}/diff/"

    assert client_of(outsider).get(path, {"as": "html"}).status_code == 404
