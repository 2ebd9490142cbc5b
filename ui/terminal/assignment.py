"""What people do about a request beside deciding, and the policy, from a terminal."""

import json
from typing import Any

from django.core.management.base import CommandError

from audit.actors import Actor
from audit.request_context import origin
from core.errors import InvalidInput
from hitl.models import HitlRequest
from hitl.policy import as_dict, policy_of
from hitl.services import (
    add_comment,
    change_policy,
    claim_request,
    reassign_request,
    release_request,
)
from projects.models import Project
from ui.terminal.console import Terminal
from ui.terminal.decisions import CHANNEL
from ui.terminal.people import named_user

HANDS = {
    "claim": "have it for yourself for a while",
    "release": "give it back to all who may decide",
    "reassign": "hand it on to another member, --to NAME",
    "comment": "say something in its thread, --text TEXT",
}


def hand(
    terminal: Terminal, request: HitlRequest, user: Any, what: str, options: dict[str, Any]
) -> None:
    """Raises DomainError."""
    about = {"request_id": request.pk, "actor": Actor.of_user(user)}
    with origin(channel=CHANNEL):
        match what:
            case "claim":
                done = claim_request(**about)
                terminal.say(f"{request.pk}: yours until {done.claimed_until:%Y-%m-%d %H:%M} UTC")
            case "release":
                release_request(**about)
                terminal.say(f"{request.pk}: released")
            case "reassign":
                reassign_request(**about, user=named_user(options["to"]))
                terminal.say(f"{request.pk}: {options['to']} has it")
            case "comment":
                add_comment(**about, text=options["text"])
                terminal.say(f"{request.pk}: said")


def show_or_change_policy(
    terminal: Terminal, project: Project, user: Any, assignments: list[str]
) -> None:
    """Raises DomainError."""
    if changes := dict(_assignment(one) for one in assignments):
        with origin(channel=CHANNEL):
            change_policy(project_id=project.pk, actor=Actor.of_user(user), **changes)
    for name, value in as_dict(policy_of(project.pk)).items():
        terminal.say(f"{name} = {json.dumps(value)}")


def _assignment(text: str) -> tuple[str, Any]:
    """`name=value`, the value as JSON; a bare word is text."""
    name, sign, value = text.partition("=")
    if not sign or name not in as_dict(policy_of(None)):
        known = ", ".join(as_dict(policy_of(None)))
        raise CommandError(f"Set one of {known}, as name=value.")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    _check_type(name, parsed)
    return name, parsed


def _check_type(name: str, value: Any) -> None:
    kinds = {
        "prevent_self_approval": bool,
        "answers_count_as_content": bool,
        "required_approvals": int,
        "roles_by_kind": dict,
        "roles_by_phase": dict,
        "on_timeout": str,
    }
    is_time = name.endswith("_after")
    wanted = int if is_time else kinds[name]
    if (is_time and value is None) or type(value) is wanted:
        return
    raise InvalidInput.of(name, "invalid", f"{name} takes {wanted.__name__}, as JSON.")
