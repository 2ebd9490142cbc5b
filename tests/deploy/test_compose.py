"""The compose files fit the Compose Specification, each alone and put together."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ops.devserver.runtime import PROJECT_DIR
from tests.test_deployment import SECRETS_OF_COMPOSE

BASE = PROJECT_DIR / "docker-compose.yml"
SCALE = PROJECT_DIR / "deploy" / "compose.scale.yml"
# The schema comes with the tool: nothing is fetched.
CHECK = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
FILLED_IN = dict.fromkeys(SECRETS_OF_COMPOSE, "x")
Content = dict[str, Any]


def complaints(path: Any) -> str:
    checked = subprocess.run([*CHECK, str(path)], capture_output=True, text=True, timeout=60)
    assert checked.returncode in (0, 1), checked.stderr
    return checked.stdout if checked.returncode else ""


def put_together(base: Any, override: Any, key: str = "") -> Any:
    """As Compose does it: maps by key, lists one after the other, mounts by target."""
    if isinstance(base, dict) and isinstance(override, dict):
        shared = {k: put_together(base[k], v, k) for k, v in override.items() if k in base}
        return base | override | shared
    if key == "volumes":
        mounts = {mount.split(":")[1]: mount for mount in [*base, *override]}
        return list(mounts.values())
    if isinstance(base, list) and key not in ("command", "entrypoint", "test"):
        return base + override
    return override


def by_us() -> Content:
    return put_together(yaml.safe_load(BASE.read_text()), yaml.safe_load(SCALE.read_text()))


def by_compose() -> Content:
    plugin = ["docker", "compose"]
    has_plugin = (
        shutil.which("docker")
        and not subprocess.run([*plugin, "version"], capture_output=True, timeout=60).returncode
    )
    program = plugin if has_plugin else ["docker-compose"]
    if not shutil.which(program[0]):
        pytest.skip("Neither docker compose nor docker-compose is installed.")
    read = subprocess.run(
        [*program, "-f", str(BASE), "-f", str(SCALE), "config"],
        env=os.environ | FILLED_IN,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    return yaml.safe_load(read.stdout)


@pytest.mark.parametrize("path", [BASE, SCALE], ids=lambda path: path.name)
def test_each_file_fits_the_schema(path):
    assert complaints(path) == ""


@pytest.mark.parametrize("merge", [by_us, by_compose])
def test_both_together_fit_the_schema_and_are_scaled(merge, tmp_path):
    whole = merge()
    (tmp_path / "whole.yml").write_text(yaml.safe_dump(whole))

    assert complaints(tmp_path / "whole.yml") == ""
    services = whole["services"]
    replicas = {name: services[name]["deploy"]["replicas"] for name in ("web", "engine", "agents")}
    assert replicas == {"web": 3, "engine": 2, "agents": 4}
    assert services["postgres"]["command"][-1] == "max_connections=300"
    rules = [str(mount) for mount in services["proxy"]["volumes"] if "Caddyfile" in str(mount)]
    assert len(rules) == 1
    assert "Caddyfile.scale" in rules[0]


def mistype(*path: str) -> Callable[[Content], None]:
    """Doubles the last letter of the last key."""

    def change(content: Content) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1] + path[-1][-1]] = content.pop(path[-1])

    return change


def misname_a_condition(content: Content) -> None:
    content["services"]["proxy"]["depends_on"]["web"]["condition"] = "service_wealthy"


@pytest.mark.parametrize(
    ("path", "mistake", "named"),
    [
        (BASE, mistype("services"), "servicess"),
        (BASE, mistype("services", "web", "restart"), "restartt"),
        (BASE, mistype("services", "web", "healthcheck", "interval"), "intervall"),
        (BASE, misname_a_condition, "service_wealthy"),
        (SCALE, mistype("services", "web", "deploy", "replicas"), "replicass"),
        (SCALE, mistype("services", "postgres", "command"), "commandd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_found_and_named(path, mistake, named, tmp_path):
    content = yaml.safe_load(path.read_text())
    mistake(content)
    (tmp_path / "mistaken.yml").write_text(yaml.safe_dump(content))

    assert named in complaints(tmp_path / "mistaken.yml")
