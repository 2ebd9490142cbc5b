"""Grants as a tool sees them, offline, and one of a real server."""

import json
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

import paraph

PROJECT = "0198a000-0000-7000-8000-000000000000"
ARGUMENTS = {"order": "1", "amount": 12.5}
SECRET = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())) | {"kid": "k1"}
OTHER = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())) | {"kid": "k1"}
KEYS = paraph.Keys({"keys": [SECRET]})


def make(key=SECRET, algorithm="EdDSA", **changes):
    digest = paraph.action_digest(
        project=PROJECT,
        agent="support",
        subject=None,
        tool={"name": "refund", "server": "payments"},
        arguments=ARGUMENTS,
    )
    now = int(time.time())
    claims = {
        "iss": "paraph",
        "aud": "payments/refund",
        "sub": "support",
        "jti": "a1",
        "fence": 1,
        "iat": now,
        "exp": now + 3600,
        "digest": digest,
        "approved_by": [],
        "rule": None,
    }
    signer = OKPAlgorithm.from_jwk(key) if isinstance(key, dict) else key
    return jwt.encode(claims | changes, signer, algorithm=algorithm, headers={"kid": "k1"})


def verify(grant, **changes):
    options = {"keys": KEYS, "project": PROJECT, "tool": "refund", "server": "payments"}
    options |= {"arguments": ARGUMENTS, "seen": paraph.SeenInMemory()}
    return paraph.verify_grant(grant, **(options | changes))


def test_a_grant_says_what_was_approved():
    grant = verify(make(approved_by=[{"id": "user:3"}]))
    assert (grant.action, grant.agent, grant.approved_by) == ("a1", "support", [{"id": "user:3"}])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arguments": ARGUMENTS | {"amount": 12.51}}, "other_call"),
        ({"arguments": ARGUMENTS | {"amount": float("nan")}}, "other_call"),
        ({"project": PROJECT.replace("0198", "0199")}, "other_call"),
        ({"tool": "pay"}, "other_tool"),
        ({"server": ""}, "other_tool"),
        ({"issuer": "other"}, "invalid"),
    ],
)
def test_another_call_is_refused_and_the_grant_is_not_used_up(changes, reason):
    grant, seen = make(), paraph.SeenInMemory()
    with pytest.raises(paraph.GrantRefused) as refused:
        verify(grant, seen=seen, **changes)
    assert refused.value.reason == reason
    assert verify(grant, seen=seen)


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        (None, "missing"),
        ("a.b.c", "invalid"),
        (make(exp=1), "expired"),
        (make(key=OTHER), "invalid"),
        (make(key="", algorithm="none"), "unknown_key"),
        (make(key="secret" * 8, algorithm="HS256"), "unknown_key"),
        (make(sub="other"), "other_call"),
    ],
)
def test_a_grant_that_is_none_is_refused(grant, reason):
    with pytest.raises(paraph.GrantRefused) as refused:
        verify(grant)
    assert refused.value.reason == reason


def test_a_grant_is_honoured_once_by_many_and_after_a_restart(tmp_path):
    grant, honoured, reasons = make(), [], []
    paraph.SeenInFile(tmp_path / "seen")

    def use():
        try:
            honoured.append(verify(grant, seen=paraph.SeenInFile(tmp_path / "seen")))
        except paraph.GrantRefused as refused:
            reasons.append(refused.reason)

    threads = [threading.Thread(target=use) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(honoured), reasons) == (1, ["used"] * 9)
    assert verify(make(fence=2), seen=paraph.SeenInFile(tmp_path / "seen"))


def test_a_grant_of_the_server_is_verified_with_its_keys(client, home, installation):
    arguments = {"order": "1", "amount": 12.5, "ü": [1e21, 5e-324, -0.0]}
    options = {"server": "payments", "subject": {"type": "customer", "id": "7"}}
    action = client.ask("refund", arguments, **options)
    home.decide()
    grant = action.wait().claim().grant

    keys = paraph.Keys(installation.url)
    verified = verify(grant, keys=keys, project=home.id, arguments=arguments)

    assert verified.subject == options["subject"]
    with pytest.raises(paraph.GrantRefused):
        verify(grant, keys=keys, project=home.id, arguments=arguments | {"order": "2"})
