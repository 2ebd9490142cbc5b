"""A browser is told through its push service, which can read nothing and knows whom it is from."""

import json
import stat
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db.models.functions import Now
from django.test import Client

from notifications.models import Notification, PushSubscription
from notifications.web_push import CURVE, decoded, encoded, encrypt_by, point_of, public_key
from tests.scenes import asked, decide_as
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/notifications/"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36"


class Browser:
    """Its keys, and what it makes of a message of its push service."""

    def __init__(self, endpoint):
        self.endpoint, self.auth = endpoint, bytes(range(16))
        self.key = ec.generate_private_key(CURVE)
        self.point = point_of(self.key.public_key())

    @property
    def fields(self):
        keys = {"p256dh": encoded(self.point), "auth": encoded(self.auth)}
        return {"verb": "subscribe", "endpoint": self.endpoint} | keys

    def decrypt(self, body):
        salt, length = body[:16], body[20]
        point, sealed = body[21 : 21 + length], body[21 + length :]
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
        )
        secret = HKDF(SHA256(), 32, self.auth, b"WebPush: info\0" + self.point + point).derive(
            shared
        )
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        padded = AESGCM(key).decrypt(nonce, sealed, None)
        assert padded[-1] == 2
        return json.loads(padded[:-1])


@pytest.fixture
def key_file(settings, tmp_path) -> Path:
    settings.PUSH_KEY_FILE = str(tmp_path / "keys" / "push.pem")
    return Path(settings.PUSH_KEY_FILE)


@pytest.fixture
def service(receiver, key_file):
    """A push service; 201 is what they answer."""
    receiver.status = 201
    return receiver


@pytest.fixture
def browser(service, approver):
    return subscribed(approver, service.url)


def subscribed(user, endpoint):
    browser = Browser(endpoint)
    logged_in(user).post(PAGE, browser.fields, headers={"User-Agent": CHROME})
    return browser


def test_it_is_encrypted_as_the_standard_shows():
    """RFC 8291, appendix A."""
    ours = int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
    body = encrypt_by(
        ec.derive_private_key(ours, CURVE),
        decoded("DGv6ra1nlYgDCS1FRnbzlw"),
        b"When I grow up, I want to be a watermelon",
        browser_key=decoded(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=decoded("BTBZMqHH6r4Tts7J_aSIgg"),
    )

    assert encoded(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
        "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
        "gSxsj_Qulcy4a-fN"
    )


def test_a_request_is_one_message_that_only_the_browser_reads(project, browser, service, tell):
    request = asked(project)
    tell()
    tell()

    ((headers, body),) = service.messages
    shown = browser.decrypt(body)
    assert shown["title"] == f"Library: {request.title}"
    assert shown["link"].endswith(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    assert (headers["content-encoding"], headers["ttl"]) == ("aes128gcm", "86400")


def test_it_is_signed_for_the_push_service(project, browser, service, tell):
    asked(project)
    tell()

    scheme, _, values = service.messages[0][0]["authorization"].partition(" ")
    token, key = (value.strip().partition("=")[2] for value in values.split(","))
    point = urlsafe_b64decode(f"{key}=")
    audience = service.url.removesuffix("/hook")
    verifier = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    claims = jwt.decode(token, verifier, algorithms=["ES256"], audience=audience)
    assert (scheme, key, claims["sub"]) == ("vapid", public_key(), "mailto:paraph@localhost")
    assert datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC) < timedelta(days=1)


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_turned_off(project, approver, browser, service, tell, status):
    service.status = status
    asked(project)
    tell()

    subscription = PushSubscription.objects.get()
    assert str(status) in subscription.disabled_reason
    assert Notification.objects.get(channel="push").status == "dead"
    asked(project, "result_approval")
    tell()
    assert len(service.messages) == 1
    assert subscription.disabled_reason in logged_in(approver).get(PAGE).content.decode()
    logged_in(approver).post(PAGE, browser.fields)
    assert PushSubscription.objects.get().disabled_at is None


def test_what_is_sent_again_has_the_same_id_and_topic(project, browser, service, tell):
    service.status = 503
    asked(project)
    tell()
    service.status = 201
    Notification.objects.update(run_at=Now() - timedelta(hours=1))
    tell()

    assert len({headers["topic"] for headers, _ in service.messages}) == 1
    assert len({browser.decrypt(body)["id"] for _, body in service.messages}) == 1
    assert Notification.objects.get(channel="push").status == "sent"


def test_each_browser_is_told_by_itself(project, approver, browser, service, tell):
    other = subscribed(approver, f"{service.url}/other")
    asked(project)
    tell()

    bodies = dict(zip(service.paths, (body for _, body in service.messages), strict=True))
    assert bodies.keys() == {"/hook", "/hook/other"}
    assert other.decrypt(bodies["/hook/other"])["id"] == browser.decrypt(bodies["/hook"])["id"]


def test_what_is_settled_meanwhile_is_not_sent(project, owner, approver, browser, service, tell):
    request = asked(project)
    decide_as(owner, request)
    tell()

    assert service.messages == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "[::1]"])
def test_no_message_goes_into_the_network_of_the_installation(key_file, approver, address):
    browser = Browser(f"https://{address}/push")
    page = logged_in(approver).post(PAGE, browser.fields, follow=True).content.decode()

    assert "not an address of the internet" in page
    assert not PushSubscription.objects.exists()


def test_what_a_name_leads_to_is_checked_when_it_is_connected(
    project, approver, browser, service, tell, settings
):
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    asked(project)
    tell()

    row = Notification.objects.get(channel="push")
    assert "not an address of the internet" in row.error
    assert service.messages == []


@pytest.mark.parametrize(
    "changes", [{"p256dh": "AAAA"}, {"auth": "AAAA"}, {"p256dh": "é"}, {"endpoint": "nonsense"}]
)
def test_what_is_no_subscription_is_refused(service, approver, changes):
    answer = logged_in(approver).post(PAGE, Browser(service.url).fields | changes, follow=True)

    assert b'class="error"' in answer.content
    assert not PushSubscription.objects.exists()


def test_one_turns_off_ones_own_browsers_only(browser, approver, owner):
    subscription = PushSubscription.objects.get()
    assert subscription.browser == "Chrome on Linux"
    fields = {"verb": "unsubscribe", "browser": str(subscription.pk)}
    logged_in(owner).post(PAGE, fields)
    assert PushSubscription.objects.exists()
    logged_in(approver).post(PAGE, fields)
    assert not PushSubscription.objects.exists()


def test_who_logs_in_at_the_same_browser_is_told_there_from_then_on(browser, owner):
    logged_in(owner).post(PAGE, browser.fields)

    assert PushSubscription.objects.get().user == owner


def test_the_key_is_made_once_for_its_owner_alone(key_file, approver):
    first = public_key()

    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert public_key() == first
    assert first in logged_in(approver).get(PAGE).content.decode()


def test_without_a_key_that_can_be_used_no_browser_is_offered(key_file, approver):
    key_file.parent.mkdir()
    key_file.write_text("no key")

    assert 'id="push"' not in logged_in(approver).get(PAGE).content.decode()


def test_browsers_fetch_the_worker_and_the_manifest_without_a_login():
    worker, manifest = (
        Client().get(f"/admin/{name}") for name in ("push-worker.js", "manifest.webmanifest")
    )

    assert worker["Content-Type"].startswith("text/javascript")
    assert "no-cache" in worker["Cache-Control"]
    # Each page below its folder is the worker's.
    assert json.loads(manifest.content)["scope"] == "/admin/"


def test_a_test_goes_every_way_that_one_is_told(browser, approver, service, tell, mailoutbox):
    approver.email = "approver@example.org"
    approver.save()
    page = logged_in(approver).post(PAGE, {"verb": "test"}, follow=True).content.decode()
    tell()

    assert "2 tests are on the way" in page
    assert browser.decrypt(service.messages[0][1])["title"] == "A test from Paraph"
    assert [message.to for message in mailoutbox] == [["approver@example.org"]]
