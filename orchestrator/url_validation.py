"""Whether a text is an address that somebody can be reached at, by its form alone."""

import re
from urllib.parse import SplitResult, urlsplit

HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Leading dot or star: all names below one.
ANSWERED = re.compile(rf"\*|\.?(?:{HOST.pattern})")
ORIGIN = re.compile(rf"https?://(?:\*\.)?(?:{HOST.pattern})(?::[0-9]+)?")
MAX_PORT = 65535


def is_answered_host(text: str) -> bool:
    return ANSWERED.fullmatch(text) is not None


def is_origin(text: str) -> bool:
    return ORIGIN.fullmatch(text) is not None


def is_host_and_port(text: str) -> bool:
    """No host is any of this machine's."""
    host, colon, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and int(port) <= MAX_PORT
    return bool(colon) and is_port and (not host or HOST.fullmatch(host) is not None)


def is_url(text: str, schemes: tuple[str, ...]) -> bool:
    parts = split_url(text)
    return parts is not None and parts.scheme in schemes and bool(parts.hostname)


def split_url(text: str) -> SplitResult | None:
    """None for what is no URL, or has a port that is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts
