import hashlib
import json

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from context.services.checking import check_content

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
facts = st.dictionaries(names, names, max_size=6)


RESULTS = {
    "summary": "All passed.",
    "command": "python3 -m unittest",
    "exit_code": 0,
    "passed": True,
    "timed_out": False,
    "counts": {"run": 1, "passed": 1, "failed": 0, "errors": 0, "skipped": 0},
    "failures": [],
    "output": "Ran 1 test",
    "duration_ms": 7,
    "isolation": {},
    "coverage": [],
    "source_sha256": "",
}


@settings(max_examples=50, deadline=None)
@given(facts, st.randoms())
def test_the_hash_of_a_content_is_that_of_its_canonical_json_in_whatever_order(isolation, chance):
    content = check_content("test_results", RESULTS).content | {"isolation": isolation}
    shuffled = {name: content[name] for name in chance.sample(list(content), len(content))}
    turned = dict(reversed(isolation.items()))

    checked = check_content("test_results", content)

    assert checked.sha256 == hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    for same in (shuffled, content | {"isolation": turned}, json.loads(json.dumps(content))):
        assert check_content("test_results", same).sha256 == checked.sha256
    assert check_content("test_results", checked.content) == checked
