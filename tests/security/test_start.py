"""What production refuses to start with, and where its secrets may come from."""

import os
import secrets
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from ops.devserver.runtime import PROJECT_DIR
from orchestrator.checks import is_production, is_weak, why_not_start
from orchestrator.environment import Environment, with_secrets

GOOD = secrets.token_urlsafe(50)
COMPOSE = {
    "DATABASE_URL": "postgresql://countersign:one@postgres:5432/countersign",
    "REDIS_URL": "redis://:two@redis:6379/0",
    "SECRET_KEY": GOOD,
    "ALLOWED_HOSTS": "example.org,localhost",
    "CSRF_TRUSTED_ORIGINS": "https://example.org",
    "BEHIND_TLS_PROXY": "true",
}


def check(*tags, **environment):
    """`manage.py check --deploy` in an environment like that of docker compose."""
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", *tags],
        cwd=PROJECT_DIR,
        env=os.environ | COMPOSE | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_unsafe_is_named_in_one_go():
    found = check(
        "--tag=security",
        ALLOWED_HOSTS="*",
        CSRF_TRUSTED_ORIGINS="http://example.org",
        BEHIND_TLS_PROXY="false",
        REDIS_URL="redis://redis:6379/0",
        LOGIN_TRIES="0",
    )

    assert found.returncode == 1
    for number in ("W001", "W002", "W003", "W004", "W005"):
        assert f"paraph.{number}" in found.stderr


@pytest.mark.parametrize(("value", "meant"), [("", True), (" ", True), ("No", False), ("1", True)])
def test_a_switch_is_on_or_off_and_empty_is_not_set(value, meant):
    needed = {name: COMPOSE[name] for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")}

    env = Environment(HITL_PREVENT_SELF_APPROVAL=value, **needed)

    assert env.HITL_PREVENT_SELF_APPROVAL is meant


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY"),
        ({"SECRET_KEY_FILE": "/nonexistent/key"}, "SECRET_KEY_FILE"),
    ],
)
def test_an_unsafe_start_is_refused_with_a_reason_and_without_a_trace(unsafe, named):
    found = check(**unsafe)

    assert found.returncode == 1
    assert named in found.stderr
    assert "Traceback" not in found.stderr
    assert GOOD not in found.stderr


@pytest.mark.parametrize("hosts", [["localhost"], ["127.0.0.1", "[::1]"], ["app.localhost"], []])
def test_this_machine_alone_is_not_production(hosts):
    assert not is_production(hosts=hosts, behind_proxy=False)


@pytest.mark.parametrize("hosts", [["example.org"], ["localhost", "*"], [".example.org"]])
def test_any_other_name_is_production(hosts):
    assert is_production(hosts=hosts, behind_proxy=False)


def test_behind_a_proxy_it_is_production_under_any_name():
    assert is_production(hosts=["localhost"], behind_proxy=True)


EXAMPLES = ["", "short", "x" * 60, f"django-insecure-{GOOD}", f"ChangeMe{GOOD}"]


@pytest.mark.parametrize("key", EXAMPLES, ids=["none", "short", "same", "django", "changeme"])
def test_a_key_that_can_be_guessed_is_weak(key):
    assert is_weak(key)
    assert "SECRET_KEY" in why_not_start(debug=False, secret_key=key)


def test_to_debug_is_for_this_machine_alone():
    assert "DEBUG" in why_not_start(debug=True, secret_key=GOOD)


def test_a_made_key_is_good():
    assert why_not_start(debug=False, secret_key=GOOD) == ""


def test_a_secret_comes_from_the_file_that_is_named(tmp_path):
    file = tmp_path / "key"
    file.write_text("from the file\n")
    environment = {"SECRET_KEY": "", "SECRET_KEY_FILE": str(file), "OPENAI_API_KEY": "direct"}

    found = with_secrets(environment)

    assert (found["SECRET_KEY"], found["OPENAI_API_KEY"]) == ("from the file", "direct")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xff"])
def test_a_file_without_a_secret_stops_the_start(tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ImproperlyConfigured, match="REDIS_URL_FILE names"):
        with_secrets({"REDIS_URL_FILE": str(file)})


def test_the_settings_of_docker_compose_with_secrets_in_files_have_nothing_to_complain_of(tmp_path):
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        (tmp_path / name).write_text(COMPOSE[name] + "\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in ("SECRET_KEY", "DATABASE_URL")}

    found = check(**files, SECRET_KEY="", DATABASE_URL="")

    assert found.returncode == 0, found.stderr
