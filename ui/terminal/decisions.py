"""A person's decision from a terminal, on what was shown there and nothing else."""

from dataclasses import dataclass
from typing import Any

from audit.actors import Actor
from audit.request_context import origin
from hitl.enums import Action
from hitl.models import Decision, HitlRequest
from hitl.rules import allowed_actions
from hitl.services import decide
from ui.terminal.amendment import own_content
from ui.terminal.console import Terminal
from ui.terminal.request_view import whole_text

CHANNEL = "cli"
KEYS = {
    Action.APPROVE: "a",
    Action.REQUEST_CHANGES: "c",
    Action.AMEND: "m",
    Action.ANSWER: "w",
    Action.REJECT: "r",
}
WORDS = {
    Action.APPROVE: "approve",
    Action.REQUEST_CHANGES: "request changes",
    Action.AMEND: "amend",
    Action.ANSWER: "answer",
    Action.REJECT: "reject",
}


@dataclass(frozen=True)
class Choice:
    """What a person wants to happen."""

    action: Action
    comment: str = ""
    content: Any = None


def send(
    request: HitlRequest,
    user: Any,
    choice: Choice,
    digest: str | None = None,
    *,
    break_glass: bool = False,
) -> Decision:
    """Through the one door. Raises DomainError."""
    with origin(channel=CHANNEL):
        return decide(
            request_id=request.pk,
            actor=Actor.of_user(user),
            action=choice.action,
            subject_digest=digest or request.subject_digest,
            comment=choice.comment,
            content=choice.content,
            channel=CHANNEL,
            break_glass=break_glass,
        )


def approvals_missing(request: HitlRequest) -> str:
    given = f"{request.approvals} of {request.required_approvals} approvals"
    return f"{given} are given; the work goes on when others have approved, too."


def ask_choice(terminal: Terminal, request: HitlRequest) -> Choice | None:
    """Ask until there is a decision; None leaves it to somebody else. Raises EOFError."""
    actions = [Action(action) for action in allowed_actions(request)]
    while True:
        said = terminal.ask(_menu(actions)).lower()
        if said in {"l", "later"}:
            return None
        if said in {"v", "view"}:
            terminal.page(whole_text(request))
            continue
        action = _chosen(said, actions)
        if action is None:
            terminal.say("Please type one of the letters or words above.", "yellow")
        elif choice := _complete(terminal, request, action):
            return choice


def _menu(actions: list[Action]) -> str:
    offered = [f"[{KEYS[action]}] {WORDS[action]}" for action in actions]
    return "\n" + "  ".join([*offered, "[v] view all", "[l] leave it to somebody else"]) + "\n> "


def _chosen(said: str, actions: list[Action]) -> Action | None:
    for action in actions:
        if said in {KEYS[action], WORDS[action], action.value}:
            return action
    return None


def _complete(terminal: Terminal, request: HitlRequest, action: Action) -> Choice | None:
    """What the action needs besides; None goes back to the menu."""
    match action:
        case Action.APPROVE:
            return Choice(action)
        case Action.REQUEST_CHANGES:
            return _with_comment(terminal, action, "What is to be changed?")
        case Action.REJECT:
            choice = _with_comment(terminal, action, "Why? The project stops with this reason.")
            return choice if choice and terminal.ask_yes("Stop the project?") else None
        case Action.ANSWER:
            return _with_answer(terminal, request)
        case Action.AMEND:
            return _with_content(terminal, request)


def _with_comment(terminal: Terminal, action: Action, question: str) -> Choice | None:
    comment = terminal.ask_text(question)
    return Choice(action, comment=comment) if comment else None


def _with_answer(terminal: Terminal, request: HitlRequest) -> Choice | None:
    questions = request.subject["questions"]
    if len(questions) < 2:
        answer = terminal.ask_text("Your answer")
        return Choice(Action.ANSWER, content=answer) if answer else None
    given = [terminal.ask_text(f"Answer to question {n}") for n, _ in enumerate(questions, 1)]
    answers = [f"{q} {answer}" for q, answer in zip(questions, given, strict=True) if answer]
    return Choice(Action.ANSWER, content="\n".join(answers)) if answers else None


def _with_content(terminal: Terminal, request: HitlRequest) -> Choice | None:
    content = own_content(terminal, request)
    return None if content is None else Choice(Action.AMEND, content=content)
