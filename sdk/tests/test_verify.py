"""`paraph verify` finds what does not hold: each attack, against a server that allows just it."""

import itertools
import json
import threading

import httpx
import pytest

from paraph.actions import digest_of
from paraph.client import Client
from paraph.command import verify
from paraph.connection import Connection

PROJECT = "0198"


class Refusal(Exception):
    def __init__(self, status, code, **facts):
        super().__init__(code)
        self.response = httpx.Response(status, json={"code": code, "detail": code} | facts)


class Server:
    """What the checks need of one, in memory; without the rule that `weakness` names."""

    def __init__(self, weakness=""):
        self.weakness = weakness
        self.actions, self.keys = {}, {}
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def keeps(self, rule):
        return self.weakness != rule

    def client(self, token, **fields):
        connection = Connection("http://server", token, PROJECT, "support", patience=0)
        return Client(connection=connection, transport=httpx.MockTransport(self), **fields)

    def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1/").strip("/").split("/")
        body = json.loads(request.content or b"null")
        with self.lock:
            try:
                return self.answer(request, path, body)
            except Refusal as refusal:
                return refusal.response

    def answer(self, request, path, body):
        is_agent = request.headers["Authorization"].startswith("Bearer")
        key = request.headers.get("Idempotency-Key", "")
        match path:
            case ["projects", _, "actions"]:
                return httpx.Response(202, json=self.ask(body, key))
            case ["hitl", "requests", number]:
                digest = self.actions[number]["action_digest"].removeprefix("sha256:")
                return httpx.Response(200, json={"subject_digest": digest})
            case ["hitl", "requests", number, "decisions"]:
                self.decide(self.actions[number], body, is_agent)
                return httpx.Response(201, json={})
            case ["actions", number, "claim"]:
                return httpx.Response(200, json=self.claim(self.actions[number], body, key))
            case ["actions", number, "outcome"]:
                return httpx.Response(200, json=self.report(self.actions[number], body))
            case ["actions", number]:
                return httpx.Response(200, json=self.actions[number])
        raise AssertionError(path)

    def ask(self, body, key):
        known = self.actions.get(self.keys.get(key)) if self.keeps("the same key is one") else None
        if known:
            if known["arguments"] != body["arguments"] and self.keeps("a key is of one call"):
                raise Refusal(422, "idempotency_key_reused")
            return known
        effect = body.get("effect", "")
        others = [a for a in self.actions.values() if effect and a["effect"] == effect]
        if others and self.keeps("an effect happens once"):
            raise Refusal(409, "effect_exists", action=others[0]["id"], action_status="succeeded")
        number = str(next(self.numbers))
        action = body | {"id": number, "request": number, "project": PROJECT, "effect": effect}
        action |= {"subject": None, "status": "pending", "fence": 0, "claim_key": "", "outcome": ""}
        action["action_digest"] = digest_of(action)
        self.actions[number], self.keys[key] = action, number
        return action

    def decide(self, action, body, is_agent):
        if is_agent and self.keeps("who asks never decides"):
            raise Refusal(403, "credential_cannot_decide")
        digest = action["action_digest"].removeprefix("sha256:")
        if body["subject_digest"] != digest and self.keeps("a decision is about what was shown"):
            raise Refusal(409, "subject_changed")
        if "expires_at" in action and self.keeps("time ends the question"):
            raise Refusal(410, "expired")
        action["status"] = "approved" if body["action"] == "approve" else "denied"

    def claim(self, action, body, key):
        is_again = key and action["claim_key"] == key and self.keeps("a lost claim is repeated")
        if not is_again:
            if body["action_digest"] != action["action_digest"] and self.keeps("of its digest"):
                raise Refusal(409, "subject_changed")
            if action["status"] in ("pending", "denied") and self.keeps("only what was approved"):
                raise Refusal(403, "not_approved")
            if action["fence"] and self.keeps("one caller, once"):
                raise Refusal(409, "already_claimed")
            action |= {"fence": action["fence"] + 1, "status": "executing", "claim_key": key}
        facts = {"fence": action["fence"], "arguments": action["arguments"], "grant": None}
        return facts | {"lease_expires_at": "2030-01-01T00:00:00Z"}

    def report(self, action, body):
        if body["fence"] != action["fence"] and self.keeps("of its fence"):
            raise Refusal(409, "lease_lost")
        if action["outcome"]:
            is_same = action["outcome"] == json.dumps(body)
            if not self.keeps("a report may be repeated"):
                is_same = False
            if not is_same and self.keeps("an outcome stands"):
                raise Refusal(409, "already_reported")
        action |= {"outcome": json.dumps(body), "status": body["status"]}
        return action


def tried(check, weakness, monkeypatch):
    server = Server(weakness)
    monkeypatch.setattr(verify, "Client", lambda connection: server.client(connection.token))
    monkeypatch.setattr(verify, "EXPIRES_SECONDS", 0.01)
    bench = verify.Bench(server.client("paraph_agent_1"), server.client("person"), "run")
    return verify._try(check, bench)


@pytest.mark.parametrize("check", verify.CHECKS, ids=lambda check: check.__name__)
def test_a_server_that_keeps_the_rules_holds(check, monkeypatch):
    result, detail = tried(check, "", monkeypatch)
    is_grant = check is verify.a_grant_again
    assert result == ("not applicable" if is_grant else "held"), detail


@pytest.mark.parametrize(
    ("check", "weakness"),
    [
        (verify.credential_cannot_decide, "who asks never decides"),
        (verify.other_arguments_under_the_same_key, "a key is of one call"),
        (verify.a_decision_on_other_content, "a decision is about what was shown"),
        (verify.a_claim_of_another_digest, "of its digest"),
        (verify.a_claim_before_the_decision, "only what was approved"),
        (verify.a_second_claim, "one caller, once"),
        (verify.a_second_outcome, "of its fence"),
        (verify.a_second_outcome, "an outcome stands"),
        (verify.an_effect_again, "an effect happens once"),
        (verify.many_claims_at_once, "one caller, once"),
        (verify.two_questions_at_once, "the same key is one"),
        (verify.an_approval_after_the_time, "time ends the question"),
        (verify.a_lost_answer_to_a_question, "the same key is one"),
        (verify.a_lost_answer_to_a_claim, "a lost claim is repeated"),
        (verify.a_lost_answer_to_a_report, "a report may be repeated"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_each_attack_that_a_server_allows_is_found(check, weakness, monkeypatch):
    result, detail = tried(check, weakness, monkeypatch)
    assert (result, bool(detail)) == ("FAILED", True)
