"""`paraph verify`: attack one's own installation, and say what held.

It asks for calls of a tool that nobody has, `paraph.verify`, and decides on them as a person.
"""

import argparse
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from paraph.client import Action, Client
from paraph.command.exits import NO, YES
from paraph.connection import Connection
from paraph.errors import ApiError, EffectExists, GrantRefused, ParaphError

Parsers = Any
TOOL = "paraph.verify"
RACERS = 20
EXPIRES_SECONDS = 1.0


class Failed(Exception):
    """It did not hold."""


class NotApplicable(Exception):
    """It could not be tried here; that is not a pass."""


@dataclass
class Bench:
    """An agent, a person, and a run of their own."""

    agent: Client
    person: Client
    run: str

    def ask(self, number: int = 1, **options: Any) -> Action[Any]:
        arguments = {"run": self.run, "number": number}
        action: Action[Any] = self.agent.ask(TOOL, arguments, why="A check.", **options)
        return action

    def decide(self, action: Action[Any], decision: str = "approve", **data: Any) -> None:
        action.refresh()
        path = f"hitl/requests/{action.data['request']}/"
        digest = self.person.send("GET", path).json()["subject_digest"]
        body = {"action": decision, "subject_digest": digest} | data
        try:
            self.person.send("POST", f"{path}decisions/", body)
        except ApiError as error:
            if error.code in ("self_approval", "not_a_member", "role_too_low"):
                detail = f"you may not approve what this credential asks: {error.code}"
                raise NotApplicable(detail) from error
            raise
        action.refresh()
        if decision == "approve" and not action.is_approved:
            raise NotApplicable("the project asks for more than one approval")

    def approved(self, number: int = 1, **options: Any) -> Action[Any]:
        action = self.ask(number, **options)
        if action.status == "pending":
            self.decide(action)
        return action


def refused(code: str, call: Callable[[], Any]) -> None:
    """It must be refused, with this code."""
    try:
        call()
    except ApiError as error:
        if error.code != code:
            raise Failed(f"refused with {error.code}, not {code}") from error
    else:
        raise Failed(f"accepted, where {code} was due")


def equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise Failed(f"{what}: {found!r}, not {expected!r}")


def credential_cannot_decide(bench: Bench) -> None:
    """mutation: the credential that asks decides on its own question"""
    action = bench.ask()
    path = f"hitl/requests/{action.data['request']}/decisions/"
    body = {"action": "approve", "subject_digest": "0" * 64}
    refused("credential_cannot_decide", lambda: bench.agent.send("POST", path, body))


def other_arguments_under_the_same_key(bench: Bench) -> None:
    """mutation: other arguments under the key of a question"""
    key = secrets.token_hex(8)
    bench.ask(1, key=key)
    refused("idempotency_key_reused", lambda: bench.ask(2, key=key))


def a_decision_on_other_content(bench: Bench) -> None:
    """mutation: a decision with the digest of something else"""
    action = bench.ask()
    path = f"hitl/requests/{action.data['request']}/decisions/"
    digest = bench.person.send("GET", path.removesuffix("decisions/")).json()["subject_digest"]
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    body = {"action": "approve", "subject_digest": other}
    try:
        refused("subject_changed", lambda: bench.person.send("POST", path, body))
    except Failed as error:
        if "self_approval" in str(error):
            raise NotApplicable("you may not approve what this credential asks") from error
        raise


def a_claim_of_another_digest(bench: Bench) -> None:
    """mutation: a claim with the digest of another call"""
    action = bench.approved()
    body = {"action_digest": "sha256:" + "0" * 64}
    refused(
        "subject_changed", lambda: bench.agent.send("POST", f"actions/{action.id}/claim/", body)
    )


def a_claim_before_the_decision(bench: Bench) -> None:
    """mutation: a claim of what nobody has decided, and of what was denied"""
    action = bench.ask()
    refused("not_approved", action.claim)
    bench.decide(action, "reject", comment="A check.")
    refused("not_approved", action.claim)


def a_second_claim(bench: Bench) -> None:
    """replay: an approval is claimed twice"""
    action = bench.approved()
    action.claim().report("not_executed")
    refused("already_claimed", action.claim)


def a_second_outcome(bench: Bench) -> None:
    """replay: another outcome after the first, and one of another fence"""
    action = bench.approved()
    claim = action.claim()
    path = f"actions/{action.id}/outcome/"
    body = {"fence": claim.fence + 1, "status": "succeeded"}
    refused("lease_lost", lambda: bench.agent.send("POST", path, body))
    claim.report("not_executed")
    refused("already_reported", lambda: claim.report("succeeded"))


def an_effect_again(bench: Bench) -> None:
    """replay: the same effect by another question"""
    effect = f"paraph.verify:{bench.run}"
    action = bench.approved(1, effect=effect)
    action.claim().report("succeeded")
    try:
        bench.ask(2, effect=effect)
    except EffectExists as error:
        equal(error.action, action.id, "the action that stands in the way")
    else:
        raise Failed("the same effect may happen twice")


def a_grant_again(bench: Bench) -> None:
    """replay: a grant is used twice, and for other arguments"""
    from paraph.grants import Keys, SeenInMemory, verify_grant

    action = bench.approved()
    claim = action.claim()
    claim.report("not_executed")
    if claim.grant is None:
        raise NotApplicable("the installation has no GRANT_KEY_FILE")
    try:
        import jwt  # noqa: F401
    except ImportError as error:
        raise NotApplicable("install paraph with its extra `grants`") from error
    keys, seen = Keys(bench.agent.connection.url), SeenInMemory()
    options: Any = {"keys": keys, "project": action.data["project"], "tool": TOOL, "seen": seen}
    for arguments, reason in (
        (action.arguments | {"number": 2}, "other_call"),
        (action.arguments, None),
        (action.arguments, "used"),
    ):
        try:
            verify_grant(claim.grant, arguments=arguments, issuer=_issuer(claim.grant), **options)
        except GrantRefused as error:
            equal(error.reason, reason, "refused as")
        else:
            equal(None, reason, "refused as")


def _issuer(grant: str) -> str:
    import jwt

    return str(jwt.decode(grant, options={"verify_signature": False})["iss"])


def many_claims_at_once(bench: Bench) -> None:
    """race: twenty claims of one approval at once"""
    action, codes = bench.approved(), []
    body = {"action_digest": action.digest}
    start = threading.Barrier(RACERS)

    def claim() -> None:
        with Client(connection=bench.agent.connection) as client:
            start.wait()
            try:
                answer = client.send("POST", f"actions/{action.id}/claim/", body)
                codes.append(str(answer.status_code))
                fences.append(answer.json()["fence"])
            except ParaphError as error:
                codes.append(getattr(error, "code", "unavailable"))

    fences: list[int] = []
    threads = [threading.Thread(target=claim) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if fences:
        outcome = {"fence": fences[0], "status": "not_executed"}
        bench.agent.send("POST", f"actions/{action.id}/outcome/", outcome)
    equal(codes.count("200"), 1, "claims that won")
    equal(codes.count("already_claimed"), RACERS - 1, "claims that were told so")


def two_questions_at_once(bench: Bench) -> None:
    """race: the same question ten times at once"""
    key, ids = secrets.token_hex(8), set()

    def ask() -> None:
        with Client(connection=bench.agent.connection) as client:
            ids.add(client.ask(TOOL, {"run": bench.run}, key=key).id)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(ids), 1, "actions of one question")


def an_approval_after_the_time(bench: Bench) -> None:
    """race: an approval after the question has expired"""
    action = bench.ask(expires_at=timedelta(seconds=EXPIRES_SECONDS))
    time.sleep(EXPIRES_SECONDS * 1.5)
    path = f"hitl/requests/{action.data['request']}/"
    digest = bench.person.send("GET", path).json()["subject_digest"]
    body = {"action": "approve", "subject_digest": digest}
    try:
        bench.person.send("POST", f"{path}decisions/", body)
    except ApiError as error:
        if error.code == "self_approval":
            raise NotApplicable("you may not approve what this credential asks") from error
        if error.code not in ("expired", "already_decided"):
            raise Failed(f"refused with {error.code}, not expired") from error
    else:
        raise Failed("approved after its time")


def a_lost_answer_to_a_question(bench: Bench) -> None:
    """lost reply: a question is asked again"""
    key = secrets.token_hex(8)
    first, again = bench.ask(key=key), bench.ask(key=key)
    equal(again.id, first.id, "the action")


def a_lost_answer_to_a_claim(bench: Bench) -> None:
    """lost reply: a claim is repeated by its key, and is the same claim"""
    action = bench.approved()
    path, headers = f"actions/{action.id}/claim/", {"Idempotency-Key": secrets.token_hex(8)}
    body = {"action_digest": action.digest}
    fences = [
        bench.agent.send("POST", path, body, headers=headers).json()["fence"] for _ in range(2)
    ]
    outcome = {"fence": fences[0], "status": "not_executed"}
    bench.agent.send("POST", f"actions/{action.id}/outcome/", outcome)
    equal(fences[0], fences[1], "the fence")


def a_lost_answer_to_a_report(bench: Bench) -> None:
    """lost reply: a report is repeated"""
    claim = bench.approved().claim()
    claim.report("succeeded", result={"run": bench.run})
    claim.report("succeeded", result={"run": bench.run})


CHECKS = (
    credential_cannot_decide,
    other_arguments_under_the_same_key,
    a_decision_on_other_content,
    a_claim_of_another_digest,
    a_claim_before_the_decision,
    a_second_claim,
    a_second_outcome,
    an_effect_again,
    a_grant_again,
    many_claims_at_once,
    two_questions_at_once,
    an_approval_after_the_time,
    a_lost_answer_to_a_question,
    a_lost_answer_to_a_claim,
    a_lost_answer_to_a_report,
)


def add_commands(commands: Parsers) -> None:
    verify = commands.add_parser(
        "verify",
        help="attack your own installation, and see what holds",
        description="Needs the credential of an agent, and a person who may approve what it asks "
        "(not who made it). The project's log will tell of it.",
    )
    verify.set_defaults(run=verify_installation)


def verify_installation(options: argparse.Namespace) -> int:
    with (
        Client(connection=Connection.load(patience=10)) as agent,
        Client(connection=Connection.load_person()) as person,
    ):
        bench = Bench(agent, person, secrets.token_hex(8))
        counts = {"held": 0, "FAILED": 0, "not applicable": 0}
        for check in CHECKS:
            result, detail = _try(check, bench)
            counts[result] += 1
            what = (check.__doc__ or check.__name__).strip()
            print(f"{result:15} {what}{detail and f' ({detail})'}", flush=True)
        _clean_up(bench)
    print("  ".join(f"{number} {result}" for result, number in counts.items()))
    return YES if counts["held"] == len(CHECKS) else NO


def _try(check: Callable[[Bench], None], bench: Bench) -> tuple[str, str]:
    try:
        check(bench)
    except NotApplicable as reason:
        return "not applicable", str(reason)
    except (Failed, ParaphError) as error:
        return "FAILED", str(error)
    return "held", ""


def _clean_up(bench: Bench) -> None:
    """Nobody is to be asked about what was only a check."""
    for status in ("pending", "approved"):
        params = {"status": status, "page_size": 100}
        path = f"projects/{bench.agent.connection.project}/actions/"
        for data in bench.agent.send("GET", path, params=params).json()["results"]:
            if data["tool"]["name"] == TOOL and data["arguments"].get("run") == bench.run:
                _cancel(bench.agent.action(data["id"]))


def _cancel(action: Action) -> None:
    try:
        action.cancel("a check of `paraph verify`")
    except ApiError as error:
        # It may have expired meanwhile.
        if error.status != HTTPStatus.CONFLICT:
            raise
