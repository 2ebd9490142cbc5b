"""Two people decide on whatever is asked, at random, and often on the same thing at once."""

import asyncio
import random
from typing import Any

from tools.chaos.caller import Caller

ACTIONS = {"approve": 70, "amend": 12, "request_changes": 12, "answer": 70, "reject": 2}
CONTENT = {"summary": "By a person.", "body": "Written by hand."}


class Person:
    def __init__(
        self, caller: Caller, chance: random.Random, *, only_approves: bool = False
    ) -> None:
        self.caller, self.chance, self.only_approves = caller, chance, only_approves
        self.projects: set[str] = set()

    async def work(self) -> None:
        while True:
            for request in await self._pending():
                await self._decide(request["id"])
            await asyncio.sleep(self.chance.uniform(0.05, 0.4))

    async def _pending(self) -> list[dict[str, Any]]:
        page = await self.caller.get("hitl/requests/?status=pending&page_size=50")
        found = [one for one in page.get("results", []) if one["project"] in self.projects]
        self.chance.shuffle(found)
        return found

    async def _decide(self, id: str) -> None:
        shown = await self.caller.get(f"hitl/requests/{id}/")
        actions = [one for one in shown.get("allowed_actions", []) if one in ACTIONS]
        if not actions:
            return
        action = self._choose(actions)
        said = {"action": action, "subject_digest": shown["subject_digest"], "comment": "Seen."}
        if action in {"amend", "answer"}:
            said["content"] = CONTENT if action == "amend" else "This one."
        # Both have written of it, so nobody else is left to decide.
        if len(shown.get("barred_authors") or ()) > 1 and shown.get("may_break_glass"):
            said["break_glass"] = True
        await self.caller.post(
            f"hitl/requests/{id}/decisions/",
            said,
            "decide",
            request=id,
            project=shown["project"],
            action=action,
        )

    def _choose(self, actions: list[str]) -> str:
        if self.only_approves:
            return next(a for a in ("approve", "answer", "amend") if a in actions)
        return self.chance.choices(actions, [ACTIONS[one] for one in actions])[0]
