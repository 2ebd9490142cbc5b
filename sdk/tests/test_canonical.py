"""Canonical JSON as RFC 8785 has it."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from paraph.canonical import EXACT, canonical

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT, EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
VALUES = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(NAMES, part, max_size=4)
)


@given(VALUES)
def test_a_value_has_the_bytes_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


def test_numbers_are_written_as_ecmascript_does():
    values = [0.0, -0.0, 1e21, 1e20, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, -12.5, 1e23]
    expected = (
        b"[0,0,1e+21,100000000000000000000,123456789012345680000,0.000001,1e-7,5e-324,-12.5,1e+23]"
    )
    assert canonical(values) == expected
