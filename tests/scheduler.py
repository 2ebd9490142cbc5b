"""pytest plugin: which files of tests run in one process, with `pytest -n … --dist loadfile`."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Each is slow to get and kept until its process ends: servers, what the providers of models are
# made of, the description of the API. So one process gets it, for all files that need it. What has
# most tests begins first: so do the files that start programs, of which few take long, and which
# at the end would be what all others wait for.
SHARED = {
    "a server": re.compile(r"\b(web_server|impatient)\b"),
    "models": re.compile(r"\b(openai_server|wire_servers)\b"),
    "the description": re.compile(r"\bisolation(\.| import )routes\b|\bSchemaGenerator\b"),
    "programs": re.compile(r"\b(subprocess|slack_socket)\b"),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(config.rootpath / super()._split_scope(nodeid))

    return Scheduler(config, log)


@cache
def unit_of(file: Path) -> str:
    """What the file shares with others, or else itself."""
    text = file.read_text(encoding="utf-8")
    return next((name for name, sign in SHARED.items() if sign.search(text)), str(file))
