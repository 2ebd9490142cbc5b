"""What a file really is, whatever its name says: text that can be read, or something else."""

import codecs
from dataclasses import dataclass

from core.errors import UnsupportedMedia

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
HINT = "Only text is taken: plain or Markdown, as UTF-8 or UTF-16. Convert it, then send it again."


@dataclass(frozen=True)
class SniffedText:
    """Text of a file, and what kind of text it is taken for."""

    text: str
    media_type: str


def sniff_text(data: bytes, name: str) -> SniffedText:
    """The file as text. Raises UnsupportedMedia, which says what it is instead."""
    text = _decoded(data)
    if text is None or "\0" in text:
        kinds = (kind for signature, kind in SIGNATURES if data.startswith(signature))
        kind = next(kinds, "no text in UTF-8 or UTF-16")
        raise UnsupportedMedia("not_text", f"The file is {kind}. {HINT}")
    is_markdown = name.lower().endswith(MARKDOWN_ENDINGS)
    return SniffedText(text, "text/markdown" if is_markdown else "text/plain")


def _decoded(data: bytes) -> str | None:
    bom, encoding = next((p for p in ENCODINGS if data.startswith(p[0])), (b"", "utf-8"))
    # A text may begin with the letters of a signature, too; then what follows decides.
    if any(data.startswith(mark) for mark, _ in SIGNATURES if not mark.isalnum()):
        return None
    try:
        return data[len(bom) :].decode(encoding)
    except UnicodeDecodeError:
        return None
