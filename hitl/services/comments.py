from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import record
from core.errors import InvalidInput
from core.text import is_storable
from hitl.models import Comment
from hitl.services.locks import lock_request
from projects.access import DECIDE, require_role

TEXT_MAX_LENGTH = 10_000


@transaction.atomic
def add_comment(*, request_id: UUID, actor: Actor, text: str) -> Comment:
    """A word in the thread, also after the decision. Raises NotFound, Forbidden, InvalidInput."""
    request, _ = lock_request(request_id, actor)
    require_role(actor.user, request.project_id, DECIDE)
    text = text.strip()
    if not text or not is_storable(text):
        raise InvalidInput.of("text", "blank", "Write something, in plain text.")
    if len(text) > TEXT_MAX_LENGTH:
        detail = f"Shorten the comment to at most {TEXT_MAX_LENGTH:,} characters."
        raise InvalidInput.of("text", "max_length", detail)
    comment = Comment.objects.create(request=request, author=actor.user, text=text)
    record(
        project_id=request.project_id,
        event_type=EventType.HITL_COMMENT_ADDED,
        actor=actor,
        data={"comment": str(comment.pk)},
        task=request.task_id,
        hitl_request=request.pk,
    )
    return comment
