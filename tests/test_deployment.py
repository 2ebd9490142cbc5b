import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from deploy.production_requirements import EMBEDDED, split, without_embedded
from ops.devserver.runtime import PROJECT_DIR
from orchestrator import settings as settings_module
from orchestrator.environment import SECRETS, Environment, TracingEnvironment

COMPOSE = (PROJECT_DIR / "docker-compose.yml").read_text()
EXAMPLE = (PROJECT_DIR / ".env.example").read_text()
LINE = re.compile(r"^#?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)
DOCUMENTED = dict(LINE.findall(EXAMPLE))
# Read by the local commands, not by the settings.
OF_COMMANDS = {
    *("ADMIN_PASSWORD", "DATA_DIR", "PARAPH_URL", "PARAPH_TOKEN"),
    *("ADMIN_DATABASE_URL", "READER_PASSWORD"),
}
# Explained by what `make run` or compose do, so there is no one default to show.
WITHOUT_DEFAULT = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}


SECRETS_OF_COMPOSE = (
    *("POSTGRES_PASSWORD", "DATABASE_PASSWORD", "DATABASE_OWNER_PASSWORD"),
    *("REDIS_PASSWORD", "SECRET_KEY", "DOMAIN"),
)


def read_by_settings() -> dict[str, str]:
    """Each variable with its default, as one writes it in the environment."""
    kinds = (Environment, TracingEnvironment)
    fields = {name: field for kind in kinds for name, field in kind.model_fields.items()}
    defaults = {name: written(field.get_default()) for name, field in fields.items()}
    # An agent without a model of its own has the default one.
    agents = [f"MODEL_{agent.upper()}" for agent in settings_module.AGENT_TYPES]
    return defaults | dict.fromkeys(agents, defaults["MODEL_DEFAULT"])


def written(default: Any) -> str:
    if default is PydanticUndefined or default in ([], {}, None):
        return ""
    if isinstance(default, list):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def compose_variables() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))


def test_every_variable_that_is_read_is_documented_and_the_other_way_round():
    from_files = {f"{name}_FILE" for name in SECRETS}
    read = read_by_settings().keys() | OF_COMMANDS | compose_variables() | from_files

    assert set(DOCUMENTED) == read


@pytest.mark.parametrize("name", sorted(read_by_settings().keys() - WITHOUT_DEFAULT))
def test_the_documented_default_is_the_real_one(name):
    assert DOCUMENTED[name] == read_by_settings()[name]


def test_every_documented_variable_has_its_one_line():
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if LINE.match(line):
            assert lines[number - 1].startswith("# "), line


def test_the_compose_file_is_well_formed_and_complete():
    services = yaml.safe_load(COMPOSE)["services"]

    assert set(services) == {
        *("proxy", "web", "engine", "sweep", "agents", "beat", "slack"),
        *("roles", "migrate", "postgres", "redis"),
    }
    for name, service in services.items():
        assert service["restart"] in {"unless-stopped", "on-failure"}, name
        assert name in {"roles", "migrate"} or "healthcheck" in service, name
        for needed in service.get("depends_on", {}):
            assert needed in services, needed


def test_only_the_proxy_is_reachable_from_outside():
    services = yaml.safe_load(COMPOSE)["services"]

    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]


@pytest.mark.parametrize("name", SECRETS_OF_COMPOSE)
def test_no_secret_is_in_the_compose_file_and_a_missing_one_stops_the_start(name):
    assert f"${{{name}:?" in COMPOSE
    assert f"${{{name}:-" not in COMPOSE


def test_every_setting_that_an_operator_may_choose_reaches_the_containers():
    services = yaml.safe_load(COMPOSE)["services"]
    # Only the engine signs the log.
    given = {*chain(*(services[name]["environment"] for name in ("web", "engine", "agents")))}
    for_developers = {"DEBUG", "CHANNEL_PREFIX", "QUEUE_PREFIX"}
    set_by_the_server, of_the_owner = {"DATABASE_POOL"}, {"MIGRATION_DATABASE_URL"}
    elsewhere = for_developers | set_by_the_server | of_the_owner

    assert read_by_settings().keys() - elsewhere <= given


def test_each_container_has_the_database_user_that_it_needs_and_no_stronger_one():
    """The superuser for who makes the users, the owner for who migrates."""
    services = yaml.safe_load(COMPOSE)["services"]
    given = {name: set(service.get("environment", {})) for name, service in services.items()}

    def with_(variable: str) -> set[str]:
        return {name for name, variables in given.items() if variable in variables}

    assert with_("ADMIN_DATABASE_URL") == {"roles"}
    assert with_("MIGRATION_DATABASE_URL") == {"roles", "migrate"}
    assert "paraph:${DATABASE_PASSWORD" in services["web"]["environment"]["DATABASE_URL"]


def test_redis_keeps_what_it_has():
    command = yaml.safe_load(COMPOSE)["services"]["redis"]["command"]

    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_production_installs_all_but_the_embedded_servers_and_what_only_they_need():
    lock = (PROJECT_DIR / "requirements.lock").read_text()
    every = {name for name, _ in split(lock)}
    kept = {name for name, _ in split(without_embedded(lock))}

    assert not kept & EMBEDDED
    assert {"django", "daphne", "celery", "redis", "rich"} <= kept
    assert every - kept == EMBEDDED | {"fasteners", "platformdirs", "valkey"}


def test_every_production_requirement_has_its_hash():
    lock = without_embedded((PROJECT_DIR / "requirements.lock").read_text())

    assert all("--hash=sha256:" in text for _, text in split(lock))


def test_what_the_image_copies_is_let_through_to_the_build():
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text()
    let_through = (PROJECT_DIR / ".dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)

    for path in " ".join(copied).split():
        assert Path(PROJECT_DIR, path).exists(), path
        assert f"!{path}\n" in let_through, path


def test_every_app_is_in_the_image():
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text()
    names = {app.partition(".")[0] for app in settings_module.INSTALLED_APPS}
    folders = [name for name in sorted(names) if (PROJECT_DIR / name).is_dir()]

    assert [name for name in folders if f"COPY {name} {name}\n" not in dockerfile] == []


def test_the_image_does_not_run_as_root():
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text()

    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001:10001"]


def test_the_override_for_scale_changes_only_what_is_there():
    override = yaml.safe_load((PROJECT_DIR / "deploy" / "compose.scale.yml").read_text())
    base = yaml.safe_load(COMPOSE)["services"]

    assert set(override) == {"services"}
    assert override["services"].keys() <= base.keys()
    for name, service in override["services"].items():
        assert service.keys() <= base[name].keys() | {"deploy", "command", "stop_grace_period"}
        for volume in service.get("volumes", []):
            source, target, *_ = volume.split(":")
            assert Path(PROJECT_DIR, source).exists()
            assert target in {one.split(":")[1] for one in base[name]["volumes"]}


def test_more_web_servers_stand_behind_the_same_rules():
    """Both files of the proxy say the same but for where the web servers are."""
    one, many = (
        (PROJECT_DIR / "deploy" / name).read_text() for name in ("Caddyfile", "Caddyfile.scale")
    )

    for rule in ("encode zstd gzip", "max_size 6MB", "respond @inside 404", "flush_interval -1"):
        assert rule in one
        assert rule in many
    assert re.findall(r"@inside path .*", one) == re.findall(r"@inside path .*", many)
