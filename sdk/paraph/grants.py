"""Grants: a tool sees by itself, offline, that just this call was approved, and honours it once."""

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from paraph.canonical import action_digest
from paraph.errors import GrantRefused

JWKS_PATH = "/.well-known/paraph/jwks.json"
#: A key that is not known is looked up at most so often.
LOOK_UP_SECONDS = 60.0


class Seen(Protocol):
    """Where grants are remembered that were honoured."""

    def add(self, name: str, expires_at: float) -> bool:
        """Remember it until then; False where it was there. Of many at once, one gets True."""
        ...


class SeenInMemory:
    """For a tool that is one process. What a restart forgets may be honoured again: see
    `SeenInFile`."""

    def __init__(self) -> None:
        self._names: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, name: str, expires_at: float) -> bool:
        with self._lock:
            now = time.time()
            self._names = {known: until for known, until in self._names.items() if until > now}
            if name in self._names:
                return False
            self._names[name] = expires_at
            return True


class SeenInFile:
    """For several processes of one machine, and over restarts."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        with closing(self._connect()) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS seen (name TEXT PRIMARY KEY, expires_at REAL NOT NULL)"
            )

    def add(self, name: str, expires_at: float) -> bool:
        with closing(self._connect()) as database, database:
            database.execute("DELETE FROM seen WHERE expires_at < ?", (time.time(),))
            row = (name, expires_at)
            cursor = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", row)
            return cursor.rowcount == 1

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)


class Keys:
    """The public keys of an installation: fetched once, then again only for one that is new."""

    def __init__(self, source: str | Mapping[str, Any]) -> None:
        """The server's address, or a JSON Web Key Set that is there already."""
        self._url = source if isinstance(source, str) else ""
        self._keys: dict[str, dict[str, Any]] = {}
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        if not isinstance(source, str):
            self._take(source)

    def load(self) -> "Keys":
        """Fetch them now, so that no grant waits for the network. Raises httpx.HTTPError."""
        url = self._url if self._url.endswith(".json") else self._url.rstrip("/") + JWKS_PATH
        self._looked_at = time.monotonic()
        response = httpx.get(url, timeout=10)
        response.raise_for_status()
        self._take(response.json())
        return self

    def find(self, key_id: str) -> dict[str, Any] | None:
        with self._lock:
            is_due = time.monotonic() - self._looked_at > LOOK_UP_SECONDS
            if key_id not in self._keys and self._url and is_due:
                try:
                    self.load()
                except (httpx.HTTPError, ValueError) as error:
                    detail = f"The keys cannot be read: {error}."
                    raise GrantRefused("keys_unavailable", detail) from error
            return self._keys.get(key_id)

    def _take(self, key_set: Mapping[str, Any]) -> None:
        self._keys = {
            str(key["kid"]): {name: value for name, value in key.items() if name != "d"}
            for key in key_set["keys"]
            if key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and "kid" in key
        }


@dataclass(frozen=True)
class Grant:
    """What a verified grant says."""

    action: str
    agent: str
    subject: dict[str, Any] | None
    approved_by: list[dict[str, Any]]
    rule: str | None
    digest: str
    fence: int
    expires_at: int


_in_memory = SeenInMemory()


def verify_grant(
    grant: str | None,
    *,
    keys: Keys,
    project: str,
    tool: str,
    arguments: Mapping[str, Any],
    server: str = "",
    schema_digest: str = "",
    issuer: str = "paraph",
    seen: Seen = _in_memory,
    leeway: float = 5.0,
) -> Grant:
    """That this very call was approved, is within its time, and is honoured for the first time.

    Needs the extra `grants`, and no network once the keys are there. Raises
    GrantRefused with a `reason`; a refused grant is not used up.
    """
    import jwt

    if not grant:
        raise GrantRefused("missing", "There is no grant: the call was not approved here.")
    try:
        header = jwt.get_unverified_header(grant)
        key = keys.find(str(header.get("kid", "")))
        if header.get("alg") != "EdDSA" or key is None:
            raise GrantRefused("unknown_key", "It is not signed with a key of the installation.")
        claims = jwt.decode(
            grant,
            jwt.PyJWK(key, algorithm="EdDSA"),
            algorithms=["EdDSA"],
            audience="/".join(part for part in (server, tool) if part),
            issuer=issuer,
            leeway=leeway,
            options={"require": ["iss", "aud", "sub", "jti", "fence", "iat", "exp", "digest"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise GrantRefused("expired", "Its time is over.") from error
    except jwt.InvalidAudienceError as error:
        raise GrantRefused("other_tool", "It is for another tool.") from error
    except jwt.PyJWTError as error:
        raise GrantRefused("invalid", f"It is no grant of this installation: {error}.") from error
    tool_facts = {"name": tool, "server": server, "schema_digest": schema_digest}
    try:
        digest = action_digest(
            project=project,
            agent=claims["sub"],
            subject=claims.get("act"),
            tool={name: value for name, value in tool_facts.items() if value},
            arguments=json.loads(json.dumps(dict(arguments))),
        )
    except (TypeError, ValueError) as error:
        raise GrantRefused("other_call", f"These arguments are no exact JSON: {error}.") from error
    if digest != claims["digest"]:
        raise GrantRefused("other_call", "Another call was approved than this one.")
    if not seen.add(f"{claims['jti']}:{claims['fence']}", claims["exp"] + leeway):
        raise GrantRefused("used", "It was honoured before.")
    return Grant(
        claims["jti"],
        claims["sub"],
        claims.get("act"),
        claims.get("approved_by") or [],
        claims.get("rule"),
        claims["digest"],
        claims["fence"],
        claims["exp"],
    )
