"""Signed grants: a tool can see by itself, offline, that just this call was approved.

The keys are in a file outside of the database, a JSON Web Key Set with private keys. The first one
signs; all of them are published, so that a new first key can be put before the old one.
"""

import json
import os
import secrets
import threading
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from jwt.algorithms import OKPAlgorithm

from hitl.models import AgentAction

PRIVATE = "d"
_lock = threading.Lock()


def make_grant(action: AgentAction, now: datetime) -> str | None:
    """A compact JWS for this claim; None where the installation has no GRANT_KEY_FILE."""
    keys = private_keys()
    if not keys:
        return None
    tool = action.tool
    claims = {
        "iss": settings.GRANT_ISSUER,
        "aud": "/".join(part for part in (tool.get("server", ""), tool["name"]) if part),
        "sub": action.agent["name"],
        "jti": str(action.pk),
        "fence": action.fence,
        "iat": int(now.timestamp()),
        "exp": int(action.lease_expires_at.timestamp()),
        "digest": action.action_digest,
        "approved_by": approvers_of(action),
        "rule": str(action.rule_id) if action.rule_id else None,
    }
    if action.subject is not None:
        claims["act"] = action.subject
    key = keys[0]
    return jwt.encode(
        claims, OKPAlgorithm.from_jwk(key), algorithm="EdDSA", headers={"kid": key["kid"]}
    )


def approvers_of(action: AgentAction) -> list[dict[str, Any]]:
    """Whose word it rests on: `{id, assurance, at}`."""
    if action.rule_id is not None:
        rule = action.rule
        at = int(rule.created_at.timestamp())
        return [{"id": f"user:{rule.given_by_id}", "assurance": "standing_approval", "at": at}]
    # Of an amendment, whoever wrote these arguments; else who was asked about just them.
    decisions = []
    for request in action.requests.order_by("created_at"):
        said = list(request.decisions.filter(action__in=("approve", "amend", "answer")))
        if any(decision.action == "amend" for decision in said):
            decisions = [decision for decision in said if decision.action == "amend"]
        else:
            decisions += said
    return [
        {
            "id": f"user:{decision.decided_by_id}",
            "assurance": decision.assurance or decision.channel,
            "at": int(decision.created_at.timestamp()),
            **(
                {"on_behalf_of": f"user:{decision.on_behalf_of_id}"}
                if decision.on_behalf_of_id
                else {}
            ),
        }
        for decision in decisions
    ]


def public_keys() -> dict[str, Any]:
    """The JSON Web Key Set that everybody may read."""
    keys = [
        {name: value for name, value in key.items() if name != PRIVATE} for key in private_keys()
    ]
    return {"keys": keys}


def private_keys() -> list[dict[str, Any]]:
    """All of the file, which is made with one key where it is not there yet."""
    if not settings.GRANT_KEY_FILE:
        return []
    path = Path(settings.GRANT_KEY_FILE)
    if not path.exists():
        _write_first_key(path)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, changed_at: int) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["keys"]


def new_key() -> dict[str, Any]:
    key = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    return {"kid": secrets.token_hex(8), "use": "sig", "alg": "EdDSA"} | key


def rotate_keys(keep: int) -> list[str]:
    """A new key signs from now on; the `keep` newest of the old ones still verify. Their ids."""
    path = Path(settings.GRANT_KEY_FILE)
    keys = [new_key(), *private_keys()[:keep]]
    _replace(path, keys)
    return [key["kid"] for key in keys]


def _write_first_key(path: Path) -> None:
    """Of several processes that start at once, one makes it."""
    with _lock:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = _write(path, [new_key()])
        try:
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()


def _replace(path: Path, keys: list[dict[str, Any]]) -> None:
    _write(path, keys).replace(path)


def _write(path: Path, keys: list[dict[str, Any]]) -> Path:
    """For the owner only, complete or not at all."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"keys": keys}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return unfinished
