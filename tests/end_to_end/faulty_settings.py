"""The quick settings, where a test may kill the process at a named point."""

from tests.end_to_end.quick_settings import *  # noqa: F403

FAILPOINTS_ALLOWED = True
