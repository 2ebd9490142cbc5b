"""Off nothing of it is loaded; on without its packages the start says what to do."""

import os
import subprocess
import sys

import pytest

from ops.devserver.runtime import PROJECT_DIR

START = """
import sys
{before}
import django
django.setup()
import orchestrator.asgi, orchestrator.celery, agents.tasks, agents.worker.run, orchestrator.tasks
from django.conf import settings
from django.test import Client
from agents.providers import model_for
from core.tracing import span
assert Client(headers={{"host": "localhost"}}).get("/nothing").status_code == 404
model_for("coder")
{then}
"""
# redis-py looks by itself whether it could count there, which takes the part for metrics along.
OF_TRACES = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "ops.tracing")
LOADED = f"print(sorted(m for m in sys.modules if m.startswith({OF_TRACES})))"


def start(*, before="", then="", **environment):
    return subprocess.run(
        [sys.executable, "-c", START.format(before=before, then=then)],
        cwd=PROJECT_DIR,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_off_nothing_is_imported_and_no_span_is_made():
    done = start(then=f"assert span('a') is span('b')\n{LOADED}\nprint(settings.MIDDLEWARE)")

    assert done.returncode == 0, done.stderr
    loaded, middleware = done.stdout.splitlines()
    assert loaded == "[]"
    assert "traces" not in middleware


@pytest.mark.slow
def test_off_nothing_of_it_need_be_there():
    done = start(before="sys.modules['opentelemetry'] = None")

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter"])
def test_on_without_the_packages_the_start_names_the_remedy(missing):
    done = start(before=f"sys.modules[{missing!r}] = None", TRACES="true")

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "ImproperlyConfigured: TRACES is on" in last
    assert missing in last
    assert "pip install -r requirements-otel.txt" in last


@pytest.mark.slow
def test_a_collector_that_is_away_holds_up_neither_an_answer_nor_the_end(closed_port):
    done = start(
        TRACES="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{closed_port}",
        then="with span('a', {'b': 1}): pass",
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_compose_passes_on_unset_is_what_the_library_does_by_itself():
    """An empty list of headers, the usual sampler, the usual address."""
    compose = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "OTEL_TRACES_SAMPLER_ARG": "1.0",
        "OTEL_SDK_DISABLED": "false",
    }
    done = start(
        TRACES="true",
        # Nobody is there, which each start of this test's would wait for at its end.
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        then="from ops.tracing import tracing\n"
        f"print(tracing().provider.sampler.get_description())\n{LOADED}",
        **compose,
    )

    assert done.returncode == 0, done.stderr
    sampler, loaded = done.stdout.splitlines()
    assert sampler.startswith("ParentBased{root:AlwaysOnSampler")
    assert "opentelemetry.sdk.trace" in loaded
