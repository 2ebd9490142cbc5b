"""Types of agents as rows: read by every process, changed by who runs the installation."""

import hashlib
import re
from copy import copy
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from agents.events import AGENT_TYPE_CHANGED, AGENT_TYPE_DELETED
from agents.models import AgentType, Task
from agents.providers import EXTERNAL
from agents.role import ModelRole
from agents.tool import tools
from audit.actors import Actor
from audit.installation import record_installation
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.text import is_storable
from projects import hooks
from projects.agent_types import Entry, agent_types
from projects.enums import Phase

NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")
MODEL = re.compile(r"[\w.-]+(:[^\s:][^\s]*)?")
PERMISSION = "agents.change_agenttype"
LIMITS = ("max_turns", "max_tokens", "max_seconds")
INSTRUCTIONS_MAX = 20_000
LIMIT_MAX = 2**31 - 1


@dataclass(frozen=True)
class Description:
    """A type as it holds: what its row leaves open is as it ships, or as the settings say."""

    name: str
    title: str
    phase: str
    instructions: str
    model: str
    tools: list[str]
    ask_before: list[str]
    max_turns: int | None
    max_tokens: int | None
    max_seconds: int | None
    is_shipped: bool


FIELDS = [field.name for field in fields(Description) if field.name not in ("name", "is_shipped")]


def read_rows() -> list[Entry]:
    """For the registry."""
    if connection.needs_rollback:
        raise RuntimeError("the transaction is broken")
    if not connection.in_atomic_block:
        rows = list(AgentType.objects.all())
    else:
        # A table that is not there yet must not break what somebody else does.
        with transaction.atomic():
            rows = list(AgentType.objects.all())
    return [Entry(row.name, row.title, order_of(row.phase), _role_maker(row)) for row in rows]


def order_of(phase: str) -> int:
    return list(Phase).index(Phase(phase))


def _role_maker(row: AgentType) -> Any:
    def role(shipped: Any) -> Any:
        made = ModelRole() if shipped is None else copy(shipped)
        made.agent_type, made.is_own = row.name, shipped is None
        made.title, made.phase = row.title, row.phase
        made.instructions = row.instructions or getattr(shipped, "instructions", "")
        made.model = row.model
        if row.tools is not None:
            made.tools = tuple(name for name in row.tools if name in tools)
        made.asks = tuple(row.ask_before)
        for name in LIMITS:
            setattr(made, name, getattr(row, name))
        return made

    return role


def describe(name: str) -> Description:
    """Raises NotFound."""
    role = agent_types.get(name)
    if role is None:
        names = ", ".join(agent_types.values)
        raise NotFound("not_found", f"There is no such agent type. Use one of: {names}.")
    return Description(
        name=name,
        title=agent_types.label(name),
        phase=str(role.phase),
        instructions=role.instructions,
        model=getattr(role, "model", ""),
        tools=list(getattr(role, "tools", ())),
        ask_before=list(getattr(role, "asks", ())),
        max_turns=getattr(role, "max_turns", None),
        max_tokens=getattr(role, "max_tokens", None),
        max_seconds=getattr(role, "max_seconds", None),
        is_shipped=agent_types.is_shipped(name),
    )


def save_agent_type(*, actor: Actor, name: str, is_new: bool | None = None, **values: Any) -> None:
    """Make one, or change what is given of it. `is_new`: None for whichever it is.

    Of one that ships, empty instructions, an empty model and null are as it ships again. Work that
    begins from then on follows it. Raises Forbidden, NotFound, Conflict `agent_type_exists`,
    InvalidInput.
    """
    _check_may(actor)
    with transaction.atomic():
        row = AgentType.objects.select_for_update().filter(pk=name).first()
        is_shipped = agent_types.is_shipped(name)
        exists = row is not None or is_shipped
        if is_new and exists:
            raise Conflict("agent_type_exists", f"There is an agent type {name!r} already.")
        if is_new is False and not exists:
            raise NotFound("not_found", f"There is no agent type {name!r}.")
        if row is None:
            row = AgentType(name=name, is_shipped=is_shipped, created_by=actor.user)
            if is_shipped:
                row.title, row.phase = agent_types.label(name), agent_types[name].phase
        old = {field: getattr(row, field) for field in FIELDS}
        for field, value in values.items():
            setattr(row, field, value)
        _check(row)
        row.save()
        changed = {
            field: {"old": old[field], "new": getattr(row, field)}
            for field in FIELDS
            if exists and field != "instructions" and old[field] != getattr(row, field)
        }
        if old["instructions"] != row.instructions:
            changed["instructions"] = True
        facts = {"agent_type": name, "is_new": not exists, "changed": changed}
        record_installation(AGENT_TYPE_CHANGED, actor, **facts, row=_facts_of(row))
        transaction.on_commit(agent_types.refresh)


def _facts_of(row: AgentType) -> dict[str, Any]:
    """All that the row says, as the log has it: of the instructions their hash."""
    facts = {field: getattr(row, field) for field in FIELDS if field != "instructions"}
    sha256 = hashlib.sha256(row.instructions.encode()).hexdigest()
    return facts | {"is_shipped": row.is_shipped, "instructions_sha256": sha256}


def delete_agent_type(*, actor: Actor, name: str) -> None:
    """Raises Forbidden, NotFound, Conflict `agent_type_shipped` and `agent_type_in_use`."""
    _check_may(actor)
    with transaction.atomic():
        if agent_types.is_shipped(name):
            detail = f"{name} comes with the product; it can be changed, not deleted."
            raise Conflict("agent_type_shipped", detail)
        row = AgentType.objects.select_for_update().filter(pk=name).first()
        if row is None:
            raise NotFound("not_found", f"There is no agent type {name!r}.")
        if Task.objects.filter(agent_type=name).exists():
            detail = f"Work of {name} is on record. Change it, or leave it as it is."
            raise Conflict("agent_type_in_use", detail)
        hooks.run("agent_type_deleted", name)
        row.delete()
        record_installation(AGENT_TYPE_DELETED, actor, agent_type=name)
        transaction.on_commit(agent_types.refresh)


def may_change_agent_types(user: Any) -> bool:
    return bool(user is not None and user.has_perm(PERMISSION))


def _check_may(actor: Actor) -> None:
    if not may_change_agent_types(actor.user):
        detail = "Only who runs the installation changes the types of agents; ask a superuser."
        raise Forbidden("role_too_low", detail)


def _check(row: AgentType) -> None:
    """Raises InvalidInput, which names the field."""

    def refuse(field: str, code: str, detail: str) -> InvalidInput:
        return InvalidInput.of(field, code, detail)

    if not NAME.fullmatch(row.name):
        detail = "Begin with a letter; 1 to 20 of a-z, 0-9 and _."
        raise refuse("name", "invalid", detail)
    if not row.title.strip() or len(row.title) > 100 or not is_storable(row.title):
        raise refuse("title", "invalid", "Write 1 to 100 characters.")
    if row.phase not in Phase.values:
        raise refuse("phase", "invalid_choice", f"Use one of {', '.join(Phase.values)}.")
    if not row.instructions.strip() and not row.is_shipped:
        raise refuse("instructions", "required", "Say who the agent is and how it works.")
    if len(row.instructions) > INSTRUCTIONS_MAX or not is_storable(row.instructions):
        raise refuse("instructions", "invalid", f"At most {INSTRUCTIONS_MAX:,} plain characters.")
    is_named = ":" in row.model or row.model in (EXTERNAL, *settings.MODEL_PROVIDERS)
    if row.model and (len(row.model) > 200 or not MODEL.fullmatch(row.model) or not is_named):
        detail = "Use demo, external, or provider:model, such as openai:gpt-x."
        raise refuse("model", "invalid", detail)
    for field in ("tools", "ask_before"):
        names = getattr(row, field) or []
        if unknown := sorted(set(names) - set(tools.values)):
            detail = f"There is no tool {unknown[0]!r}. Use {', '.join(tools.values)}."
            raise refuse(field, "invalid_choice", detail)
        if len(set(names)) != len(names):
            raise refuse(field, "repeated", "Name each tool once.")
    for field in LIMITS:
        number = getattr(row, field)
        if number is not None and not 1 <= number <= LIMIT_MAX:
            raise refuse(field, "out_of_range", "At least 1, or null for the settings' own.")
