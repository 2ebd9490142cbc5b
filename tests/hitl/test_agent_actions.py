"""Agents anywhere ask here first: asked, decided, claimed and reported, over REST."""

import hashlib
import json
import threading
from datetime import timedelta

import jwt
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from audit.actors import Actor
from audit.models import Event
from context.services import add_version, create_artifact
from hitl.agent_actions.recovery import close_overdue_actions
from hitl.models import AgentAction, HitlRequest
from hitl.services import apply_deadlines
from projects.services import add_member
from tests.fixtures import make_user
from tests.scenes import release, set_policy, stop

ARGUMENTS = {"order": "1234", "amount": 12.5, "currency": "EUR"}
CALL = {
    "tool": {"name": "refund", "server": "payments"},
    "arguments": ARGUMENTS,
    "agent": {"name": "support", "run": "r1", "call": "c1"},
    "effect": "refund:1234",
    "why": "The parcel was lost.",
}


@pytest.fixture
def home(make_project):
    """A project without a workflow: a home for actions."""
    return make_project(workflow="none", auto_start=True)


@pytest.fixture
def credential(home, owner, client_of):
    return make_credential(home, client_of(owner))


@pytest.fixture
def agent(credential):
    return agent_with(credential["token"])


@pytest.fixture
def approver_api(approver, client_of):
    return client_of(approver)


def make_credential(project, api, name="support", scopes=("ask",)):
    body = {"name": name, "scopes": list(scopes)}
    answer = api.post(f"/api/v1/projects/{project.pk}/credentials/", body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def agent_with(token):
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return api


def ask(agent, project, key="k1", **changes):
    return agent.post(
        f"/api/v1/projects/{project.pk}/actions/", CALL | changes, headers={"Idempotency-Key": key}
    )


def asked(agent, project, key="k1", **changes):
    answer = ask(agent, project, key, **changes)
    assert answer.status_code == 202, answer.json()
    return answer.json()


def decide(api, action, decision="approve", **data):
    request = api.get(f"/api/v1/hitl/requests/{action['request']}/").json()
    body = {"action": decision, "subject_digest": request["subject_digest"]} | data
    return api.post(f"/api/v1/hitl/requests/{action['request']}/decisions/", body)


def approved(agent, api, project, key="k1", **changes):
    action = asked(agent, project, key, **changes)
    assert decide(api, action).status_code == 201
    return read(agent, action)


def read(agent, action):
    return agent.get(f"/api/v1/actions/{action['id']}/").json()


def claim(agent, action, **data):
    body = {"action_digest": action["action_digest"]} | data
    return agent.post(f"/api/v1/actions/{action['id']}/claim/", body)


def report(agent, action, fence, status="succeeded", **data):
    body = {"fence": fence, "status": status} | data
    return agent.post(f"/api/v1/actions/{action['id']}/outcome/", body)


def test_an_action_is_asked_approved_claimed_once_and_reported(agent, approver_api, home):
    action = asked(agent, home)
    assert claim(agent, action).json()["code"] == "not_approved"
    assert decide(approver_api, action).status_code == 201

    claimed = claim(agent, read(agent, action))
    again = claim(agent, action)
    done = report(agent, action, claimed.json()["fence"], result={"refund": "r-9"})

    assert claimed.status_code == 200
    assert claimed.json()["arguments"] == ARGUMENTS
    assert (again.status_code, again.json()["code"]) == (409, "already_claimed")
    assert (done.status_code, done.json()["status"]) == (200, "succeeded")
    assert report(agent, action, 1, result={"refund": "r-9"}).status_code == 200
    assert report(agent, action, 1, "failed").json()["code"] == "already_reported"
    types = list(Event.objects.filter(project=home.pk).values_list("event_type", flat=True))
    assert [name for name in types if name.startswith("action_")] == [
        "action_requested",
        "action_decided",
        "action_claimed",
        "action_finished",
    ]


def test_a_lost_answer_to_a_claim_is_repeated_by_its_key(agent, approver_api, home):
    action = approved(agent, approver_api, home)
    path, body = (
        f"/api/v1/actions/{action['id']}/claim/",
        {"action_digest": action["action_digest"]},
    )

    first, again, other = (
        agent.post(path, body, headers={"Idempotency-Key": key}) for key in ("a", "a", "b")
    )
    report(agent, action, 1)
    late = agent.post(path, body, headers={"Idempotency-Key": "a"})

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.json()["fence"] == read(agent, action)["fence"] == 1
    assert (other.json()["code"], late.json()["code"]) == ("already_claimed", "already_claimed")


@pytest.mark.parametrize("happens", ["lease", "stop"])
def test_a_claim_is_not_repeated_past_its_lease_or_in_a_stop(
    agent, approver_api, home, staff, happens
):
    action = approved(agent, approver_api, home)
    path = f"/api/v1/actions/{action['id']}/claim/"
    body, headers = {"action_digest": action["action_digest"]}, {"Idempotency-Key": "a"}
    assert agent.post(path, body, headers=headers).status_code == 200

    if happens == "lease":
        AgentAction.objects.update(lease_expires_at=Now())
    else:
        stop(staff)
    again = agent.post(path, body, headers=headers)

    assert (again.status_code, again.json()["code"]) == (409, "already_claimed")


def test_an_amendment_that_has_no_canonical_form_is_refused(agent, approver_api, home):
    action = asked(agent, home)
    refused = decide(approver_api, action, "amend", content=ARGUMENTS | {"amount": 1e16})
    assert (refused.status_code, refused.json()["code"]) == (422, "number_not_exact")
    assert read(agent, action)["status"] == "pending"


def test_the_digest_is_over_the_canonical_call(agent, home):
    action = asked(agent, home, subject={"type": "customer", "id": "7"})
    facts = {
        "agent": "support",
        "arguments": ARGUMENTS,
        "project": str(home.pk),
        "subject": {"id": "7", "type": "customer"},
        "tool": {"name": "refund", "server": "payments"},
    }
    # For these values Python's sorted compact form is that of RFC 8785.
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(b"paraph.action.v1\0" + text.encode()).hexdigest()
    assert action["action_digest"] == f"sha256:{digest}"


def test_the_same_key_answers_with_the_action_as_it_is_now(agent, approver_api, home):
    action = approved(agent, approver_api, home)

    again = ask(agent, home)
    other = ask(agent, home, arguments=ARGUMENTS | {"amount": 99})
    for_another = ask(agent, home, subject={"type": "customer", "id": "7"})

    assert for_another.json()["code"] == "idempotency_key_reused"
    assert (again.status_code, again.json()["id"]) == (201, action["id"])
    assert again.json()["status"] == "approved"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert ask(agent, home, key="").status_code == 400


def test_a_credential_never_decides_or_manages(agent, approver_api, home):
    action = asked(agent, home)
    before = Event.objects.filter(project=home.pk, event_type="credential_refused").count()

    for path in (
        f"/api/v1/hitl/requests/{action['request']}/decisions/",
        "/api/v1/hitl/requests/bulk-decisions/",
        f"/api/v1/projects/{home.pk}/credentials/",
        f"/api/v1/projects/{home.pk}/cancel/",
        f"/api/v1/projects/{home.pk}/members/",
        "/api/v1/emergency-stop/",
    ):
        answer = agent.post(path, {}, headers={"Idempotency-Key": path[-20:]})
        assert (answer.status_code, answer.json()["code"]) == (403, "credential_cannot_decide")
    refused = Event.objects.filter(project=home.pk, event_type="credential_refused")
    assert refused.count() == before + 1


def test_who_made_the_credential_may_not_approve_what_it_asks(agent, owner, client_of, home):
    answer = decide(client_of(owner), asked(agent, home))
    assert (answer.status_code, answer.json()["code"]) == (403, "self_approval")


def test_a_rejected_action_is_denied_and_the_project_goes_on(agent, approver_api, home):
    action = asked(agent, home)
    assert decide(approver_api, action, "reject", comment="Ask the shop.").status_code == 201

    refused = claim(agent, action)

    assert read(agent, action)["status"] == "denied"
    assert read(agent, action)["decision"]["comment"] == "Ask the shop."
    assert (refused.status_code, refused.json()["next_action"]) == (403, "none")
    home.refresh_from_db()
    assert home.status == "active"


def test_amended_arguments_ask_another_person(agent, approver_api, owner, client_of, home):
    action = asked(agent, home)
    changed = ARGUMENTS | {"amount": 10}

    assert decide(approver_api, action, "amend", content=changed).status_code == 201

    now = read(agent, action)
    assert (now["status"], now["arguments"]) == ("pending", changed)
    assert now["action_digest"] != action["action_digest"]
    assert now["request"] != action["request"]
    assert decide(approver_api, now).json()["code"] == "self_approval"
    assert HitlRequest.objects.get(pk=now["request"]).previous_id is not None


def test_a_clients_own_answer_form_is_validated(agent, approver_api, home):
    schema = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
    action = asked(agent, home, response_schema=schema)

    wrong = decide(approver_api, action, "answer", content={"size": "XL"})
    right = decide(approver_api, action, "answer", content={"size": "M"})

    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "content.size")
    assert right.status_code == 201
    assert read(agent, action)["answer"] == {"size": "M"}
    assert read(agent, action)["status"] == "answered"


def test_an_effect_happens_once(agent, approver_api, home):
    first = approved(agent, approver_api, home)
    second = approved(agent, approver_api, home, key="k2")
    claimed = claim(agent, first).json()

    refused = claim(agent, second)
    report(agent, first, claimed["fence"])
    third = ask(agent, home, key="k3")

    assert (refused.status_code, refused.json()["code"]) == (409, "effect_exists")
    assert (third.status_code, third.json()["action"]) == (409, first["id"])


def test_a_lease_without_an_outcome_asks_a_person(agent, approver_api, home):
    action = approved(agent, approver_api, home)
    claim(agent, action)
    AgentAction.objects.update(lease_expires_at=Now())

    assert close_overdue_actions() == 1
    unknown = read(agent, action)
    assert (unknown["status"], claim(agent, action).status_code) == ("unknown", 409)
    answered = decide(approver_api, unknown, "answer", content="allow_once_more")
    assert answered.status_code == 201, answered.json()
    again = claim(agent, read(agent, action))

    assert again.json()["fence"] == 2
    assert report(agent, action, 1).json()["code"] == "lease_lost"
    assert report(agent, action, 2).json()["status"] == "succeeded"


def test_a_late_report_still_says_how_it_ended(agent, approver_api, home):
    action = approved(agent, approver_api, home)
    fence = claim(agent, action).json()["fence"]
    AgentAction.objects.update(lease_expires_at=Now())
    close_overdue_actions()

    late = report(agent, action, fence, "not_executed")

    assert late.json()["status"] == "not_executed"
    assert not HitlRequest.objects.filter(status="pending").exists()


def test_a_late_success_ends_what_was_allowed_once_more(agent, approver_api, home):
    action = approved(agent, approver_api, home)
    fence = claim(agent, action).json()["fence"]
    AgentAction.objects.update(lease_expires_at=Now())
    close_overdue_actions()
    decide(approver_api, read(agent, action), "answer", content="allow_once_more")

    failed = report(agent, action, fence, "failed")
    late = report(agent, action, fence, "succeeded", result="r-9")
    again = report(agent, action, fence, "succeeded", result="r-9")

    assert failed.json()["code"] == "already_reported"
    assert (late.json()["status"], again.json()["status"]) == ("succeeded", "succeeded")
    assert claim(agent, action).json()["code"] == "already_claimed"
    assert ask(agent, home, "k2").json()["code"] == "effect_exists"


def test_what_changed_since_the_approval_refuses_the_claim(
    agent, approver_api, owner, staff, client_of, home
):
    action = approved(agent, approver_api, home, precondition={"etag": "1"})

    stop(staff)
    assert claim(agent, action, precondition={"etag": "1"}).json()["code"] == "stopped"
    release(staff)
    assert claim(agent, action).json()["code"] == "precondition_changed"
    assert claim(agent, action, precondition={"etag": "2"}).status_code == 409
    assert claim(agent, action, action_digest="sha256:0").json()["code"] == "subject_changed"
    client_of(owner).post(f"/api/v1/projects/{home.pk}/pause/")
    assert claim(agent, action, precondition={"etag": "1"}).json()["next_action"] == "retry"
    client_of(owner).post(f"/api/v1/projects/{home.pk}/resume/")
    AgentAction.objects.update(approved_until=Now())
    expired = claim(agent, action, precondition={"etag": "1"})
    assert (expired.status_code, expired.json()["code"]) == (410, "approval_expired")
    assert read(agent, action)["status"] == "expired"


@pytest.mark.parametrize(
    "rules",
    [{"required_approvals": 2}, {"roles_by_kind": {"action_approval": ["owner"]}}],
)
def test_stricter_rules_refuse_the_claim(agent, approver_api, home, rules):
    action = approved(agent, approver_api, home)
    set_policy(home, **rules)

    refused = claim(agent, action)

    assert (refused.status_code, refused.json()["code"]) == (403, "policy_denied")
    assert refused.json()["next_action"] == "request"
    set_policy(home, required_approvals=1, roles_by_kind={})
    assert claim(agent, action).status_code == 200


def test_a_standing_approval_ends_with_its_givers_membership(agent, approver, approver_api, home):
    follow_up = {"follow_up": {"count": 5, "bounds": {"type": "object"}}}
    decide(approver_api, asked(agent, home), content=follow_up)
    covered = ask(agent, home, key="k2", effect="").json()
    home.memberships.filter(user=approver).delete()

    assert claim(agent, covered).json()["code"] == "policy_denied"
    assert ask(agent, home, key="k3", effect="").status_code == 202


def test_without_its_key_an_approved_call_waits_for_its_grant(
    agent, approver_api, home, settings, tmp_path
):
    action = approved(agent, approver_api, home)
    settings.GRANT_KEY_FILE = str(tmp_path)

    refused = claim(agent, action).json()
    settings.GRANT_KEY_FILE = str(tmp_path / "grants.json")

    assert (refused["code"], refused["next_action"]) == ("grant_pending", "retry")
    assert claim(agent, action).json()["grant"]


def test_a_superseded_action_shows_what_changed_to_who_may_read_it(
    agent, approver_api, owner, client_of, home
):
    writer = Actor.of_user(owner)
    prices = create_artifact(
        project_id=home.pk,
        actor=writer,
        artifact_type="user_input",
        title="Prices",
        content={"text": "A parcel costs 5."},
    )
    based_on = [{"artifact": str(prices.pk), "version": 1}]
    action = approved(agent, approver_api, home, based_on=based_on)
    assert action["changed"] == []
    add_version(artifact_id=prices.pk, actor=writer, content={"text": "A parcel costs 6."})

    assert claim(agent, action).json()["code"] == "subject_changed"

    (changed,) = read(agent, action)["changed"]
    assert changed == based_on[0] | {"newest": 2, "diff": None}
    (changed,) = read(approver_api, action)["changed"]
    diff = client_of(owner).get(f"/api/v1/artifacts/{prices.pk}/diff/?from=1&to=2").json()
    assert changed["diff"] == diff
    assert "changed" not in agent.get("/api/v1/actions/").json()["results"][0]


def test_a_revoked_credential_asks_and_claims_nothing(
    agent, credential, approver_api, home, owner, client_of
):
    action = approved(agent, approver_api, home)
    path = f"/api/v1/projects/{home.pk}/credentials/{credential['id']}/"
    assert client_of(owner).delete(path).status_code == 204
    assert claim(agent, action).status_code == 401


CHANGED = ['{"amount":9999,"currency":"EUR","order":"1234"}', "no JSON"]


@pytest.mark.parametrize("arguments", CHANGED)
def test_changed_arguments_behind_our_back_are_not_handed_out(agent, approver_api, home, arguments):
    action = approved(agent, approver_api, home)
    AgentAction.objects.update(arguments=arguments)

    for _ in range(2):
        refused = claim(agent, action)
        assert (refused.status_code, refused.json()["code"]) == (409, "integrity")
    assert Event.objects.filter(project=home.pk, event_type="system_error").count() == 1


@pytest.mark.parametrize("arguments", CHANGED)
def test_changed_arguments_cannot_be_decided_on(agent, approver_api, home, arguments):
    action = asked(agent, home)
    path = f"/api/v1/hitl/requests/{action['request']}/"
    digest = approver_api.get(path).json()["subject_digest"]
    AgentAction.objects.update(arguments=arguments)

    shown = approver_api.get(path).json()
    body = {"action": "approve", "subject_digest": digest}
    refused = approver_api.post(f"{path}decisions/", body)

    assert shown["can_decide"]["code"] == "integrity"
    assert shown["integrity"][0]["what"] == "call"
    assert (refused.status_code, refused.json()["code"]) == (409, "integrity")
    assert Event.objects.filter(project=home.pk, event_type="system_error").count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"a": 1, "a": 2}', "repeated_name"),
        ('{"a": 9007199254740993}', "number_not_exact"),
        ('{"a": 0.1000000000000000055}', "number_not_exact"),
        ('{"a": 1e400}', "number_not_exact"),
        ('{"a": 1e16}', "number_not_exact"),
        ('{"a": [-1e20]}', "number_not_exact"),
        ('{"a": 0e99999999999999999999}', "number_not_exact"),
        ('{"a": NaN}', "number_not_exact"),
        ('{"a": "\\u0000"}', "text_not_storable"),
        ('{"a": "\\ud800"}', "text_not_storable"),
    ],
)
def test_what_does_not_survive_is_refused(agent, home, body, code):
    text = json.dumps(CALL | {"arguments": "@"}).replace('"@"', body)
    path = f"/api/v1/projects/{home.pk}/actions/"
    answer = agent.post(
        path, text, content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_what_is_too_large_or_unknown_is_refused(agent, home):
    large = ask(agent, home, arguments={"text": "x" * 256 * 1024})
    unknown = ask(agent, home, tool=CALL["tool"] | {"colour": "red"})

    assert (large.status_code, large.json()["code"]) == (422, "too_large")
    assert unknown.status_code == 400
    assert unknown.json()["errors"][0] | {"detail": ""} == {
        "field": "tool.colour",
        "code": "unknown_field",
        "detail": "",
    }
    assert not AgentAction.objects.exists()


def test_time_denies_or_holds_and_never_approves(agent, home):
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    denied = asked(agent, home, expires_at=soon)
    held = asked(agent, home, "k2", effect="", expires_at=soon, on_expiry="hold")
    HitlRequest.objects.filter(expires_at__isnull=False).update(expires_at=Now())
    HitlRequest.objects.update(due_at=Now())

    apply_deadlines()

    assert read(agent, denied)["status"] == "expired"
    assert read(agent, held)["status"] == "pending"
    assert claim(agent, denied).json()["code"] == "approval_expired"
    assert claim(agent, held).json()["code"] == "not_approved"


def test_a_credential_of_another_project_sees_nothing(agent, make_project, owner, client_of, home):
    action = asked(agent, home)
    other = make_project(workflow="none", auto_start=True)
    stranger = agent_with(make_credential(other, client_of(owner))["token"])
    assert stranger.get(f"/api/v1/actions/{action['id']}/").status_code == 404
    assert claim(stranger, action).status_code == 404
    assert ask(stranger, home).status_code == 404


def test_a_standing_approval_covers_so_many_calls_within_its_bounds(agent, approver_api, home):
    action = asked(agent, home)
    bounds = {"type": "object", "properties": {"amount": {"maximum": 20}}, "required": ["amount"]}
    follow_up = {"follow_up": {"count": 1, "bounds": bounds}}
    assert decide(approver_api, action, content=follow_up).status_code == 201

    covered = ask(agent, home, key="k2", effect="refund:2")
    used_up = ask(agent, home, key="k3", effect="refund:3")
    outside = ask(agent, home, key="k4", effect="refund:4", arguments={"amount": 21})

    assert (covered.status_code, covered.json()["status"]) == (201, "approved")
    assert covered.json()["rule"] is not None
    assert (used_up.status_code, outside.status_code) == (202, 202)


def test_a_grant_is_verified_offline(agent, approver_api, home, settings, tmp_path, client):
    settings.GRANT_KEY_FILE = str(tmp_path / "keys" / "grants.json")
    action = approved(agent, approver_api, home)

    grant = claim(agent, action).json()["grant"]

    keys = client.get("/.well-known/paraph/jwks.json").json()["keys"]
    assert all("d" not in key for key in keys)
    claims = jwt.decode(grant, jwt.PyJWK(keys[0]), algorithms=["EdDSA"], audience="payments/refund")
    assert claims["digest"] == action["action_digest"]
    assert claims["jti"] == action["id"]
    assert claims["approved_by"][0]["id"].startswith("user:")


def test_a_grant_names_nobody_who_approved_other_arguments(
    agent, approver, approver_api, owner, client_of, home, settings, tmp_path
):
    settings.GRANT_KEY_FILE = str(tmp_path / "grants.json")
    other = make_user("other")
    add_member(project_id=home.pk, actor=Actor.of_user(owner), user=other, role="approver")
    third = make_user("third")
    add_member(project_id=home.pk, actor=Actor.of_user(owner), user=third, role="approver")
    action = asked(agent, home)
    HitlRequest.objects.update(required_approvals=2)
    decide(approver_api, action)
    decide(client_of(other), action, "amend", content=ARGUMENTS | {"amount": 10})
    decide(client_of(third), read(agent, action))

    grant = claim(agent, read(agent, action)).json()["grant"]

    claims = jwt.decode(grant, options={"verify_signature": False})
    named = {person["id"] for person in claims["approved_by"]}
    assert named == {f"user:{other.pk}", f"user:{third.pk}"}


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_one_wins(agent, approver_api, home, credential):
    action = approved(agent, approver_api, home)
    codes = []

    def one_claim():
        codes.append(claim(agent_with(credential["token"]), action).status_code)
        connection.close()

    threads = [threading.Thread(target=one_claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, *[409] * 19]


def test_a_home_of_actions_is_completed_by_its_owner(owner, client_of, home, agent):
    action = asked(agent, home)
    answer = client_of(owner).post(f"/api/v1/projects/{home.pk}/complete/")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert read(agent, action)["status"] == "cancelled"
    assert ask(agent, home, key="k2").json()["code"] == "project_not_active"
