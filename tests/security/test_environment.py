"""Every variable of the environment: what nobody can read stops the start, and says what to do.

A new variable belongs into one of the lists below; a test holds them to `.env.example`.
"""

import os
import runpy
import secrets
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from ops.devserver.runtime import PROJECT_DIR
from orchestrator.environment import (
    SECRETS,
    TracingEnvironment,
    load_env_file,
    read_variables,
)
from orchestrator.model_names import check_models
from tests.test_deployment import DOCUMENTED

SETTINGS = PROJECT_DIR / "orchestrator" / "settings.py"

MODELS = ("opnai", "openai:", ":gpt", "offlin")
NUMBERS = ("ten", "1.5", "-1", "1e3", "99999999999")
SWITCHES = ("maybe", "ture", "2")
URLS = ("localhost", "http://", "ftp://host", "http://host:port", "http://[::1")
DATABASES = (
    *("localhost", "mysql://u:hidden@host/name", "postgresql://u:hidden@host:port/name"),
    *("postgresql://u:hidden@host", "postgresql://u:hidden@[::1/name"),
)
UNREADABLE = {
    "SECRET_KEY": ("", " "),
    "DATABASE_URL": DATABASES,
    "MIGRATION_DATABASE_URL": DATABASES,
    "REDIS_URL": (
        *("localhost", "http://:hidden@host", "redis:///0"),
        *("redis://:hidden@host:port/0", "redis://:hidden@host/first"),
    ),
    "ALLOWED_HOSTS": ("https://example.org", "example.org:8000", "a b", "a,b/", "::1"),
    "CSRF_TRUSTED_ORIGINS": ("example.org", "https://example.org/", "https://a;https://b", "*"),
    "LOG_LEVEL": ("LOUD", "10"),
    "LOG_FORMAT": ("xml",),
    "METRICS_LISTEN": ("xyz", "host:", "host:port", "host:70000", "http://host:9808", "9808"),
    "METRICS_DIR": ("/proc/none", "/dev/null/x"),
    "HITL_ON_TIMEOUT": ("approve", "yes"),
    "HITL_REQUIRED_APPROVALS": (*NUMBERS, "0", "51"),
    "HITL_CLAIM_SECONDS": (*NUMBERS, "0"),
    "ACTION_APPROVED_SECONDS": (*NUMBERS, "0"),
    "ACTION_LEASE_SECONDS": (*NUMBERS, "0"),
    "HITL_REAUTHENTICATE": ("all", "plan_approval;escalation"),
    "REAUTHENTICATION_SECONDS": (*NUMBERS, "0"),
    "FLOOR_OVERSIGHT_LEVEL": ("none", "highest"),
    "FLOOR_REQUIRED_APPROVALS": ("2", "plan_approval", "plan_approval=0", "clarification=2"),
    "JOB_RESULT_DAYS": (*NUMBERS, "0"),
    "TOKEN_DAYS": (*NUMBERS, "0", "367"),
    "INVITATION_DAYS": (*NUMBERS, "0", "91"),
    "OIDC_GROUPS": ("approvers", "=Approvers", "approvers="),
    "MODEL_MAX_TOKENS": (*NUMBERS, "0"),
    "MODEL_TIMEOUT_SECONDS": (*NUMBERS, "0"),
    "AGENT_CONCURRENCY": (*NUMBERS, "0"),
    **dict.fromkeys(("AGENT_MAX_TURNS", "AGENT_MAX_TOKENS", "AGENT_MAX_SECONDS"), (*NUMBERS, "0")),
    "WORKSPACE_MAX_BYTES": (*NUMBERS, "0"),
    "SANDBOX_CONCURRENCY": NUMBERS,
    "MODEL_CONCURRENCY": ("openai", "openai=", "=5", "openai=many", "-1", "1.5", "a=1;b=2"),
    "CONTEXT_BUDGET": (*NUMBERS, "0"),
    "CONTEXT_BUDGETS": ("openai", "openai=", "=5", "openai=many", "openai=0", "a=1;b=2"),
    "MODEL_ENDPOINTS": ("My box", "a;b", "-a", "openai"),
    "MODEL_ENDPOINT_HOSTS": ("https://example.org", "a b"),
    "MODEL_TEMPERATURE": ("warm", "-1", "2.5", "nan"),
    "MODEL_SEED": NUMBERS,
    "MODEL_REASONING": ("some", "true"),
    "MODEL_FALLBACKS": ("x", "a:x;b", ":x", "demo:x"),
    "MODEL_TRANSCRIPTS": ("sometimes", "true"),
    "MODEL_TRANSCRIPT_DAYS": (*NUMBERS, "0"),
    "MODEL_PRICES": ("x", "x=1", "x=1/-1", "x=a/b", "=1/1", "a=1/1;b"),
    "MODEL_PRICE_UNKNOWN": ("1", "a/b", "-1/1", "1/2/3/4"),
    "BUDGET": ("much", "-1", "nan"),
    "BUDGET_DAY": ("much", "-1", "inf"),
    "EMBEDDING_MODEL": ("demo", *MODELS),
    "TRUSTED_LOG_KEYS": ("paraph-1", "paraph-1+00000000+AAAA"),
    "EMAIL_URL": ("localhost", "http://host", "smtp://", "smtp://u:hidden@host:port"),
    "EMAIL_FROM": ("paraph", "a\nb@example.org"),
    "WEBHOOK_ALLOWED_NETWORKS": ("localhost", "10.0.0.1/8", "10.0.0.0/33", "a;b"),
}
UNREADABLE |= dict.fromkeys(
    ("MODEL_DEFAULT", *(name for name in DOCUMENTED if DOCUMENTED[name] == "demo")), MODELS
)
UNREADABLE |= dict.fromkeys(
    (name for name in DOCUMENTED if DOCUMENTED[name] in ("true", "false")), SWITCHES
)
UNREADABLE |= dict.fromkeys(
    (
        *(
            "OPENAI_BASE_URL",
            "OLLAMA_BASE_URL",
            "EMBEDDING_BASE_URL",
            "CHECKPOINT_WITNESS_URL",
            "CHECKPOINT_TSA_URL",
        ),
        *("PUBLIC_URL", "SLACK_API_URL", "OIDC_SERVER_URL"),
        *("LANGFUSE_BASE_URL", "PHOENIX_BASE_URL"),
    ),
    URLS,
)
UNREADABLE |= dict.fromkeys(
    (
        *("LOGIN_TRIES", "THROTTLE_USER_PER_MINUTE", "THROTTLE_ADDRESS_PER_MINUTE"),
        *("HITL_REMIND_AFTER", "HITL_DUE_AFTER", "HITL_EXPIRE_AFTER"),
        "DISK_FLOOR_MB",
        *("PROJECTS_PER_USER", "RUNNING_PROJECTS_PER_USER", "OPEN_TASKS_PER_USER"),
    ),
    NUMBERS,
)
UNREADABLE |= {f"{name}_FILE": ("/nonexistent", "/") for name in SECRETS}
# Read with TRACES only, which needs packages that are not everywhere.
OF_TRACES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": URLS,
    "OTEL_TRACES_SAMPLER": ("sometimes", "alway_on"),
    "OTEL_TRACES_SAMPLER_ARG": ("half", "-1", "1.5", "nan"),
}
ANY_TEXT = {
    *("CHANNEL_PREFIX", "QUEUE_PREFIX", "ADMIN_PASSWORD", "DATA_DIR", "METRICS_TOKEN"),
    *("HEARTBEAT_FILE", "DISK_FOLDERS"),
    *("ANTHROPIC_API_KEY", "GOOGLE_API_KEY"),
    *("OPENAI_API_KEY", "EMBEDDING_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS"),
    *("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"),
    *("APPRISE_URLS", "APPRISE_KINDS", "PUSH_KEY_FILE"),
    "HITL_ASK_BEFORE_TOOLS",
    *("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "PHOENIX_API_KEY"),
    *("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME", "OIDC_GROUPS_CLAIM"),
    *("GRANT_KEY_FILE", "GRANT_ISSUER"),
    *("CHECKPOINT_DIR", "CHECKPOINT_KEY_FILE", "CHECKPOINT_TSA_ROOTS", "ARCHIVE_DIR"),
}
# By docker compose, Celery, and the commands of a terminal; no process of ours starts with them.
READ_BY_OTHERS = {
    *("DOMAIN", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "PARAPH_VERSION"),
    *("ENGINE_PROCESSES", "PARAPH_URL", "PARAPH_TOKEN"),
    *("DATABASE_PASSWORD", "DATABASE_OWNER_PASSWORD", "ADMIN_DATABASE_URL", "READER_PASSWORD"),
}
CASES = [(variable, value) for variable, values in UNREADABLE.items() for value in values]
GOOD = {
    "SECRET_KEY": secrets.token_urlsafe(50),
    "DATABASE_URL": "postgresql://u:p@host:5432/name",
    "REDIS_URL": "redis://:p@host:6379/0",
    "DATA_DIR": "/nonexistent",
}


def settings_in(**environment):
    """The settings as a process finds them that has nothing but this environment."""
    with patch.dict(os.environ, GOOD | environment, clear=True):
        found = runpy.run_path(str(SETTINGS))
    check_models(SimpleNamespace(**found))
    return found


def test_no_variable_is_forgotten():
    lists = (UNREADABLE.keys(), OF_TRACES.keys(), ANY_TEXT, READ_BY_OTHERS)

    assert set.union(*map(set, lists)) == DOCUMENTED.keys()
    assert sum(map(len, lists)) == len(DOCUMENTED)


def test_the_owner_is_one_of_the_same_database():
    owner = "postgresql://owner:hidden@host:5432/"
    assert (
        settings_in(MIGRATION_DATABASE_URL=f"{owner}name")["MIGRATION_DATABASE"]["USER"] == "owner"
    )

    with pytest.raises(
        ImproperlyConfigured, match="names the database other, and DATABASE_URL name"
    ):
        settings_in(MIGRATION_DATABASE_URL=f"{owner}other")


@pytest.mark.parametrize(("variable", "value"), CASES)
def test_what_nobody_can_read_stops_the_start(variable, value):
    with pytest.raises(ImproperlyConfigured) as stopped:
        settings_in(**{variable: value})

    said = str(stopped.value)
    assert said.startswith(f"{variable} ")
    assert any(word in said for word in ("Use ", "It must be", "cannot be read", "not set"))
    assert "hidden" not in said


def test_times_that_are_not_in_their_order_stop_the_start():
    with pytest.raises(ImproperlyConfigured, match="HITL_DUE_AFTER"):
        settings_in(HITL_DUE_AFTER="60", HITL_EXPIRE_AFTER="30")


@pytest.mark.parametrize(
    ("variable", "value"), [(name, one) for name, values in OF_TRACES.items() for one in values]
)
def test_what_traces_cannot_be_read_of_stops_the_start(variable, value):
    pytest.importorskip("opentelemetry.sdk")
    refused = pytest.raises(ImproperlyConfigured, match=f"^{variable} is .*(Use |It must be )")

    with patch.dict(os.environ, {variable: value}, clear=True), refused:
        read_variables(TracingEnvironment)


def test_every_variable_that_cannot_be_read_is_named_at_once():
    with pytest.raises(ImproperlyConfigured) as stopped:
        settings_in(DEBUG="maybe", LOGIN_TRIES="-1", REDIS_URL="http://:hidden@host")

    lines = str(stopped.value).splitlines()
    assert sorted(line.split()[0] for line in lines) == ["DEBUG", "LOGIN_TRIES", "REDIS_URL"]


def test_a_file_adds_what_the_process_does_not_set(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# A comment\nLOG_LEVEL=DEBUG\nMETRICS_TOKEN='$ecret # 1'\nDEBUG=true # why\n")

    with patch.dict(os.environ, {"LOG_LEVEL": "ERROR"}, clear=True):
        load_env_file(file)

        assert os.environ == {
            "LOG_LEVEL": "ERROR",
            "METRICS_TOKEN": "$ecret # 1",
            "DEBUG": "true",
        }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"HITL_PREVENT_SELF_APPROVAL\n", "^HITL_PREVENT_SELF_APPROVAL has no value"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path, content, message):
    file = tmp_path / ".env"
    file.write_bytes(content)

    with patch.dict(os.environ), pytest.raises(ImproperlyConfigured, match=message):
        load_env_file(file)


def test_what_is_documented_can_be_read():
    written = {name: DOCUMENTED[name] for name in DOCUMENTED.keys() - GOOD.keys()}

    found, plain = settings_in(**written), settings_in()

    assert found["HITL_POLICY"] == plain["HITL_POLICY"]
    assert found["AGENT_MODELS"] == plain["AGENT_MODELS"]
    assert found["ALLOWED_HOSTS"] == plain["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("ALLOWED_HOSTS", "*, .example.org,[::1],", ["*", ".example.org", "[::1]"]),
        ("CSRF_TRUSTED_ORIGINS", "https://*.a.org:8443", ["https://*.a.org:8443"]),
        ("METRICS_LISTEN", "[::]:9808", "[::]:9808"),
        ("METRICS_TOKEN", "$ecret", "$ecret"),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("MODEL_DEFAULT", "", "demo"),
        ("MODEL_DEFAULT", "openai:gpt-x", "openai:gpt-x"),
        ("REDIS_URL", "rediss://host", "rediss://host"),
        ("CONTEXT_BUDGETS", "a:b = 5,", {"demo": 5_000_000, "a:b": 5}),
    ],
)
def test_what_can_be_read_is_taken(variable, value, setting):
    assert settings_in(**{variable: value})[variable] == setting


def test_a_provider_of_ones_own_is_known_by_its_name_alone(settings):
    settings.AGENT_MODELS = {"coder": "mine", "tester": "mine:large"}
    settings.MODEL_PROVIDERS = {"mine": "package.module.Class"}

    check_models(settings)


def test_no_process_starts_with_a_model_that_is_none(settings):
    settings.AGENT_MODELS = {"coder": "offlin"}

    with pytest.raises(ImproperlyConfigured, match="MODEL_CODER is 'offlin'"):
        apps.get_app_config("orchestrator").ready()


def test_several_hosts_of_one_database_are_no_mistake():
    found = settings_in(DATABASE_URL="postgresql://u:p@one:5432,two:5433/name")["DATABASES"][
        "default"
    ]

    assert (found["HOST"], found["PORT"]) == ("one,two", "5432,5433")


@pytest.mark.parametrize(
    ("variable", "remedy"),
    [
        ("METRICS_LISTEN", "Use host:port, such as 0.0.0.0:9808."),
        ("MODEL_CODER", "Use demo or external, or provider:model, such as openai:gpt-x."),
    ],
)
def test_a_start_that_is_refused_shows_no_trace(variable, remedy):
    found = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", "0"],
        cwd=PROJECT_DIR,
        env=os.environ | GOOD | {variable: "xyz"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert found.returncode == 1
    assert found.stderr == f"Error: {variable} is 'xyz'. {remedy}\n"


def test_the_old_name_of_the_demo_model_is_accepted_with_a_warning(settings, caplog):
    settings.MODEL_DEFAULT = "offline"
    settings.AGENT_MODELS = {"coder": "offline", "tester": "openai:gpt-x"}

    apps.get_app_config("orchestrator").ready()

    assert settings.AGENT_MODELS == {"coder": "demo", "tester": "openai:gpt-x"}
    assert settings.MODEL_DEFAULT == "demo"
    assert "is called 'demo' now" in caplog.text
