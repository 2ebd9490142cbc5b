"""The client library and the server make the same digest of the same call."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hitl.agent_actions.digests import (
    action_digest,
    call_digest,
    canonical_text,
    parse_exactly,
)
from paraph.canonical import action_digest as digest_of_client
from paraph.canonical import call_digest as call_digest_of_client
from paraph.canonical import canonical as canonical_of_client

EXACT = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT, EXACT)
    # Beyond, a number is refused.
    | st.floats(-EXACT, EXACT)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXTS, part, max_size=4)
)
SUBJECTS = st.none() | st.fixed_dictionaries({"type": TEXTS, "id": TEXTS})


@given(st.dictionaries(TEXTS, VALUES, max_size=4), TEXTS, SUBJECTS)
def test_a_call_has_one_digest(arguments, agent, subject):
    tool = {"name": "refund", "server": "payments"}
    sent = json.dumps(arguments, ensure_ascii=False).encode()
    received = parse_exactly(sent)

    ours = digest_of_client(
        project="p", agent=agent, subject=subject, tool=tool, arguments=arguments
    )
    theirs = action_digest(
        project="p", agent_name=agent, subject=subject, tool=tool, arguments=received
    )

    assert ours == theirs
    assert call_digest_of_client(tool, arguments) == call_digest(tool, received)
    assert canonical_of_client(arguments).decode() == canonical_text(received)
