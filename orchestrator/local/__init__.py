"""Everything on one machine: the embedded servers and the processes that `manage.py up` keeps alive."""


class LocalError(Exception):
    """Something a person must put right; the message says what and how."""
