"""The assignment of an attempt: the handoff, and what of the store fits the model's budget."""

import hashlib
import json
from dataclasses import replace

from django.conf import settings
from django.db import connection

from agents.acceptance import own_tests_of
from agents.enums import AttemptOutcome
from agents.external import model_of
from agents.models import Task
from agents.protocols import MALFORMED_ANSWER, Answer, Assignment, Excerpt, Material, PermanentError
from agents.providers.prompts import excerpt_block, instructions_for, material_block, prompt_for
from agents.role import role_for, with_ground_rules
from agents.services import Claim
from agents.worker.cancellation import LeaseLost
from context.assembly import Built, Piece, Want, build_context, check_pinned, want_of
from context.enums import Form, Need
from context.parts import estimate_tokens
from core import sql
from core.ids import new_id

# The empty line between two blocks of a prompt.
GAP_TOKENS = 1
# One statement, so that nothing is written once another worker has the task.
RECORD = """
    INSERT INTO context_builds
        (id, project_id, task, attempt, fence, step, agent_type, model, budget, base_tokens,
         tokens, items, sha256, error_code, error_detail, created_at)
    SELECT %s, project_id, id, attempt, fence, step, agent_type, %s, %s, %s,
        %s, %s, %s, %s, %s, clock_timestamp()
    FROM tasks WHERE id = %s AND fence = %s AND status = 'working'
"""


def assignment_of(task: Task) -> Assignment:
    """All that the agent gets. Raises PermanentError, ContentChanged as the next one does."""
    bare = bare_assignment(task)
    built = _build_context(task, bare)
    return _with_context(task, bare, built) if built else bare


def assemble_assignment(claim: Claim) -> Assignment:
    """The same, and records the build before any call of a model.

    Raises PermanentError where a required artifact is missing or does not fit, ContentChanged where
    something is not what was pinned, and LeaseLost.
    """
    bare = bare_assignment(claim.task)
    built = _build_context(claim.task, bare)
    if built is None:
        return bare
    _record(claim, bare, built)
    return _with_context(claim.task, bare, built)


def _build_context(task: Task, bare: Assignment) -> Built | None:
    """None where the task needs nothing from the store and the prompt fits the budget."""
    model = model_of(task.project, task.agent_type)
    wants, tokens_left = wants_of(task), budget_of(model) - base_tokens(bare)
    if not wants and tokens_left >= 0:
        return None
    pinned = task.handoff.get("sha256", {})
    return build_context(wants, budget=tokens_left, weigh=weigh, pinned=pinned)


def wants_of(task: Task) -> list[Want]:
    """All materials of the handoff are required; what the step's `context` lists is added."""
    handed_over = [
        Want(Need.MUST, material["artifact_type"], ((material["artifact"], material["version"]),))
        for material in task.handoff.get("materials", [])
    ]
    return handed_over + [want_of(entry) for entry in task.handoff.get("context", [])]


def budget_of(model: str) -> int:
    """Tokens for a whole prompt: the model's own, its provider's, or the default."""
    budgets = settings.CONTEXT_BUDGETS
    return budgets.get(model) or budgets.get(model.partition(":")[0]) or settings.CONTEXT_BUDGET


def base_tokens(assignment: Assignment) -> int:
    """Tokens of the part that every prompt has, the rules of the role included."""
    role = with_ground_rules(role_for(assignment.agent_type).instructions)
    return max(
        estimate_tokens(instructions_for(role, artifact_type))
        + estimate_tokens(prompt_for(assignment, artifact_type))
        for artifact_type in assignment.expected
    )


def weigh(piece: Piece) -> int:
    """Tokens of the piece as a block of the prompt."""
    is_whole = is_material(piece)
    block = material_block(_material(piece)) if is_whole else excerpt_block(_excerpt(piece))
    return estimate_tokens(block) + GAP_TOKENS


def _with_context(task: Task, assignment: Assignment, built: Built) -> Assignment:
    if built.error:
        raise PermanentError(*built.error)
    # What the task's own earlier rounds made, by artifact and version.
    own = {
        (material["artifact"], material["version"])
        for material in task.handoff.get("materials", [])
        if material.get("revises")
    }
    materials = tuple(
        replace(material, revises=(material.artifact_id, material.version) in own)
        for material in (_material(piece) for piece in built.pieces if is_material(piece))
    )
    excerpts = tuple(_excerpt(piece) for piece in built.pieces if not is_material(piece))
    return replace(assignment, materials=materials, excerpts=excerpts)


def is_material(piece: Piece) -> bool:
    """Whether it is a whole document, in full."""
    return piece.form == Form.FULL and not piece.part


def _excerpt(piece: Piece) -> Excerpt:
    return Excerpt(
        piece.artifact_type, piece.title, piece.version, piece.part, str(piece.form), piece.text
    )


def _record(claim: Claim, bare: Assignment, built: Built) -> None:
    code, detail = built.error or ("", "")
    model = model_of(claim.task.project, claim.task.agent_type)
    numbers = [budget_of(model), base_tokens(bare), built.tokens]
    values = [new_id(), model, *numbers, json.dumps(built.items), built.sha256, code, detail]
    with connection.cursor() as cursor:
        cursor.execute(RECORD, [*values, claim.task.pk, claim.fence])
        if cursor.rowcount == 0:
            raise LeaseLost


def bare_assignment(task: Task) -> Assignment:
    """The stored handoff, before anything is taken from the store."""
    task.check_assignment()
    handoff, brief = task.handoff, task.project.brief
    if pinned := handoff.get("brief"):
        # As the handoff pins it, so that the prompt never shows two versions of it.
        (version,) = sql.fetch_one(
            "content_of_version", artifact=pinned["artifact"], number=pinned["version"]
        )
        check_pinned(version, handoff.get("sha256", {}))
        brief = version.content["text"]
    return Assignment(
        project_name=task.project.name,
        agent_type=task.agent_type,
        step=task.step,
        phase=task.phase,
        round=task.round,
        instructions=task.instructions,
        brief=brief,
        expected=tuple(handoff.get("expected_outputs", ["agent_output"])),
        answers=tuple(
            Answer(tuple(stored["questions"]), stored["answer"], stored["answered_by"])
            for stored in task.answers
        ),
        feedback=tuple(entry["comment"] for entry in handoff.get("feedback", [])),
        fault=fault_of_last_answer(task) if task.failures else "",
        own_tests=own_tests_of(task) if task.round > 1 else None,
        workflow=handoff.get("workflow", {}),
        key=work_key(task),
        fence=task.fence,
    )


def fault_of_last_answer(task: Task) -> str:
    """Where the last attempt brought an answer that did not fit, what was wrong with it."""
    ended = task.attempts.exclude(outcome=AttemptOutcome.RUNNING).order_by("-fence")
    last = ended.values_list("error_code", "error_detail").first()
    return last[1] if last and last[0] == MALFORMED_ANSWER else ""


def work_key(task: Task) -> str:
    """The same for every attempt of the same work; an answer or a comment makes it other work."""
    work = json.dumps([task.instructions, task.handoff, task.answers], sort_keys=True)
    return f"{task.pk}:{hashlib.sha256(work.encode()).hexdigest()[:16]}"


def _material(piece: Piece) -> Material:
    version, artifact = piece.source, piece.source.artifact
    return Material(
        artifact_id=piece.artifact,
        version=piece.version,
        artifact_type=piece.artifact_type,
        title=piece.title,
        content=piece.content,
        sha256=version.sha256,
        source_agent=artifact.source_agent,
        step=artifact.step,
        changed_by_person=artifact.source_agent != "" and version.was_changed_by_person,
    )
