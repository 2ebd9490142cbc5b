"""Rules and dashboard by the tool of Prometheus itself, where that is installed."""

import json
import shutil
import subprocess

import pytest
import yaml

from ops.devserver.runtime import PROJECT_DIR

FOLDER = PROJECT_DIR / "deploy" / "monitoring"


@pytest.fixture
def promtool() -> str:
    return shutil.which("promtool") or pytest.skip("promtool is not installed.")


def said_by(*command: str) -> str:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict]:
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_takes_the_rules(promtool):
    assert f"{len(rules())} rules found" in said_by(promtool, "check", "rules", "alerts.yaml")


def test_the_rules_fire_when_they_should_and_not_else(promtool):
    assert "SUCCESS" in said_by(promtool, "test", "rules", "alerts.test.yaml")


def test_prometheus_understands_what_the_dashboard_asks(promtool, tmp_path):
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    recorded = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(asked)
    ]
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    assert f"{len(asked)} rules found" in said_by(promtool, "check", "rules", str(file))


def test_every_alert_has_a_history_in_which_it_fires():
    cases = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())["tests"]
    fired = {
        check["alertname"]
        for case in cases
        for check in case.get("alert_rule_test", [])
        if check["exp_alerts"]
    }

    assert fired == {rule["alert"] for rule in rules()}


@pytest.mark.django_db
def test_prometheus_has_nothing_to_say_of_what_it_is_given(promtool, client):
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=client.get("/metrics").content,
        capture_output=True,
        timeout=120,
    )

    assert (checked.returncode, checked.stderr) == (0, b"")
