import hashlib
from uuid import UUID

from audit.actors import Actor
from context.content_fields import TEXT_MAX_CHARACTERS
from context.file_types import sniff_text
from context.models import Artifact
from context.services.inputs import create_artifact
from context.types.user_input import USER_INPUT
from core.errors import TooLarge

UPLOAD_MAX_BYTES = 2 * 1024 * 1024
NAME_MAX_CHARACTERS = 200


def upload_file(
    *, actor: Actor, project_id: UUID, name: str, data: bytes, title: str = ""
) -> Artifact:
    """A person's file as `user_input`, under a safe name; what is no text is refused.

    Raises InvalidInput, TooLarge, UnsupportedMedia, NotFound, Forbidden.
    """
    if len(data) > UPLOAD_MAX_BYTES:
        raise too_large()
    name = safe_name(name)
    sniffed = sniff_text(data, name)
    if len(sniffed.text) > TEXT_MAX_CHARACTERS:
        detail = f"The text is longer than {TEXT_MAX_CHARACTERS:,} characters. Send it in parts."
        raise TooLarge("text_too_long", detail, limit=TEXT_MAX_CHARACTERS)
    digest = hashlib.sha256(data).hexdigest()
    return create_artifact(
        actor=actor,
        project_id=project_id,
        artifact_type=USER_INPUT,
        title=title or name,
        content={"text": sniffed.text},
        comment=f"Uploaded: {name}, {sniffed.media_type}, {len(data):,} bytes, SHA-256 {digest}.",
    )


def too_large() -> TooLarge:
    detail = f"The file is larger than {UPLOAD_MAX_BYTES:,} bytes."
    return TooLarge("upload_too_large", detail, limit=UPLOAD_MAX_BYTES)


def safe_name(name: str) -> str:
    """The last part of a path, printable, on one line, never hidden and never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(letter if letter.isprintable() else " " for letter in last)
    return " ".join(printable.split()).lstrip(".")[:NAME_MAX_CHARACTERS].strip() or "upload"
