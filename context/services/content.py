import hashlib
import json
from dataclasses import dataclass
from typing import Any

from rfc8785 import CanonicalizationError

from audit.canonical import canonical
from context.artifact_types import ContentError, validate_content
from core.errors import InvalidInput, TooLarge

CONTENT_MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Checked:
    """Content that may be stored, its SHA-256 and its size, both of the canonical JSON."""

    content: dict[str, Any]
    sha256: str
    size_bytes: int


def check_content(artifact_type: str, content: Any) -> Checked:
    """Content that fits its type's schema. Raises InvalidInput, TooLarge."""
    try:
        content = validate_content(artifact_type, content)
        encoded = canonical(content)
    except ContentError as error:
        errors = [
            e | {"field": f"content.{e['field']}" if e["field"] else "content"}
            for e in error.errors
        ]
        first = f"{errors[0]['field']}: {errors[0]['detail']}"
        # It may not even have a canonical form, so its size is that of any JSON.
        try:
            encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
                errors="surrogatepass"
            )
        except RecursionError:
            encoded = b""
        _check_size(len(encoded))
        if error.limit:
            raise TooLarge("content_too_large", first, errors=errors, limit=error.limit) from error
        detail = f"The content does not fit {artifact_type}: {first}"
        raise InvalidInput("invalid_content", detail, errors=errors) from error
    except (CanonicalizationError, UnicodeError, RecursionError) as error:
        raise InvalidInput.of("content", "not_storable", f"Cannot be stored: {error}.") from error
    _check_size(len(encoded))
    if _holds_null(content):
        raise InvalidInput.of("content", "binary", "The content holds null characters.")
    return Checked(content, hashlib.sha256(encoded).hexdigest(), len(encoded))


def _check_size(size: int) -> None:
    if size > CONTENT_MAX_BYTES:
        detail = f"The content has {size:,} bytes; at most {CONTENT_MAX_BYTES:,} are stored."
        raise TooLarge("content_too_large", detail, limit=CONTENT_MAX_BYTES)


def _holds_null(value: Any) -> bool:
    """PostgreSQL cannot store the null character in JSON."""
    if isinstance(value, dict):
        return any(_holds_null(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_holds_null(part) for part in value)
    return isinstance(value, str) and "\0" in value
