"""Where the server is, and as whom this program talks to it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from paraph.errors import ParaphError

AGENT_PREFIX = "paraph_agent_"


@dataclass(frozen=True)
class Connection:
    """`token` is a credential of an agent; for `inbox` and `decide`, a person's token."""

    url: str
    token: str
    project: str = ""
    agent: str = ""
    #: How long an unreachable server is tried again, in seconds.
    patience: float = 60.0

    @classmethod
    def load(
        cls,
        url: str | None = None,
        token: str | None = None,
        *,
        project: str | None = None,
        agent: str | None = None,
        patience: float = 60.0,
    ) -> "Connection":
        """What is not given: PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT, PARAPH_AGENT, then the file
        that `paraph login` has written.

        Raises ParaphError where there is no address or no token.
        """
        saved = saved_settings()
        given = {"url": url, "token": token, "project": project, "agent": agent}
        values = {
            name: value or os.environ.get(f"PARAPH_{name.upper()}") or saved.get(name) or ""
            for name, value in given.items()
        }
        for name in ("url", "token"):
            if not values[name]:
                raise ParaphError(
                    f"There is no {name}: pass `{name}=`, set PARAPH_{name.upper()}, or run "
                    "`paraph login`."
                )
        values["url"] = values["url"].rstrip("/")
        return cls(**values, patience=patience)

    @classmethod
    def load_person(cls, patience: float = 10.0) -> "Connection":
        """As a person: PARAPH_PERSON_TOKEN, or who has logged in by `paraph login`.

        Raises ParaphError where nobody has.
        """
        saved = saved_settings()
        token = os.environ.get("PARAPH_PERSON_TOKEN") or saved.get("person_token") or ""
        if not token:
            raise ParaphError(
                "Nobody is logged in: run `paraph login`, or set PARAPH_PERSON_TOKEN."
            )
        return cls.load(token=token, patience=patience)

    @property
    def headers(self) -> dict[str, str]:
        if not self.token:
            return {"Accept": "application/json"}
        keyword = "Bearer" if self.token.startswith(AGENT_PREFIX) else "Token"
        return {"Authorization": f"{keyword} {self.token}", "Accept": "application/json"}


def settings_path() -> Path:
    if path := os.environ.get("PARAPH_CONFIG"):
        return Path(path)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "paraph" / "settings.json"


def saved_settings() -> dict[str, str]:
    """Empty where nobody has logged in."""
    try:
        saved = json.loads(settings_path().read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ParaphError(f"{settings_path()} cannot be read: {error}") from error
    return saved if isinstance(saved, dict) else {}


def save_settings(values: dict[str, str]) -> Path:
    """For its owner only: it holds a token."""
    path = settings_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(values, file, indent=2)
    unfinished.replace(path)
    return path
