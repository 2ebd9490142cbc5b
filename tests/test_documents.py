"""What the documents say must be there."""

import re

import pytest

from agents.enums import AgentState, AttemptOutcome, RequestKind, TaskStatus
from context.enums import Form, Need, VersionStatus
from hitl.enums import RequestStatus
from ops.devserver.runtime import PROJECT_DIR
from projects.enums import OversightLevel, Phase, ProjectStatus, Role

DOCUMENTS = sorted([*PROJECT_DIR.glob("*.md"), *PROJECT_DIR.glob("docs/**/*.md")])
WORDS = [
    *(AgentState, AttemptOutcome, TaskStatus, VersionStatus, RequestKind),
    *(Form, Need),
    *(RequestStatus, OversightLevel, Phase, ProjectStatus, Role),
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__name__)
def test_the_glossary_knows_every_word(words):
    glossary = (PROJECT_DIR / "docs" / "glossary.md").read_text()
    marked = set(" ".join(re.findall(r"`([a-z_ ]+)`", glossary)).split())

    assert set(words.values) <= marked


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_DIR)))
def test_every_link_leads_somewhere(path):
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_is_listed():
    folder = PROJECT_DIR / "docs" / "adr"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())

    assert listed == sorted(path.name for path in folder.glob("0*.md"))
