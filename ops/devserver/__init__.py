"""Everything on one machine: embedded servers, and the processes that `up` keeps running."""


class DevServerError(Exception):
    """Something a person must put right; the message says what and how."""
