"""Secrets from files, as container platforms hand them over: `NAME_FILE` instead of `NAME`."""

import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

SECRETS = (
    "SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "OPENAI_API_KEY",
    "EMBEDDING_API_KEY",
    "METRICS_TOKEN",
)
SECRET_NAMES = re.compile(r"(_API_KEY|_TOKEN|_PASSWORD|SECRET_KEY)$")


def secrets_from_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The contents of the files that are named. Raises ValueError for one that cannot be read."""
    named = {name: environment.get(f"{name}_FILE") for name in SECRETS}
    return {name: _read(f"{name}_FILE", path) for name, path in named.items() if path}


def _read(variable: str, path: str) -> str:
    try:
        content = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ValueError(f"{variable} names {path}, which cannot be read: {reason}.") from None
    if not content:
        raise ValueError(f"{variable} names {path}, which is empty.")
    return content


def with_secrets(environment: Mapping[str, str]) -> Mapping[str, str]:
    """As `secrets_from_files`, before the environment: a file that is named counts."""
    return ChainMap(secrets_from_files(environment), environment)


def secrets_in(environment: Mapping[str, str], *others: str) -> list[str]:
    """Values that no log may show: those of variables that are named like secrets, and these."""
    named = [value for name, value in environment.items() if SECRET_NAMES.search(name)]
    return [secret for secret in (*named, *others) if secret]
