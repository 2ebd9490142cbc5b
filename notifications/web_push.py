"""Messages to browsers by their push services: encrypted for the one browser (RFC 8291), signed by
the key of this installation (VAPID, RFC 8292), which is in a file outside of the database.
"""

import base64
import logging
import os
import secrets
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings

logger = logging.getLogger(__name__)

CURVE = ec.SECP256R1()
#: Push services refuse longer ones, with their header and padding.
PLAIN_MAX = 3_000
RECORD_SIZE = 4_096
#: Push services refuse signatures that hold for more than a day.
SIGNED_FOR = timedelta(hours=12)
#: So long a push service keeps what a browser that is away has not fetched.
KEPT_FOR = timedelta(days=1)


def is_configured() -> bool:
    return signing_key() is not None


def public_key() -> str:
    """What browsers subscribe with."""
    key = signing_key()
    return encoded(point_of(key.public_key())) if key is not None else ""


def headers_for(endpoint: str, topic: str, now: datetime | None = None) -> dict[str, str]:
    """`topic`: of two with the same, a browser that was away gets the later one alone."""
    now = now or datetime.now(UTC)
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + SIGNED_FOR).timestamp()),
        # Whom a push service may write to.
        "sub": f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}",
    }
    token = jwt.encode(claims, signing_key(), algorithm="ES256")
    return {
        "authorization": f"vapid t={token}, k={public_key()}",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(int(KEPT_FOR.total_seconds())),
        "topic": topic,
    }


def encrypt(message: bytes, *, browser_key: bytes, auth: bytes) -> bytes:
    """For the one browser that has made them. Raises ValueError for what is no point."""
    return encrypt_by(
        ec.generate_private_key(CURVE),
        os.urandom(16),
        message,
        browser_key=browser_key,
        auth=auth,
    )


def encrypt_by(
    ours: ec.EllipticCurvePrivateKey,
    salt: bytes,
    message: bytes,
    *,
    browser_key: bytes,
    auth: bytes,
) -> bytes:
    """By a key and a salt that are used once."""
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, browser_key)
    point = point_of(ours.public_key())
    secret = derive(
        ours.exchange(ec.ECDH(), theirs), 32, auth, b"WebPush: info\0" + browser_key + point
    )
    key = derive(secret, 16, salt, b"Content-Encoding: aes128gcm\0")
    nonce = derive(secret, 12, salt, b"Content-Encoding: nonce\0")
    header = salt + RECORD_SIZE.to_bytes(4, "big") + bytes([len(point)]) + point
    # The 2 ends the last record.
    return header + AESGCM(key).encrypt(nonce, message + b"\2", None)


def derive(secret: bytes, length: int, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def signing_key() -> ec.EllipticCurvePrivateKey | None:
    """None where there is none to be had; the log says why."""
    if not settings.PUSH_KEY_FILE:
        return None
    path = Path(settings.PUSH_KEY_FILE)
    try:
        if not path.exists():
            _write_first_key(path)
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        logger.error("PUSH_KEY_FILE cannot be used", extra={"error": str(error)})
        return None


@lru_cache(maxsize=2)
def _read(path: Path, changed_at: int) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != CURVE.name:
        raise ValueError(f"{path} holds no key of the curve P-256.")
    return key


def _write_first_key(path: Path) -> None:
    """Whole or not at all, and of several processes that start at once one makes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    pem = ec.generate_private_key(CURVE).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
