"""Why a text file of the content tree cannot be read."""


def unreadable(failure: Exception) -> str:
    """Return why a text file cannot be read; of one that is not UTF-8, what it is instead."""
    if not isinstance(failure, UnicodeDecodeError):
        return str(failure)
    is_wide = failure.object[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return "it is stored as UTF-16, not as UTF-8" if is_wide else f"it is not UTF-8 text from byte {failure.start:,} on"
