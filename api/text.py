def is_storable(text: str) -> bool:
    """No column can hold null characters and lone surrogates.

    Surrogates come from JSON that escapes them, and from bytes on a command line that are no UTF-8.
    """
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
