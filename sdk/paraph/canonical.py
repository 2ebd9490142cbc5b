"""The bytes of a call, as the server has them: canonical JSON (RFC 8785), and its digest."""

import hashlib
import json
import math
from typing import Any

EXACT = 2**53 - 1
_quote = json.JSONEncoder(ensure_ascii=False).encode


def canonical(value: Any) -> bytes:
    """RFC 8785. Raises ValueError or TypeError for what JSON cannot carry exactly."""
    return _text(value).encode()


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text holds a null character")
        # UnicodeEncodeError, a ValueError, for a lone surrogate.
        value.encode()
        return _quote(str(value))
    if isinstance(value, int):
        if abs(value) > EXACT:
            raise ValueError(f"the integer {value} is beyond 2^53: send it as text")
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name in an object is no text")
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    raise TypeError(f"{type(value).__name__} is no JSON")


def _number(value: float) -> str:
    """As ECMAScript writes a double: the shortest digits that read back as the same number."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent_text = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to this power.
    point = len(whole + fraction) - len(fraction) + int(exponent_text or 0)
    point -= len(whole + fraction) - len((whole + fraction).lstrip("0"))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    shown = f"{digits[0]}.{digits[1:]}" if count > 1 else digits
    return f"{sign}{shown}e{'+' if power > 0 else '-'}{abs(power)}"


def action_digest(
    *, project: str, agent: str, subject: Any, tool: dict[str, str], arguments: Any
) -> str:
    """What a decision, a claim and a grant are bound to: `sha256:` and 64 hex digits."""
    facts = {
        "project": project,
        "agent": agent,
        "subject": subject,
        "tool": tool,
        "arguments": arguments,
    }
    return "sha256:" + hashlib.sha256(b"paraph.action.v1\0" + canonical(facts)).hexdigest()


def call_digest(tool: dict[str, str], arguments: Any) -> str:
    """Equal for equal calls, whoever makes them."""
    facts = canonical({"tool": tool, "arguments": arguments})
    return "sha256:" + hashlib.sha256(b"paraph.call.v1\0" + facts).hexdigest()
