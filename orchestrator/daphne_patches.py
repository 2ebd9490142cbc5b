"""Forms are read by Django alone.

Twisted reads each of them too, a whole upload in memory, for arguments that nobody asks for; and
one that it cannot read it answers itself, by a 400 with nothing in it.
"""

import sys
from typing import Any


def leave_forms_to_django() -> None:
    """In a process of Daphne's, for the connections from now on."""
    daphne = sys.modules.get("daphne.http_protocol")
    if daphne is None:
        return

    class Request(daphne.WebRequest):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)

    daphne.WebRequest = Request
