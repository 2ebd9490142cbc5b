"""Contents for tests: any JSON, Markdown as people write it, and what they hand in."""

import json

from hypothesis import strategies as st

from audit.actors import Actor
from audit.canonical import canonical
from context.parts import join_sections, split_content
from context.services import create_artifact

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
# About as long as what becomes a part of its own; drawn by the character it would take long.
long_words = st.builds(
    lambda beginning, length: (beginning * length)[:length],
    st.text("ab \n#", min_size=1, max_size=12),
    st.integers(380, 420),
)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words
values = st.recursive(
    scalars | long_words,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=5),
    max_leaves=20,
)
contents = st.dictionaries(words, values, max_size=6)

lines = st.sampled_from(
    [
        *("# One", "## Two", "### Two", "#", "#no heading", "One\n===", "Two\r\n---", "    # code"),
        *("```", "~~~~", "```py", "- ```", "", "<!--", "-->", "[a]: b"),
    ]
) | st.text("abc #`~\r\t-*", max_size=40)
markdown = st.lists(lines, min_size=1, max_size=40).map("\n".join).filter(bool)
# Long enough to be cut by its length, and long lines among them.
long_texts = st.lists(
    st.text("abcdefg ", min_size=1, max_size=80) | st.just("x" * 6_100), min_size=60, max_size=200
).map("\n".join)


def hand_in(project, text="Two weeks."):
    """The owner's own input, accepted at once."""
    return create_artifact(
        actor=Actor.of_user(project.created_by),
        project_id=project.pk,
        artifact_type="user_input",
        title="Rules",
        content={"text": text},
    )


def joined(artifact_type, content):
    """The content, taken apart and put together as the database does it."""
    parts = split_content(artifact_type, json.loads(json.dumps(content)))
    return join_sections([(part.pointer, str(part.kind), part.text) for part in parts])


def is_same(left_value, other):
    """The same to the byte, so that 1 is not True."""
    return canonical(left_value) == canonical(other)
