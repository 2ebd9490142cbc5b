"""Canonical JSON (RFC 8785) and the hashes over it."""

import hashlib
import json
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The one byte string of a JSON value.

    Raises rfc8785.CanonicalizationError for what JSON cannot carry exactly.
    """
    if _is_plain(value):
        try:
            return _encode(value).encode()
        except UnicodeEncodeError:
            pass  # a lone surrogate, which the other one refuses with the right error
    return rfc8785.dumps(value)


# For plain values Python's own encoder gives the same bytes, several times faster.
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_EXACT = 2**53 - 1


def _is_plain(value: Any) -> bool:
    """Nothing that RFC 8785 writes or sorts in its own way: no floats, ASCII keys."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -_EXACT <= value <= _EXACT
    if kind is dict:
        for key, part in value.items():
            if type(key) is not str or not key.isascii():
                return False
            # Most parts are texts: to ask here takes a third of the time.
            if type(part) is not str and not _is_plain(part):
                return False
        return True
    if kind is list:
        return all(type(part) is str or _is_plain(part) for part in value)
    return isinstance(value, str)


def digest(tag: str, *parts: bytes) -> str:
    """SHA-256, hex, over a domain tag and the parts; the tag keeps kinds of hashes apart."""
    state = hashlib.sha256(tag.encode() + b"\0")
    for part in parts:
        state.update(part)
    return state.hexdigest()
