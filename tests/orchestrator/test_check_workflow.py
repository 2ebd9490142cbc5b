import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestrator.engine.definition import WORKFLOWS, parse_definition

GUIDE = Path(__file__).parents[2] / "docs" / "workflows.md"


def test_a_valid_workflow_is_shown_in_order():
    out = StringIO()
    call_command("check_workflow", str(WORKFLOWS / "sdlc.yaml"), stdout=out)
    assert "validate   validate: tester after build" in out.getvalue()


def test_a_bad_workflow_names_every_fault_with_its_line(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\nversion: one\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"(?s)bad\.yaml:1: title: is missing.*bad\.yaml:2: ver"):
        call_command("check_workflow", str(bad))


@pytest.mark.parametrize("content", [None, b"name: \xff"])
def test_a_file_that_cannot_be_read_says_so(tmp_path, content):
    path = tmp_path / "odd.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("check_workflow", str(path))


def test_the_example_of_the_guide_is_valid():
    example = re.search(r"(?s)```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"))[1]
    review = parse_definition(example, "workflows.md")
    assert review.order == ("write", "check", "describe", "pack")
