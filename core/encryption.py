"""Secrets that must be read again, such as those that sign webhooks: encrypted by SECRET_KEY.

A copy of the database alone does not show them.
"""

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """It was encrypted by another SECRET_KEY."""


def encrypt(text: str, *, purpose: str) -> str:
    return _cipher(settings.SECRET_KEY, purpose).encrypt(text.encode()).decode()


def decrypt(text: str, *, purpose: str) -> str:
    """Raises Unreadable."""
    try:
        return _cipher(settings.SECRET_KEY, purpose).decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


@cache
def _cipher(secret_key: str, purpose: str) -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=f"paraph.{purpose}".encode()).derive(
        secret_key.encode()
    )
    return Fernet(base64.urlsafe_b64encode(key))
