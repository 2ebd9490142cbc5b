import logging
import re
import sys
import uuid
from datetime import UTC, datetime

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from core.log_fields import log_fields
from ops.logging.formatters import SecretMask, TextLines
from orchestrator.environment import secret_values
from tests.ops.logging.lines import written

logger = logging.getLogger("tests.ops.logging")
FORGED = "done\n2026-01-01 00:00:00,000 ERROR agents.worker.run everything is lost\x1b[2J\u202e"
FIRST = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+ ")


def raised(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


def record(message, **extra):
    made = logging.makeLogRecord({"name": "here", "levelname": "INFO", "msg": message})
    vars(made).update(extra)
    return made


def test_a_json_line_has_time_level_logger_message_and_all_that_belongs_to_it():
    task = uuid.uuid4()
    with written("json") as lines, log_fields(request_id="r-1", project="p"):
        logger.warning("ring %s", "lost", extra={"task": task, "error": "E('a')", "count": 3})

    (entry,) = lines.entries()
    assert datetime.fromisoformat(entry.pop("time")).utcoffset() == datetime.now(UTC).utcoffset()
    assert entry == {
        "level": "WARNING",
        "logger": "tests.ops.logging",
        "message": "ring lost",
        "request_id": "r-1",
        "project": "p",
        "task": str(task),
        "error": "E('a')",
        "count": 3,
    }


def test_a_text_line_shows_what_belongs_to_it_too():
    with written("text") as lines, log_fields(request_id="r-1"):
        logger.warning("ring lost", extra={"error": 'E("a b")', "empty": "", "many": [1, "x"]})

    assert FIRST.match(lines.text)
    assert lines.text.endswith(
        'WARNING tests.ops.logging ring lost error="E(\\"a b\\")" empty="" many="[1, \\"x\\"]" '
        "request_id=r-1\n"
    )


def test_what_the_line_itself_says_counts_more_than_what_surrounds_it():
    with written("json") as lines, log_fields(project="outer"):
        logger.info("moved", extra={"project": "inner"})

    assert lines.entries()[0]["project"] == "inner"


@pytest.mark.parametrize("kind", ["json", "text"])
def test_text_of_agents_cannot_forge_a_line(kind):
    with written(kind) as lines:
        logger.error("failed: %s", FORGED, extra={"error": FORGED}, exc_info=raised(FORGED))

    entries = [line for line in lines.text.splitlines() if not line.startswith("  ")]
    assert len(entries) == 1
    assert "everything is lost" in entries[0]
    assert not re.search("[\x1b\u202e\r]", lines.text)


@given(st.text(), st.text())
def test_no_text_makes_more_than_one_entry_of_one(message, value):
    lines = TextLines().format(record("%s", args=(message,), error=value, exc_info=None))

    assert len(lines.splitlines()) == 1
    lines.encode()


@pytest.mark.parametrize("kind", ["json", "text"])
def test_an_exception_is_told_whole(kind):
    with written(kind) as lines:
        logger.error("failed", exc_info=raised("of all"))

    if kind == "json":
        assert lines.entries()[0]["exception"].endswith("ValueError: of all")
    else:
        assert lines.text.splitlines()[-1] == "  ValueError: of all"


@pytest.mark.parametrize("kind", ["json", "text"])
def test_known_secrets_are_not_written_whoever_quotes_them(kind):
    secret, odd = "sk-0123456789", 'pass"word\\9'
    with written(kind, secret, odd, "short") as lines:
        logger.error(
            "with %s", secret, extra={"error": f"{odd} {secret}", "user": "short"},
            exc_info=raised(f"Bearer {secret} {odd}"),
        )  # fmt: skip

    assert secret not in lines.text
    assert "0123456789" not in lines.text
    assert "word\\\\9" not in lines.text
    assert "short" in lines.text


def test_secrets_are_known_by_the_names_of_their_variables():
    environment = {"OPENAI_API_KEY": "a", "METRICS_TOKEN": "b", "ADMIN_PASSWORD": "c", "PATH": "d"}

    assert secret_values(environment | {"SECRET_KEY": ""}, "e", "") == ["a", "b", "c", "e"]
    assert SecretMask([])("nothing is hidden") == "nothing is hidden"


def test_a_request_is_told_of_by_its_route_and_never_by_its_path(client):
    with written("json") as lines:
        client.raise_request_exception = False
        request = HttpRequest()
        request.path, request.method = "/somewhere/secret-ticket", "GET"
        logger.error("Internal Server Error", extra={"request": request, "status_code": 500})

    (entry,) = lines.entries()
    assert (entry["route"], entry["status_code"]) == ("none", 500)
    assert "ticket" not in lines.text
