"""`work/claim/` with `wait`: workers that wait for work."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agents.external import outside_parameters
from audit.stream.waits import Answer, News, Wait, seconds_of
from core import sql
from projects.credentials import find_credential, token_of_header, usable_hashes


class WorkWait(Wait):
    method = "POST"
    path = re.compile(r"/work/claim/$")
    # Retries become due without a word in the stream.
    again_seconds = 1.0

    def seconds(self, scope: dict[str, Any], body: bytes) -> int:
        try:
            values = json.loads(body)
        except ValueError:
            return 0
        return seconds_of(values.get("wait")) if isinstance(values, dict) else 0

    def news(self, scope: dict[str, Any], body: bytes, answer: Answer) -> News | None:
        if answer.status != 204:
            return None
        credential = find_credential(token_of_header(scope["headers"]))
        if credential is None:
            return None
        key = (frozenset(json.loads(body)["agent_types"]), credential.token_sha256)
        return News(credential.project_id, key)

    def look(self, project: UUID, keys: Sequence[Any]) -> list[bool]:
        """As many as there are tasks, the first who came for such work first."""
        usable = usable_hashes({token for _, token in keys})
        due = Counter(dict(sql.fetch_all("due_types", project=project, **outside_parameters())))
        has_news = []
        for types, token in keys:
            kind = next((kind for kind in types if due[kind] > 0), None)
            if kind is not None:
                due[kind] -= 1
            has_news.append(kind is not None or token not in usable)
        return has_news
