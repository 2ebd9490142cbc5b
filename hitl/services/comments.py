import hashlib
from uuid import UUID

from audit.actors import Actor
from core.errors import InvalidInput
from core.text import is_storable
from hitl.events import COMMENT_ADDED
from hitl.models import Comment
from hitl.services.locks import lock_request
from projects.access import DECIDE
from projects.transaction import ProjectOf, ProjectTransaction

TEXT_MAX_LENGTH = 10_000


def add_comment(*, request_id: UUID, actor: Actor, text: str) -> Comment:
    """Into the thread, also after the decision. Raises NotFound, Forbidden, InvalidInput."""
    where = ProjectOf("request", request_id)
    with ProjectTransaction(where, actor, require=DECIDE, missing="request") as tx:
        request, _ = lock_request(tx, request_id)
        text = text.strip()
        if not text or not is_storable(text):
            raise InvalidInput.of("text", "blank", "Write something, in plain text.")
        if len(text) > TEXT_MAX_LENGTH:
            detail = f"Shorten the comment to at most {TEXT_MAX_LENGTH:,} characters."
            raise InvalidInput.of("text", "max_length", detail)
        comment = Comment.objects.create(request=request, author=actor.user, text=text)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        tx.record(COMMENT_ADDED, request=request, comment=str(comment.pk), text_sha256=sha256)
    return comment
