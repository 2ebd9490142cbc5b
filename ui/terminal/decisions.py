"""Decisions from a terminal, on what was shown there and nothing else, and who has a request."""

import json
from dataclasses import dataclass
from typing import Any

import jsonschema
from django.core.management.base import CommandError

from agents.enums import RequestKind
from audit.actors import Actor
from audit.request_context import origin
from core.errors import InvalidInput
from hitl.enums import Assurance
from hitl.models import Decision, HitlRequest
from hitl.policy import as_dict, policy_of, with_floor
from hitl.presenter import PresentedAction, PresentedRequest, present_request
from hitl.selectors import loosenings_of, pending_loosening
from hitl.services import (
    add_comment,
    change_policy,
    claim_request,
    decide,
    reassign_request,
    release_request,
)
from projects.floor import installation_floor
from projects.models import Project
from ui.terminal.console import Terminal
from ui.terminal.editor import EditingError, ask_content, parse
from ui.terminal.lookup import named_user
from ui.terminal.requests import whole_text
from ui.wording import approvals_given, changes_text, loosening_text, timestamp

CHANNEL = "cli"
ASSIGNMENTS = {
    "claim": "keep it for yourself for a while",
    "release": "give it back to everybody who may decide",
    "reassign": "hand it to another member, --to NAME",
    "comment": "add to its discussion, --text TEXT",
}
POLICY_TYPES = {
    "prevent_self_approval": bool,
    "answers_count_as_content": bool,
    "required_approvals": int,
    "roles_by_kind": dict,
    "roles_by_phase": dict,
    "reauthenticate": list,
    "ask_before_tools": list,
    "on_timeout": str,
}


@dataclass(frozen=True)
class Choice:
    """What a person has decided."""

    action: str
    comment: str = ""
    content: Any = None


def send_decision(
    request: HitlRequest,
    user: Any,
    choice: Choice,
    digest: str | None = None,
    *,
    break_glass: bool = False,
) -> Decision:
    """Raises DomainError."""
    with origin(channel=CHANNEL):
        return decide(
            request_id=request.pk,
            actor=Actor.of_user(user),
            action=choice.action,
            subject_digest=digest or request.subject_digest,
            comment=choice.comment,
            content=choice.content,
            channel=CHANNEL,
            assurance=Assurance.TERMINAL,
            break_glass=break_glass,
        )


def approvals_missing(request: HitlRequest) -> str:
    return f"{approvals_given(request)} so far. The work continues when others have approved too."


def ask_choice(terminal: Terminal, request: HitlRequest, user: Any) -> Choice | None:
    """Ask until there is a decision; None leaves it to somebody else. Raises EOFError."""
    presented = present_request(request, user)
    offered = [f"[{action.shortcut}] {action.label.lower()}" for action in presented.actions]
    menu = "\n" + "  ".join([*offered, "[v] view all", "[l] leave it to somebody else"]) + "\n> "
    while True:
        reply = terminal.ask(menu).lower()
        if reply in {"l", "later"}:
            return None
        if reply in {"v", "view"}:
            terminal.page(whole_text(request, user))
            continue
        for action in presented.actions:
            if reply in {action.shortcut, action.label.lower(), action.key}:
                if choice := _complete(terminal, presented, action):
                    return choice
                break
        else:
            terminal.say("Please type one of the letters or words above.", "yellow")


def _complete(
    terminal: Terminal, presented: PresentedRequest, action: PresentedAction
) -> Choice | None:
    """Ask for what the action needs besides; None goes back to the menu."""
    comment, content = "", None
    if action.needs_comment:
        comment = terminal.ask_text(action.comment_question)
        if not comment:
            return None
    if action.needs_content:
        content = _ask_content(terminal, presented, action)
        if content is None:
            return None
    if action.is_destructive:
        terminal.say(action.consequence, "yellow")
        if not terminal.ask_yes(f"{action.label}?"):
            return None
    return Choice(action.key, comment, content)


def _ask_content(terminal: Terminal, presented: PresentedRequest, action: PresentedAction) -> Any:
    if action.key != "answer":
        return ask_content(terminal, presented)
    questions = presented.subject["questions"]
    if len(questions) < 2:
        answer = terminal.ask_text("Your answer")
        try:
            return answer_from(answer, presented.request) if answer else None
        except EditingError as error:
            terminal.write(str(error), "red")
            return None
    replies = [terminal.ask_text(f"Answer to question {n}") for n, _ in enumerate(questions, 1)]
    pairs = zip(questions, replies, strict=True)
    return "\n".join(f"{question} {reply}" for question, reply in pairs if reply) or None


def answer_from(text: str, request: HitlRequest) -> Any:
    """The text, or what the schema of the agent's question makes of it. Raises EditingError."""
    action = request.agent_action
    if action is None or action.response_schema is None or request.kind == RequestKind.ESCALATION:
        return text
    is_text = jsonschema.Draft202012Validator(action.response_schema).is_valid(text)
    return text if is_text else parse(text, "Your answer")


def change_assignment(
    terminal: Terminal, request: HitlRequest, user: Any, verb: str, options: dict[str, Any]
) -> None:
    """Raises DomainError."""
    arguments = {"request_id": request.pk, "actor": Actor.of_user(user)}
    with origin(channel=CHANNEL):
        match verb:
            case "claim":
                claimed = claim_request(**arguments)
                terminal.say(f"{request.pk}: yours until {timestamp(claimed.claimed_until)}")
            case "release":
                release_request(**arguments)
                terminal.say(f"{request.pk}: released")
            case "reassign":
                reassign_request(**arguments, user=named_user(options["to"]))
                terminal.say(f"{request.pk}: reassigned to {options['to']}")
            case "comment":
                add_comment(**arguments, text=options["text"])
                terminal.say(f"{request.pk}: comment added")


def show_or_change_policy(
    terminal: Terminal, project: Project, user: Any, assignments: list[str]
) -> None:
    """Raises DomainError, and CommandError for what is not `name=value`."""
    if changes := dict(_parse_setting(text) for text in assignments):
        with origin(channel=CHANNEL):
            change_policy(project_id=project.pk, actor=Actor.of_user(user), **changes)
    policy = with_floor(policy_of(project.pk), installation_floor())
    for name, value in as_dict(policy).items():
        terminal.say(f"{name} = {json.dumps(value)}")
    terminal.say(f"The installation's floor: {json.dumps(policy.floor.as_dict())}", "dim")
    if loosening := pending_loosening(project):
        who = loosening.proposed_by.get_username()
        text = f"Waits for another owner: {changes_text(loosening.changes)} (proposed by {who})"
        terminal.say(text, "yellow")
    for loosening in loosenings_of(project):
        terminal.say(f"Loosened by one person alone: {loosening_text(loosening)}", "red")


def _parse_setting(text: str) -> tuple[str, Any]:
    """`name=value`, the value as JSON; a bare word is text."""
    name, sign, value = text.partition("=")
    names = as_dict(policy_of(None))
    if not sign or name not in names:
        raise CommandError(f"Set one of {', '.join(names)}, as name=value.")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    is_time = name.endswith("_after")
    expected = int if is_time else POLICY_TYPES[name]
    if type(parsed) is not expected and not (is_time and parsed is None):
        raise InvalidInput.of(name, "invalid", f"{name} takes {expected.__name__}, as JSON.")
    return name, parsed
