"""`?wait=` of actions: agents that wait for a decision."""

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from audit.stream.waits import Answer, News, Wait, header_of
from core.authentication import hash_key
from hitl.agent_actions.records import etag_of_state
from hitl.enums import ActionStatus
from hitl.models import AgentAction, HitlRequest
from projects.credentials import token_of_header, usable_hashes

OK, ACCEPTED, NOT_MODIFIED = 200, 202, 304


class ActionWait(Wait):
    """Waits while it is as the client knows it, by `If-None-Match`; else, while it is pending."""

    # In case that a hint and a look have missed each other.
    again_seconds = 5.0

    def look(self, project: UUID, keys: Sequence[Any]) -> list[bool]:
        usable = usable_hashes({token for *_, token in keys if token})
        requests = HitlRequest.objects.filter(agent_action=OuterRef("pk")).order_by("-created_at")
        rows = AgentAction.objects.filter(project=project, pk__in={key[0] for key in keys})
        rows = rows.annotate(newest_request=Subquery(requests.values("pk")[:1]))
        now = {
            pk: etag_of_state(status, request, digest)
            for pk, status, request, digest in rows.values_list(
                "pk", "status", "newest_request", "action_digest"
            )
        }
        return [
            now.get(action) != etag or (token is not None and token not in usable)
            for action, etag, token in keys
        ]


class ReadWait(ActionWait):
    method = "GET"
    path = re.compile(r"/actions/([0-9a-f-]{36})/$")

    def news(self, scope: dict[str, Any], body: bytes, answer: Answer) -> News | None:
        if answer.status == OK and answer.is_json:
            action = json.loads(answer.body)
            is_known = header_of(scope["headers"], b"if-none-match")
            if is_known or action["status"] != ActionStatus.PENDING:
                return None
        elif answer.status != NOT_MODIFIED:
            return None
        action_id = UUID(self.path.search(scope["path"])[1])
        project = AgentAction.objects.values_list("project", flat=True).get(pk=action_id)
        return News(project, (action_id, answer.header(b"etag"), token_of(scope)))


class AskWait(ActionWait):
    """The same ask again, with its key, is answered with the action as it is by then."""

    method = "POST"
    path = re.compile(r"/projects/[0-9a-f-]{36}/actions/$")

    def news(self, scope: dict[str, Any], body: bytes, answer: Answer) -> News | None:
        if answer.status != ACCEPTED or not answer.is_json:
            return None
        action = json.loads(answer.body)
        key = (UUID(action["id"]), answer.header(b"etag"), token_of(scope))
        return News(UUID(action["project"]), key)


def token_of(scope: dict[str, Any]) -> str | None:
    """The hash of the credential's token, valid or no longer; None for a person."""
    token = token_of_header(scope["headers"])
    return hash_key(token) if token else None
