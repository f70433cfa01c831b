"""Texts that cannot be read as they are: why a file of the content tree cannot, and what a locale left undecoded."""


def unreadable(failure: Exception) -> str:
    """Return why a text file cannot be read; of one that is not UTF-8, what it is instead."""
    if not isinstance(failure, UnicodeDecodeError):
        return str(failure)
    is_wide = failure.object[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return "it is stored as UTF-16, not as UTF-8" if is_wide else f"it is not UTF-8 text from byte {failure.start:,} on"


def decoded(text: str) -> str:
    """Return a text that was typed, with the bytes that a locale without UTF-8 left undecoded.

    Raises:
        ValueError: They are not UTF-8 either.
    """
    return text.encode("utf-8", "surrogateescape").decode()
