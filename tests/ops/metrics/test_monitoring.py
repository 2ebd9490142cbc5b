"""The dashboard and the alerts ask for nothing that is not there."""

import json
import re

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from agents.worker.registry import report_scheduler
from hitl.enums import RequestStatus
from ops.devserver.runtime import PROJECT_DIR
from ops.health.check import checks
from ops.metrics.state import OPEN_CHECK
from orchestrator.engine import sweep  # noqa: F401 - it counts, and is loaded when it runs

pytestmark = pytest.mark.django_db

FOLDER = PROJECT_DIR / "deploy" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
NAME = re.compile(r"\bparaph_\w+")
# The pool is in server processes only; the rest of the test is what a process without one exports.
OF_SERVERS = {"paraph_database_pool"}


def panel_expressions():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alert_expressions():
    return [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


def alert_text():
    return " ".join(alert_expressions())


@pytest.fixture
def exported(client, report):
    """Every name of a series that /metrics gives, or would give once something was counted."""
    report(report_scheduler)
    names = set()
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        endings = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_count", "_sum"),
        }.get(family.type, ("",))
        names |= {family.name + ending for ending in endings}
    return names | OF_SERVERS


@pytest.fixture
def labels(transactional_db, asked, client):
    """The labels of each family, counted already or not."""
    report_scheduler()
    # What the test before has found is kept for a second.
    OPEN_CHECK.forget()
    declared = {
        f"paraph_{one._name.removeprefix('paraph_')}": set(one._labelnames)
        for one in list(REGISTRY._collector_to_names)
        if isinstance(one, MetricWrapperBase)
    }
    asked = {
        family.name: {label for sample in family.samples for label in sample.labels}
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        if family.type == "gauge"
    }
    return asked | declared | {name: {"state"} for name in OF_SERVERS}


def family_of(name):
    return re.sub("_(total|bucket|count|sum)$", "", name)


@pytest.mark.parametrize("expressions", [panel_expressions, alert_expressions])
def test_every_label_that_is_asked_for_is_one_of_the_metric(labels, expressions):
    for expression in expressions():
        names = set(NAME.findall(expression))
        known = {"le"}.union(*(labels[family_of(name)] for name in names))
        for name, selector in re.findall(r"(paraph_\w+)\{([^}]*)\}", expression):
            chosen = set(re.findall(r"(\w+)\s*(?:=|!)", selector))
            assert chosen <= labels[family_of(name)], expression
        for group in re.findall(r"\bby \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", group)) <= known, expression


def test_what_an_alert_waits_for_is_there_at_zero_before_it_happens():
    """Where a series begins at one, Prometheus sees no growth."""
    names = re.findall(r"increase\((paraph_\w+)(?:\{(\w+)=\"(\w+)\"\})?", alert_text())
    there = [s for m in REGISTRY.collect() for s in m.samples]

    assert len(names) >= 3
    for name, label, value in names:
        assert [s for s in there if s.name == name and (not label or s.labels[label] == value)], (
            name
        )


@pytest.mark.parametrize("expressions", [panel_expressions, alert_expressions])
def test_every_metric_that_is_asked_for_is_exported(exported, expressions):
    asked = {name for expression in expressions() for name in NAME.findall(expression)}

    assert asked
    assert asked - exported == set()


def test_every_metric_is_on_the_dashboard_and_in_the_document(exported):
    shown = " ".join(panel_expressions() + alert_expressions())
    told = (PROJECT_DIR / "docs" / "health.md").read_text()
    families = {family_of(name) for name in exported if name.startswith("paraph_")}

    assert [name for name in families if name not in told] == []
    unseen = {name for name in families if name not in shown}
    assert unseen <= {"paraph_sweep_seconds"}


def test_panels_have_places_and_numbers_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]

    assert len(set(ids)) == len(ids)
    assert len(set(places)) == len(places)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in DASHBOARD["panels"])


def test_every_alert_says_what_it_is_and_what_to_do():
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert {"summary", "action"} <= set(rule["annotations"])


def test_the_words_in_alerts_are_those_of_the_product():
    text = alert_text()
    components = re.search(r'component=~"([^"]+)"', text)[1].split("|")
    statuses = re.findall(r'requests_closed_total\{status="(\w+)"', text)

    assert set(components) <= set(checks.values)
    assert set(statuses) <= set(RequestStatus.values)
