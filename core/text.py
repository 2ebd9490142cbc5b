def is_storable(text: str) -> bool:
    """No column can hold null characters and lone surrogates.

    Surrogates come from JSON escapes, and from bytes on a command line that are not UTF-8.
    """
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


# Direction marks, which can make text look different from what it is.
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNPRINTABLE = (*range(0x80, 0xA0), *_BIDI, *range(0xD800, 0xE000))
_TABLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421, 0x2028: 0x0A, 0x2029: 0x0A}
    | dict.fromkeys(_UNPRINTABLE, 0xFFFD)
)


def clean(text: str) -> str:
    """Control characters become visible signs; line breaks and tabs stay."""
    return str(text).replace("\r\n", "\n").translate(_TABLE)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())
