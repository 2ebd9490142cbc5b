"""Whoever could decide learns of it by mail: once, in words that hold, when they want to."""

import smtplib
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Profile
from audit.models import LogVerification
from core.failpoints import FailpointError
from hitl.services import apply_deadlines
from notifications import personal
from notifications.channels.email import Email
from notifications.cursor import read_logs
from notifications.models import LocalMail, Notification, Preferences
from notifications.people import raise_alarms
from notifications.preferences import when_to_send
from ops.metrics.state import count_notifications
from tests.mail_server import mail_server
from tests.scenes import (
    agent_returns,
    ask_of_agent,
    asked,
    decide_as,
    let_pass,
    set_policy,
    stop,
    work,
)
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db

PREFERENCES = "/api/v1/notifications/preferences/"
HOUR = 3600


@pytest.fixture(autouse=True)
def addresses(owner, approver, viewer, outsider):
    for user in (owner, approver, viewer, outsider):
        user.email = f"{user.username}@example.org"
        user.save()


@pytest.fixture
def lost(monkeypatch):
    """The mail server is away until somebody calls it."""

    def away(*_):
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    return monkeypatch.undo


def recipients():
    return sorted(message.to[0].split("@")[0] for message in mail.outbox)


def test_those_who_can_decide_are_told_of_a_request(project, approver, tell):
    request = asked(project)
    tell()
    tell()

    assert recipients() == ["approver", "owner"]
    message = next(m for m in mail.outbox if m.to == [approver.email])
    html = message.alternatives[0].content
    for text in (message.body, html):
        assert f"/admin/hitl/hitlrequest/{request.pk}/change/" in text
        assert "First ask" not in message.subject
        assert "Ask" in text
    assert message.subject == f"Library: {request.title}"
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_times_are_those_of_the_persons_own_clock(project, approver, tell):
    Profile.objects.create(user=approver, time_zone="Asia/Kolkata")
    request = asked(project)
    tell()

    message = next(m for m in mail.outbox if m.to == [approver.email])
    local = request.created_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"Asked at: {local:%Y-%m-%d %H:%M} IST" in message.body


def test_who_may_not_decide_is_not_told(project, owner, approver, tell):
    set_policy(project, roles_by_kind={"plan_approval": ["owner"]})
    asked(project)
    tell()

    assert recipients() == ["owner"]
    assert Notification.objects.get(user=approver).status == "dropped"


def test_what_is_settled_meanwhile_is_not_sent(project, owner, approver, tell):
    request = asked(project)
    read_logs()
    decide_as(owner, request)
    tell()

    assert recipients() == []
    assert {n.status for n in Notification.objects.filter(kind="request")} == {"dropped"}


def test_text_of_agents_is_escaped_and_cuts_are_marked(project, tell):
    agent_returns(project, work(body=f"<img src=x>\u202eevil {'long ' * 1000}"))
    tell()

    message = mail.outbox[0]
    html = message.alternatives[0].content
    assert "&lt;img" in html
    assert "<img" not in html
    for text in (message.body, html):
        assert "\u202e" not in text
        assert "U+202E" in text
        assert "more characters are cut off here: read all of it before you decide" in text


def test_the_card_of_a_call_is_in_the_message_whole(make_project, approver, owner, tell):
    project = make_project(workflow="none", auto_start=True)
    order, extra = {"order": "1", "note": "\u202e"}, {"hints": {"destructiveHint": True}}
    first = ask_of_agent(project, owner, order).requests.get()
    decide_as(approver, first, "reject", comment="Not this one.")
    call = {"effect": "refund:1\nagent: boss", "why": "It was lost.\ntool: none"}
    ask_of_agent(project, owner, order, "k2", **call, **extra)
    tell()

    lines = [line.strip(" |") for line in mail.outbox[0].body.splitlines()]
    for line in (
        "It may delete or overwrite.",
        "tool: refund",
        "server: payments",
        'effect: "refund:1\\nagent: boss"',
        '"note": "‹U+202E›",',
        "the same arguments",
        "> tool: none",
    ):
        assert line in lines
    assert any(line.startswith("the same call before") and "Not this" in line for line in lines)
    assert "cut off" not in mail.outbox[0].body
    ask_of_agent(project, owner, {"note": "long " * 1000}, "k3")
    mail.outbox.clear()
    tell()
    assert "more characters are cut off here: read all of it before" in mail.outbox[0].body


def test_reminders_overdue_and_escalation_follow(project, tell):
    set_policy(project, remind_after=HOUR, due_after=2 * HOUR, expire_after=3 * HOUR,
               on_timeout="escalate")  # fmt: skip
    request = asked(project)
    for _ in range(3):
        let_pass(request, HOUR)
        apply_deadlines()
        request.refresh_from_db()
    mail.outbox.clear()
    read_logs()
    kinds = set(Notification.objects.values_list("kind", flat=True))
    tell()

    assert {"request", "reminder", "overdue", "escalation"} <= kinds
    # By now only an owner can decide, so nobody else is told.
    assert set(recipients()) == {"owner"}


def test_a_stop_is_told_to_others_than_who_did_it(project, owner, tell):
    asked(project)
    tell()
    mail.outbox.clear()
    stop(owner, project_id=project.pk)
    tell()

    assert recipients() == ["approver"]
    assert "Emergency stop by owner" in mail.outbox[0].body


def test_a_failed_project_is_told_with_the_reason(project, owner, tell):
    request = asked(project)
    tell()
    mail.outbox.clear()
    decide_as(owner, request, "reject", comment="It costs too much.")
    tell()

    assert "approver" in recipients()
    assert any("It costs too much." in message.body for message in mail.outbox)


def test_a_log_that_does_not_hold_is_told_to_owners_and_operators_once_a_day(project, staff, tell):
    staff.email = "staff@example.org"
    staff.save()
    LogVerification.objects.create(
        subject=str(project.pk), problem="the log is broken at event 3", verified_at=Now()
    )
    for _ in range(2):
        raise_alarms()
    tell()

    assert recipients() == ["owner", "staff"]
    assert "broken at event 3" in mail.outbox[0].body


def test_a_mail_server_that_is_away_gets_it_later_under_the_same_id(project, tell, lost):
    asked(project)
    tell()
    row = Notification.objects.filter(attempts=1).get()
    assert "not reached" in row.error
    assert row.run_at > timezone.now()

    lost()
    Notification.objects.update(run_at=Now() - timedelta(hours=1))
    tell()
    assert recipients() == ["approver", "owner"]
    assert len({m.extra_headers["Message-ID"] for m in mail.outbox}) == 2


def test_a_death_after_sending_repeats_it_under_the_same_id(project, tell, monkeypatch):
    asked(project)

    def die(point):
        raise FailpointError(point)

    read_logs()
    monkeypatch.setattr(personal, "failpoint", die)
    with pytest.raises(FailpointError):
        Email().send(float("inf"))
    monkeypatch.undo()
    Notification.objects.update(leased_until=None)
    tell()

    ids = [m.extra_headers["Message-ID"] for m in mail.outbox]
    assert (len(ids), len(set(ids))) == (3, 2)


def test_after_a_day_it_is_given_up_and_the_person_sends_it_again(project, owner, tell, lost):
    asked(project)
    tell()
    Notification.objects.update(retry_until=Now(), run_at=Now() - timedelta(hours=1))
    tell()
    tell()
    dead = Notification.objects.get(user=owner)
    assert dead.status == "dead"

    lost()
    owner.is_staff = True
    owner.save()
    client = logged_in(owner)
    assert "Send again" in client.get("/admin/notifications/").content.decode()
    client.post(f"/admin/notifications/{dead.pk}/send-again/")
    tell()
    assert recipients() == ["owner"]


def test_an_address_that_is_refused_is_given_up_at_once(project, tell, monkeypatch):
    def refuse(self, messages):
        raise smtplib.SMTPRecipientsRefused({messages[0].to[0]: (550, b"no such mailbox")})

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    asked(project)
    tell()

    assert {n.status for n in Notification.objects.all()} == {"dead"}


def test_a_digest_is_one_mail_at_its_hour(project, owner, approver, tell):
    Preferences.objects.create(user=owner, kinds={"request": "digest", "stop": "digest"})
    asked(project, "result_approval")
    asked(project, "result_approval")
    tell()
    assert recipients() == ["approver", "approver"]

    Notification.objects.update(run_at=Now() - timedelta(hours=1))
    tell()
    assert recipients() == ["approver", "approver", "owner"]
    digest = mail.outbox[-1]
    assert digest.subject == "Paraph: 2 things since you were last told"
    assert digest.body.count("/admin/hitl/hitlrequest/") == 2


def test_what_is_told_later_is_tried_for_a_day_from_then_on(project, owner, tell):
    Preferences.objects.create(user=owner, kinds={"request": "digest"})
    asked(project)
    tell()

    row = Notification.objects.get(user=owner)
    assert row.retry_until - row.run_at == timedelta(days=1)


def test_how_long_something_waits_is_counted_through_all_attempts(project, tell, lost):
    asked(project)
    tell()
    assert Notification.objects.filter(attempts=1, run_at__gt=Now()).exists()
    Notification.objects.update(retry_until=F("retry_until") - timedelta(hours=1))

    rows = {row[:2]: row[2:] for row in count_notifications().facts["rows"]}
    count, age = rows["email", "pending"]
    assert (count, 3600 <= age < 7200) == (2, True)


@pytest.mark.parametrize(
    ("local", "wanted"),
    [
        # Vienna is an hour ahead of UTC in winter, two in summer.
        ("2026-11-29 21:59", ("2026-11-29 21:59", False)),
        ("2026-11-29 22:00", ("2026-11-30 07:00", True)),
        ("2026-11-30 06:59", ("2026-11-30 07:00", True)),
        ("2026-03-28 23:30", ("2026-03-29 07:00", True)),
    ],
)
def test_quiet_hours_are_those_of_the_persons_own_clock(local, wanted):
    vienna = ZoneInfo("Europe/Vienna")
    preferences = Preferences(quiet_from=time(22), quiet_until=time(7))
    now = datetime.fromisoformat(local).replace(tzinfo=vienna)

    run_at, batch = when_to_send(preferences, "request", vienna, now)

    assert (f"{run_at.astimezone(vienna):%Y-%m-%d %H:%M}", bool(batch)) == wanted


def test_preferences_are_ones_own_and_kept_by_kind(owner, client_of):
    Profile.objects.create(user=owner, time_zone="Europe/Vienna")
    api = client_of(owner)
    before = api.get(PREFERENCES).json()
    assert before["kinds"]["reminder"] == "at_once"
    changes = {"kinds": {"stop": "off"}, "quiet_from": "22:00", "quiet_until": "06:30"}
    api.patch(PREFERENCES, changes)
    api.patch(PREFERENCES, {"kinds": {"failure": "digest"}, "digest_hour": 17})
    after = api.get(PREFERENCES).json()

    assert after == before | {
        "kinds": before["kinds"] | {"stop": "off", "failure": "digest"},
        "quiet_from": "22:00",
        "quiet_until": "06:30",
        "digest_hour": 17,
    }
    assert (after["time_zone"], after["email"]) == ("Europe/Vienna", owner.email)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kinds": {"nonsense": "off"}}, "kinds"),
        ({"kinds": {"stop": "sometimes"}}, "kinds.stop"),
        ({"digest_hour": 24}, "digest_hour"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "25:00", "quiet_until": "06:00"}, "quiet_from"),
        ({"quiet_from": "06:00", "quiet_until": "06:00"}, "quiet_until"),
        ({"by_email": "no"}, "by_email"),
    ],
)
def test_bad_preferences_name_their_field(owner, client_of, body, field):
    answer = client_of(owner).patch(PREFERENCES, body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_without_a_mail_server_operators_read_the_mails_on_a_page(
    project, owner, staff, settings, tell
):
    settings.EMAIL_BACKEND = settings.OUTBOX_BACKEND
    owner.email = ""
    owner.save()
    request = asked(project)
    tell()

    assert set(LocalMail.objects.values_list("to", flat=True)) == {
        "owner@localhost",
        "approver@example.org",
    }
    page = logged_in(staff).get("/admin/outbox/").content.decode()
    assert f"/admin/hitl/hitlrequest/{request.pk}/change/" in page


def test_a_real_mail_server_gets_text_and_html(project, approver, settings, tell):
    with mail_server() as mailbox:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
        asked(project)
        tell()

    message = mailbox.newest_to(approver.email)
    assert message["Subject"].startswith("Library: ")
    assert "Read it and decide" in message.get_body(("plain",)).get_content()
    assert "Read it and decide</a>" in message.get_body(("html",)).get_content()
