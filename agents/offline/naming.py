"""Names of generated packages."""

import re

from agents.offline.words import identifier

_TAKEN = frozenset("main tests test json csv argparse decimal datetime dataclasses os sys re "
                   "pathlib io ast "
                   "unittest tempfile calendar statistics string types typing random time and "
                   "or not if "
                   "in is import class def for while with as pass return from "
                   "lambda".split())  # fmt: skip


def package_name(title: str) -> str:
    name = identifier(
        re.split(r" (?:for|of|at|in|für|der|des) |[:–—(,]| - ", title)[0], fallback="program"
    )
    return name if name not in _TAKEN else f"{name}_program"
