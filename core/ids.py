import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A time-ordered UUID (version 7), so that new rows land at the end of their index."""
    return uuid7()
