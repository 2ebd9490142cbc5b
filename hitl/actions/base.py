from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from audit.actors import Actor

if TYPE_CHECKING:
    from agents.models import Task
    from hitl.delegation import Delegation
    from hitl.models import Decision, HitlRequest
    from projects.transaction import ProjectTransaction


@dataclass(frozen=True)
class DecisionInput:
    """What a person sends. `bypassed`: the rules that break-glass goes past, None without it."""

    actor: Actor
    action: Action
    comment: str
    content: Any
    channel: str
    assurance: str = ""
    bypassed: tuple[str, ...] | None = None
    #: By which the actor decides for somebody who is away.
    delegation: Delegation | None = None

    @property
    def is_break_glass(self) -> bool:
        return self.bypassed is not None


class Action:
    """One thing that a person can do about a request."""

    #: In the database, REST and the commands.
    key: ClassVar[str]
    #: On buttons.
    label: ClassVar[str]
    #: What it does, for menus and the help of commands: "go on with exactly what was shown".
    summary: ClassVar[str]
    #: The key on the terminal.
    shortcut: ClassVar[str]
    #: Place among the actions that are offered.
    order: ClassVar[int]
    #: The status of the request that it settles.
    outcome: ClassVar[str]
    needs_comment: ClassVar[bool] = False
    needs_content: ClassVar[bool] = False
    #: What is asked for where a comment is needed.
    comment_question: ClassVar[str] = "Why?"
    #: What `content` is called where it is asked for.
    content_name: ClassVar[str] = "new content"
    #: Whether the page warns before it.
    is_destructive: ClassVar[bool] = False

    def is_allowed_for(self, request: HitlRequest) -> bool:
        """Of a pending request, whoever decides."""
        raise NotImplementedError

    def consequence(self, request: HitlRequest, follows: str) -> str:
        """What happens next, for who is about to choose. `follows`: what waits for the work."""
        raise NotImplementedError

    def obstacles(self, request: HitlRequest) -> list[str]:
        """The codes of rules about people that break-glass goes past with this action."""
        return []

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        """Record the decision, and let the work go on by it. Everything is locked and allowed."""
        raise NotImplementedError
