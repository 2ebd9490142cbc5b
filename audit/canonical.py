"""Canonical JSON (RFC 8785) and the hashes over it."""

import hashlib
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The one byte string of a JSON value.

    Raises rfc8785.CanonicalizationError for what JSON cannot carry exactly.
    """
    return rfc8785.dumps(value)


def digest(tag: str, *parts: bytes) -> str:
    """SHA-256, hex, over a domain tag and the parts; the tag keeps kinds of hashes apart."""
    state = hashlib.sha256(tag.encode() + b"\0")
    for part in parts:
        state.update(part)
    return state.hexdigest()
