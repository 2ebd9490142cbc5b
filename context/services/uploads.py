import codecs
import hashlib
from dataclasses import dataclass
from uuid import UUID

from audit.actors import Actor
from context.content_fields import TEXT_MAX_CHARACTERS
from context.models import Artifact
from context.services.inputs import create_artifact
from context.types.user_input import USER_INPUT
from core.errors import TooLarge, UnsupportedMedia

UPLOAD_MAX_BYTES = 2 * 1024 * 1024
NAME_MAX_CHARACTERS = 200
SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a sound, film or picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"{\\rtf", "an RTF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARKDOWN_ENDINGS = (".md", ".markdown")
HINT = "Convert it to plain text or Markdown in UTF-8 or UTF-16, then send it again."


@dataclass(frozen=True)
class SniffedText:
    """Text of a file, and what kind of text it is taken for."""

    text: str
    media_type: str


def upload_file(
    *, actor: Actor, project_id: UUID, name: str, data: bytes, title: str = ""
) -> Artifact:
    """A person's file as `user_input`, under a safe name. Only text is taken.

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


def sniff_text(data: bytes, name: str) -> SniffedText:
    """The file as text, whatever its name says. Raises UnsupportedMedia, which names what it is."""
    bom, encoding = next((pair for pair in ENCODINGS if data.startswith(pair[0])), (b"", "utf-8"))
    # A text may begin with the letters of a signature, too; then what follows decides.
    is_text = not any(data.startswith(mark) for mark, _ in SIGNATURES if not mark.isalnum())
    text = ""
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError:
        is_text = False
    if not is_text or "\0" in text:
        kinds = (kind for signature, kind in SIGNATURES if data.startswith(signature))
        kind = next(kinds, "not text in UTF-8 or UTF-16")
        raise UnsupportedMedia("not_text", f"The file is {kind}. {HINT}")
    is_markdown = name.lower().endswith(MARKDOWN_ENDINGS)
    return SniffedText(text, "text/markdown" if is_markdown else "text/plain")
