"""A team: invited, told by mail, in Slack and by webhook, and led to what they decide on."""

import json
import re

import httpx
import pytest
from playwright.sync_api import expect
from standardwebhooks.webhooks import Webhook

from audit.actors import Actor
from audit.models import Stream
from hitl.models import Decision, HitlRequest
from notifications.models import SlackAccount
from notifications.webhooks import create_webhook
from projects.models import Invitation, Membership
from tests.browser.faults import faults_of
from tests.browser.test_inbox import request_page
from tests.notifications.conftest import receiver, tell  # noqa: F401
from tests.scenes import agent_returns, work

LINKS = "links => links.map(link => link.href).filter(link => link.startsWith(location.origin))"
SHOWN = """async () => {
    const registration = await navigator.serviceWorker.ready;
    const notices = await registration.getNotifications();
    return notices.length && notices.map(({ tag, title, body, data }) => [tag, title, body, data]);
}"""
CAROL = "carol@example.org"


@pytest.fixture
def telling(settings, server, mails, receiver):  # noqa: F811
    """This process tells, as a worker does: by the same mail server, with the same links."""
    settings.PUBLIC_URL = server
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
    settings.SLACK_BOT_TOKEN = settings.SLACK_SIGNING_SECRET = "of a fake"
    settings.SLACK_API_URL = receiver.url.replace("hook", "api/")
    receiver.status, receiver.answer = 200, {"content-type": "application/json"}
    receiver.body = b'{"ok": true, "ts": "1.1"}'
    return receiver


def test_two_are_invited_told_and_led_to_a_decision(
    running, owner, approver, outsider, person, mails, telling, tell  # noqa: F811
):  # fmt: skip
    SlackAccount.objects.create(user=approver, team="T1", slack_user="U1")
    actor = Actor.of_user(owner)
    types = ["hitl_request_created"]
    _, secret = create_webhook(
        project_id=running.pk, actor=actor, url=telling.url, event_types=types
    )
    one = person(owner)
    for who in (outsider.username, CAROL):
        one.opens(f"/admin/projects/project/{running.pk}/members/")
        one.page.get_by_label("User name or mail address").fill(who)
        one.page.get_by_role("radio", name=re.compile("^Approver")).check()
        one.page.get_by_role("button", name="Invite").click()
        expect(one.page.get_by_role("strong").filter(has_text=who)).to_be_visible()
    carol = person(None)
    invitation = link_in(mails.newest_to(CAROL))
    scan([invitation])
    carol.page.goto(invitation)
    assert faults_of(carol) == []
    carol.page.get_by_label("User name").fill("carol")
    carol.page.get_by_label("Password").fill("a long enough phrase")
    carol.page.get_by_role("button", name="Make the account and join").click()
    carol.page.wait_for_url(re.compile("/admin/projects/project/"))

    request = agent_returns(running, work())
    tell()
    (headers, body), *_ = [m for m in telling.messages if "webhook-id" in m[0]]
    event = Webhook(secret).verify(body, headers)
    assert event["data"]["hitl_request"] == str(request.pk)
    messages = [json.loads(m[1]) for m in telling.messages if b"U1" in m[1]]
    assert [request.title in message["text"] for message in messages] == [True]

    mail = mails.newest_to(CAROL)
    before = state()
    links = [invitation, *re.findall(r"https?://\S+", mail.get_body(("plain",)).get_content())]
    scan(links)
    scan({*links} | links_of(carol, request_page(request)) | links_of(carol, "/admin/"), carol)
    assert state() == before
    carol.page.goto("about:blank")
    carol.page.set_content(mail.get_body(("html",)).get_content())
    carol.page.get_by_role("link", name="Read it and decide").click()
    carol.page.wait_for_url(f"**{request_page(request)}")
    carol.page.keyboard.press("a")
    carol.page.keyboard.press("Enter")
    carol.page.wait_for_url(f"{carol.server}/admin/")
    decision = Decision.objects.get()
    assert (decision.decided_by.username, decision.action) == ("carol", "approve")


def link_in(mail) -> str:
    return re.search(r"https?://\S+", mail.get_body(("plain",)).get_content())[0]


def links_of(one, path) -> set[str]:
    one.opens(path)
    return set(one.page.eval_on_selector_all("a[href]", LINKS))


def scan(links, one=None) -> None:
    """As a mail server does that looks at every link; with `one`'s cookies where it is given."""
    for link in links:
        if one is None:
            httpx.get(link, follow_redirects=True, timeout=60)
        else:
            one.page.request.get(link, fail_on_status_code=False)


def state():
    """What a decision, a join or a change would change."""
    return (
        list(HitlRequest.objects.values_list("status", flat=True)),
        Decision.objects.count(),
        Membership.objects.count(),
        Invitation.objects.count(),
        list(Stream.objects.order_by("project").values_list("sequence", flat=True)),
    )


def test_a_browser_shows_what_its_push_service_brings(approver, person):
    one = person(approver, permissions=["notifications"])
    registrations = []
    browser = one.page.context.new_cdp_session(one.page)
    browser.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(event["registrations"]),
    )
    browser.send("ServiceWorker.enable")
    one.opens("/admin/notifications/")
    expect(one.page.locator("#push[data-ready]")).to_be_visible()
    assert faults_of(one) == []
    one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    said = {"id": "e_1", "title": "Library: a plan", "body": "A request waits.", "link": "/admin/"}
    message = {"origin": one.server, "registrationId": registrations[-1]["registrationId"]}
    for _ in range(2):
        browser.send("ServiceWorker.deliverPushMessage", message | {"data": json.dumps(said)})
    shown = one.page.wait_for_function(SHOWN)
    assert shown.json_value() == [["e_1", "Library: a plan", "A request waits.", "/admin/"]]


def test_a_security_key_is_added_and_logs_in(approver, person):
    one = person(approver, host="localhost")
    keys = one.page.context.new_cdp_session(one.page)
    keys.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}
    keys.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    one.opens("/admin/profile/")
    one.page.get_by_role("link", name="Turn it on").click()
    one.page.get_by_role("link", name="Add").click()
    one.page.get_by_label("Password").fill(f"{approver.username}-password")
    one.page.get_by_role("button", name="Confirm").click()
    # Until it is loaded the button does nothing.
    one.page.wait_for_url("**/accounts/2fa/webauthn/add/")
    one.page.get_by_role("button", name="Add").click()
    expect(one.page.get_by_text("Security key added.")).to_be_visible()
    one.opens("/admin/")
    one.page.locator(".side .account summary").click()
    one.page.locator(".side").get_by_role("button", name="Log out").click()
    expect(one.page.get_by_text("You are logged out")).to_be_visible()
    one.opens("/admin/")
    one.page.get_by_label("Username").fill(approver.username)
    one.page.get_by_label("Password").fill(f"{approver.username}-password")
    one.page.get_by_role("button", name="Log in").click()
    one.page.get_by_role("link", name="Go on with your second factor").click()
    one.page.wait_for_url(re.compile("/accounts/2fa/authenticate/"))
    one.page.get_by_role("button", name="Use a security key").click()
    one.page.wait_for_url(f"{one.server}/admin/")
