"""What is pinned by a digest, and is no longer what the digest says.

Whoever reads such a thing to show it, decide on it or hand it on holds it against its digest. Where
it differs somebody changed a row past the product, and nothing goes on with it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from core.errors import Conflict
from projects import hooks

logger = logging.getLogger(__name__)

INTEGRITY = "integrity"


class ContentChanged(Conflict):
    """`what` is the kind of thing: content, digest, part, subject, assignment, definition, file."""

    def __init__(
        self,
        what: str,
        name: str,
        *,
        project: UUID | str,
        expected: str,
        found: str,
        task: UUID | str | None = None,
        **where: Any,
    ) -> None:
        state = f"its SHA-256 is {found}" if found else "it cannot be read or is gone"
        detail = (
            f"{name} was changed outside of Paraph: {state}, and {expected} was recorded. "
            "Nothing goes on with it. Restore the row, or have the work done again."
        )
        facts = {"what": what, "expected": expected, "found": found} | where
        super().__init__(INTEGRITY, detail, differs=facts)
        self.project = project
        #: What differs, for the log: ids and hashes.
        self.facts = facts
        self.task = task
        #: The request that shows it, where one was looked at.
        self.request: UUID | str | None = None
        self._is_noted = False

    def note(self) -> None:
        """Have it recorded, and a person asked. Never raises, so that a page can still be shown."""
        if self._is_noted:
            return
        self._is_noted = True
        try:
            hooks.run("content_changed", self)
        except Exception:
            logger.exception("change not recorded", extra={"project": str(self.project)})


@contextmanager
def noted() -> Iterator[None]:
    """Around a transaction: what it finds changed is recorded once it is rolled back."""
    try:
        yield
    except ContentChanged as error:
        error.note()
        raise
