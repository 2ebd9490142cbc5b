"""Other systems learn of each event, in order, signed, whatever happens in between."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from audit.actors import Actor
from audit.models import Event, Stream
from core.failpoints import FailpointError
from notifications import http_client
from notifications.channels import webhook as channel
from notifications.cursor import read_logs
from notifications.http_client import ForbiddenAddress, NotDelivered, post
from notifications.models import Cursor, Webhook, WebhookDelivery, retry_delay
from notifications.webhooks import create_webhook
from orchestrator.engine.erasure import erase_project
from projects.models import Project
from projects.services import (
    cancel_project,
    create_project,
    pause_project,
    resume_project,
    start_project,
)
from tests.scenes import types_of
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def hook(project, owner, receiver):
    """A webhook to the receiver; its secret is in `hook.plain`."""
    actor = Actor.of_user(owner)
    webhook, secret = create_webhook(project_id=project.pk, actor=actor, url=receiver.url)
    webhook.plain = secret
    return webhook


def let_pass(time):
    """As if everything had happened so much earlier."""
    Webhook.objects.update(next_attempt_at=Now() - HOUR, leased_until=None)
    for delivery in WebhookDelivery.objects.all():
        delivery.retry_until -= time
        delivery.save()


def happen(project, owner, times=2):
    actor = Actor.of_user(owner)
    start_project(project_id=project.pk, actor=actor)
    for _ in range(times):
        pause_project(project_id=project.pk, actor=actor)
        resume_project(project_id=project.pk, actor=actor)


def expected_ids(project, webhook):
    events = Event.objects.filter(project=project.pk, sequence__gt=webhook.after)
    return [f"evt_{event.epoch}_{event.sequence}" for event in events.order_by("sequence")]


def api_of(client, project, more=""):
    return f"/api/v1/projects/{project.pk}/webhooks/{more}"


def test_every_event_arrives_once_in_order_and_verifies(project, owner, hook, receiver, tell):
    happen(project, owner)

    assert tell() == len(receiver.messages)
    assert tell() == 0
    assert receiver.ids == expected_ids(project, hook)
    headers, body = receiver.messages[0]
    event = Verifier(hook.plain).verify(body, headers)
    first = Event.objects.get(project=project.pk, sequence=hook.after + 1)
    assert headers["content-type"] == "application/cloudevents+json"
    assert event["specversion"] == "1.0"
    assert event["id"] == headers["webhook-id"]
    assert event["source"] == f"urn:paraph:project:{project.pk}"
    assert event["type"] == f"paraph.{first.event_type}"
    assert event["data"]["hash"] == first.hash
    with pytest.raises(WebhookVerificationError):
        Verifier(hook.plain).verify(body + b" ", headers)


def test_a_receiver_that_was_down_for_an_hour_gets_all_of_it_with_the_same_ids(
    project, owner, hook, receiver, tell
):
    receiver.status = 503
    happen(project, owner)
    for _ in range(4):
        tell()
        let_pass(HOUR / 4)
    tried = set(receiver.ids)
    hook.refresh_from_db()
    assert (len(tried), hook.failures) == (1, 4)
    assert hook.failing_since is not None

    receiver.messages.clear()
    receiver.status = 200
    tell()

    assert receiver.ids == expected_ids(project, hook)
    assert tried == {receiver.ids[0]}
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (0, None)


def test_logs_with_nothing_of_interest_are_passed_over_all_at_once(project, owner):
    def read():
        with CaptureQueriesContext(connection) as queries:
            read_logs()
        heads = Stream.objects.filter(project__in=Project.objects.values("pk"))
        assert dict(heads.values_list("project", "sequence")) == dict(
            Cursor.objects.values_list("project", "sequence")
        )
        return len(queries)

    for_one = read()
    for number in range(5):
        create_project(actor=Actor.of_user(owner), name=f"P{number}", brief="B.", auto_start=False)

    assert read() == for_one


def test_what_follows_on_what_was_passed_over_is_told(project, owner, receiver, tell):
    actor = Actor.of_user(owner)
    tell()
    types = ["project_paused"]
    create_webhook(project_id=project.pk, actor=actor, url=receiver.url, event_types=types)
    tell()
    start_project(project_id=project.pk, actor=actor)
    tell()
    assert receiver.messages == []

    pause_project(project_id=project.pk, actor=actor)
    resume_project(project_id=project.pk, actor=actor)
    tell()

    (event,) = Event.objects.filter(project=project.pk, event_type="project_paused")
    assert receiver.ids == [f"evt_{event.epoch}_{event.sequence}"]


def test_a_death_between_reading_and_writing_down_loses_nothing(
    project, owner, hook, receiver, tell, monkeypatch
):
    happen(project, owner)

    def die(*_, **__):
        raise FailpointError

    monkeypatch.setattr(Cursor, "save", die)
    with pytest.raises(FailpointError):
        read_logs()
    assert WebhookDelivery.objects.count() == 0
    monkeypatch.undo()
    tell()

    assert receiver.ids == expected_ids(project, hook)


def test_a_death_after_sending_repeats_it_with_the_same_id(
    project, owner, hook, receiver, tell, monkeypatch
):
    happen(project, owner)

    def die(point):
        raise FailpointError(point)

    read_logs()
    monkeypatch.setattr(channel, "failpoint", die)
    with pytest.raises(FailpointError):
        channel.send(float("inf"))
    monkeypatch.undo()
    Webhook.objects.update(leased_until=None)
    tell()

    first, *rest = receiver.ids
    assert rest == expected_ids(project, hook)
    assert first == rest[0]


def test_a_lease_keeps_other_processes_away(project, owner, hook, receiver, tell):
    happen(project, owner)
    Webhook.objects.update(leased_until=Now() + HOUR)

    assert tell() == 0
    assert receiver.messages == []


def test_after_a_day_it_is_given_up_and_can_be_sent_again(
    project, owner, hook, receiver, tell, client_of
):
    receiver.status = 500
    happen(project, owner)
    tell()
    let_pass(DAY)
    tell()
    api = client_of(owner)
    shown = api.get(api_of(api, project)).json()["results"][0]
    assert (shown["pending"], shown["dead"]) == (0, len(expected_ids(project, hook)))

    receiver.messages.clear()
    receiver.status = 200
    last = api.get(api_of(api, project, f"{hook.pk}/deliveries/")).json()["results"][0]
    again = api.post(api_of(api, project, f"{hook.pk}/deliveries/{last['id']}/send-again/"))
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    twice = api.post(api_of(api, project, f"{hook.pk}/deliveries/{last['id']}/send-again/"))
    assert (twice.status_code, twice.json()["code"]) == (409, "not_dead")
    tell()
    assert receiver.ids == [last["webhook_id"]]
    api.post(api_of(api, project, f"{hook.pk}/send-again/"))
    tell()
    assert sorted(receiver.ids) == sorted(expected_ids(project, hook))


def test_a_message_that_is_refused_does_not_hold_up_the_others_for_ever(
    project, owner, hook, receiver, tell
):
    receiver.status = 422
    happen(project, owner, times=0)
    for _ in range(5):
        tell()
        let_pass(timedelta())
    receiver.status = 200
    tell()

    statuses = [d.status for d in WebhookDelivery.objects.order_by("sequence")]
    assert statuses[0] == "dead"
    assert set(statuses[1:]) == {"sent"}


def test_410_turns_it_off_and_an_owner_turns_it_on(project, owner, hook, receiver, tell, client_of):
    receiver.status = 410
    happen(project, owner)
    tell()
    api = client_of(owner)
    shown = api.get(api_of(api, project)).json()["results"][0]

    assert len(receiver.messages) == 1
    assert shown["disabled_at"]
    assert shown["pending"] == 0
    assert "webhook_disabled" in types_of(project.pk)
    refused = api.post(api_of(api, project, f"{hook.pk}/test/"))
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert api.post(api_of(api, project, f"{hook.pk}/enable/")).json()["disabled_at"] is None
    receiver.status = 200
    tell()
    assert len(receiver.messages) == 1
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))
    tell()
    assert len(receiver.messages) > 1


def test_a_test_is_sent_before_what_waits_and_tried_once(
    project, owner, hook, receiver, tell, client_of
):
    receiver.status = 500
    happen(project, owner)
    tell()
    receiver.messages.clear()
    api = client_of(owner)

    made = api.post(api_of(api, project, f"{hook.pk}/test/"))
    tell()

    assert made.status_code == 202
    assert receiver.ids[0] == made.json()["webhook_id"]
    assert json.loads(receiver.messages[0][1])["type"] == "paraph.webhook_test"
    assert WebhookDelivery.objects.get(pk=made.json()["id"]).status == "dead"


def test_both_secrets_sign_for_a_day_after_a_rotation(
    project, owner, hook, receiver, tell, client_of
):
    api = client_of(owner)
    new = api.post(api_of(api, project, f"{hook.pk}/rotate/")).json()["secret"]
    happen(project, owner, times=0)
    tell()
    headers, body = receiver.messages[-1]
    for secret in (hook.plain, new):
        assert Verifier(secret).verify(body, headers)

    Webhook.objects.update(previous_until=Now() - HOUR)
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))
    tell()
    headers, body = receiver.messages[-1]
    assert Verifier(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(hook.plain).verify(body, headers)


def test_secrets_are_shown_once_and_stored_encrypted(project, owner, receiver, client_of):
    api = client_of(owner)
    made = api.post(api_of(api, project), {"url": receiver.url}).json()

    assert made["secret"].startswith("whsec_")
    assert "secret" not in api.get(api_of(api, project)).json()["results"][0]
    assert made["secret"].removeprefix("whsec_") not in Webhook.objects.get().secret
    assert receiver.url not in json.dumps([e.data for e in Event.objects.all()])


def test_it_is_told_of_the_chosen_events_only(project, owner, receiver, tell):
    create_webhook(
        project_id=project.pk,
        actor=Actor.of_user(owner),
        url=receiver.url,
        event_types=["project_paused"],
    )
    happen(project, owner)
    tell()

    types = [json.loads(body)["type"] for _, body in receiver.messages]
    assert types == ["paraph.project_paused"] * 2


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "url", "required"),
        ({"url": "ftp://example.org/"}, "url", "invalid"),
        ({"url": "https://user:word@example.org/"}, "url", "invalid"),
        ({"url": "https://[::1"}, "url", "invalid"),
        ({"url": f"https://{'a' * 64}.example.org/"}, "url", "invalid"),
        ({"url": "https://example..org/"}, "url", "invalid"),
        ({"url": "https://example.org:99999/"}, "url", "invalid"),
        ({"url": "http://localhost:8000/"}, "url", "address_forbidden"),
        ({"url": "http://169.254.169.254/latest/"}, "url", "address_forbidden"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url", "address_forbidden"),
        (
            {"url": "http://2130706433/", "event_types": ["nonsense"]},
            "event_types",
            "invalid_choice",
        ),
    ],
)
def test_bad_input_names_its_field(project, owner, client_of, body, field, code):
    api = client_of(owner)
    answer = api.post(api_of(api, project), body)

    assert answer.status_code == 400, answer.json()
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"),  # noqa: S104
        *(
            "::1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "::ffff:192.168.0.1",
            "64:ff9b::7f00:1",
            "2002:a00:1::",
        ),
    ],
)
def test_what_a_name_leads_to_is_checked_when_it_is_connected(monkeypatch, address):
    found = [(0, 0, 0, "", (address, 80))]
    monkeypatch.setattr(http_client.socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(ForbiddenAddress):
        post("http://rebound.example.org/", b"", {})


@pytest.mark.parametrize("host", [f"{'a' * 64}.example.org", "example..org"])
def test_a_name_that_no_host_can_have_is_an_answer_like_any_other(host):
    with pytest.raises(NotDelivered, match="there is no host"):
        post(f"http://{host}/", b"", {})


def test_a_redirect_is_not_followed(project, owner, hook, receiver, tell):
    receiver.status, receiver.answer = 307, {"location": "http://127.0.0.1:1/"}
    happen(project, owner, times=0)
    tell()

    assert len(receiver.messages) == 1
    assert "redirects are not followed" in WebhookDelivery.objects.earliest("sequence").error


def test_a_receiver_that_sends_byte_after_byte_is_given_up(settings, receiver, monkeypatch):
    monkeypatch.setattr(http_client, "TOTAL_SECONDS", 0.0)

    with pytest.raises(NotDelivered, match="no answer within"):
        post(receiver.url, b"", {})


def test_only_an_owner_has_to_do_with_them(project, hook, client_of, approver, outsider):
    for user, status in ((approver, 403), (outsider, 404)):
        api = client_of(user)
        paths = [api_of(api, project, more) for more in ("", f"{hook.pk}/deliveries/")]
        assert [api.get(path).status_code for path in paths] == [status] * 2
        posts = [("", {"url": "https://example.org/"})]
        posts += [(f"{hook.pk}/{verb}/", {}) for verb in ("test", "rotate", "enable", "send-again")]
        answers = [api.post(api_of(api, project, more), body) for more, body in posts]
        answers.append(api.delete(api_of(api, project, f"{hook.pk}/")))
        assert {answer.status_code for answer in answers} == {status}


def test_an_erased_project_tells_nobody_any_more(project, owner, hook, receiver, tell):
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))
    erase_project(project_id=project.pk, actor=Actor.of_user(owner), reason="Asked for.")
    tell()

    assert receiver.messages == []
    assert not WebhookDelivery.objects.exists()
    assert Webhook.objects.get().url == "[erased]"


def test_deleting_it_is_recorded_and_ends_it(project, owner, hook, receiver, tell, client_of):
    happen(project, owner, times=0)
    api = client_of(owner)

    assert api.delete(api_of(api, project, f"{hook.pk}/")).status_code == 204
    assert api.delete(api_of(api, project, f"{hook.pk}/")).status_code == 404
    tell()
    assert receiver.messages == []
    assert types_of(project.pk)[-1] == "webhook_deleted"


def test_the_pause_between_attempts_grows_to_ten_minutes():
    pauses = [retry_delay(attempts).total_seconds() for attempts in range(1, 30)]

    assert 4 < pauses[0] < 6
    assert all(500 < pause < 700 for pause in pauses[6:])


def test_an_owner_makes_tries_and_deletes_one_on_the_page(project, owner, receiver, tell):
    client, path = logged_in(owner), f"/admin/projects/project/{project.pk}/webhooks/"
    made = client.post(path, {"verb": "create", "url": receiver.url})
    webhook = Webhook.objects.get()
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in client.get(path).content.decode()

    client.post(path, {"verb": "test", "webhook": webhook.pk})
    tell()
    assert receiver.ids[0].startswith("evt_")
    assert "A test" in client.get(path).content.decode()
    refused = client.post(path, {"verb": "create", "url": "http://10.0.0.1/"})
    assert refused.status_code == 400
    assert "not an address of the internet" in refused.content.decode()
    client.post(path, {"verb": "delete", "webhook": webhook.pk})
    assert not Webhook.objects.exists()


def test_the_page_is_for_owners(project, approver, outsider):
    path = f"/admin/projects/project/{project.pk}/webhooks/"
    answers = [logged_in(user).get(path).status_code for user in (approver, outsider)]

    assert answers == [403, 404]
