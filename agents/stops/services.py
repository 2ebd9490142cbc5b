"""Activate and release an emergency stop.

The stop is one committed row, which waits for nothing: no project's lock, no Redis. What follows
from it (events in the logs, enqueuing after the release) is done in bounded pieces, and the sweep
repeats it until it is done.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.enums import StopLevel
from agents.events import EMERGENCY_STOP_ACTIVATED, EMERGENCY_STOP_RELEASED
from agents.models import WORKER_SEEN_SECONDS, EmergencyStop, StopNotice
from agents.queue import enqueue_task_on_commit
from agents.stops.pubsub import publish_stop_hint
from audit.actors import Actor
from audit.event_types import EventType
from core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from core.ids import new_id
from core.text import is_storable
from projects import hooks
from projects.access import MANAGE, authorize, get_visible_project, role_of
from projects.agent_types import agent_types
from projects.enums import Role
from projects.transaction import ProjectTransaction

logger = logging.getLogger(__name__)

REASON_MAX_LENGTH = 2_000
TRIES = 5
STOP_EVERYTHING = "agents.stop_everything"
# In the logs of how many projects a request, and a sweep, records a stop at most.
NOTICES_AT_ONCE = 50
NOTICES_A_SWEEP = 200

ACTIVATE = """
    INSERT INTO emergency_stops
        (id, project_id, agent_type, level, reason, activated_by_id, activated_at, release_reason)
    VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp(), '')
    ON CONFLICT (project_id, agent_type) WHERE released_at IS NULL DO NOTHING
    RETURNING id
"""
EXPECT = """
    INSERT INTO emergency_stop_acknowledgements (stop_id, worker)
    SELECT %(stop)s::uuid, name FROM worker_processes
    WHERE kind = 'process' AND seen_at > clock_timestamp() - make_interval(secs => %(seconds)s)
    UNION
    SELECT stop.id, tasks.worker FROM tasks, emergency_stops AS stop
    WHERE stop.id = %(stop)s AND tasks.status = 'working' AND tasks.worker LIKE 'external:%%'
      AND (stop.project_id IS NULL OR stop.project_id = tasks.project_id)
      AND stop.agent_type IN ('', tasks.agent_type)
"""
NOTICE = """
    INSERT INTO emergency_stop_notices (stop_id, project_id, is_release_due)
    SELECT %(stop)s, projects.id, %(due)s FROM projects WHERE {which}
    ON CONFLICT (stop_id, project_id) DO UPDATE SET is_release_due = EXCLUDED.is_release_due
"""
NOTICE_OF_PROJECT = NOTICE.format(which="projects.id = %(project)s")
# What is at work or may begin to be; the other projects have nothing to stop.
NOTICES_OF_ALL_AT_WORK = NOTICE.format(
    which="""projects.status = 'active' OR (projects.status = 'draft' AND EXISTS (
        SELECT 1 FROM tasks WHERE tasks.project_id = projects.id
          AND tasks.status NOT IN ('completed', 'failed', 'cancelled')))"""
)
ACKNOWLEDGE = """
    UPDATE emergency_stop_acknowledgements SET acknowledged_at = clock_timestamp()
    WHERE worker = %s AND stop_id = ANY(%s) AND acknowledged_at IS NULL
"""
ENQUEUE_WAITING = """
    UPDATE tasks SET rung_at = clock_timestamp()
    WHERE project_id = %s AND status = 'pending' AND run_after <= clock_timestamp()
    RETURNING id
"""


@transaction.atomic
def activate_emergency_stop(
    *, actor: Actor, reason: str, project_id: UUID | None = None, agent_type: str = ""
) -> tuple[EmergencyStop, bool]:
    """Stop all agents, or one type, everywhere or in a project; whether this call did it.

    An active stop of the same scope stays as it is; where it was set at another level, both hold
    it from now on. Raises NotFound, Forbidden, InvalidInput, Conflict.
    """
    level = _level_of(actor, project_id, agent_type)
    reason = _check_reason(reason)
    scope = EmergencyStop.objects.of_scope(project_id, agent_type)
    for _ in range(TRIES):
        stop_id = new_id()
        with connection.cursor() as cursor:
            values = [stop_id, project_id, agent_type, str(level), reason, actor.user.pk]
            cursor.execute(ACTIVATE, values)
            is_new = cursor.fetchone() is not None
            if is_new:
                cursor.execute(EXPECT, {"stop": stop_id, "seconds": WORKER_SEEN_SECONDS})
                _insert_notices(cursor, stop_id, project_id, is_release_due=False)
                transaction.on_commit(partial(_announce, stop_id), robust=True)
        # None where the active stop of this scope was released just now.
        standing = scope.active().select_related("project", "activated_by")
        if stop := standing.select_for_update(no_key=True, of=("self",)).first():
            if stop.held_at not in (level, StopLevel.BOTH):
                _set_level(stop, StopLevel.BOTH, EMERGENCY_STOP_ACTIVATED, actor, reason, level)
            return stop, is_new
    raise Conflict("released_meanwhile", "The stop is being released at the same time; try again.")


@transaction.atomic
def release_emergency_stop(
    *, actor: Actor, reason: str, project_id: UUID | None = None, agent_type: str = ""
) -> tuple[EmergencyStop, bool]:
    """Let the work go on at once, as far as no other stop covers it; whether this call did it.

    Only from the level that set it: who owns the project can't release what an operator stopped in
    it, nor an operator what an owner stopped. A stop that both hold stands until both release it.

    Where it is released already, returns the last stop of the scope. Raises NotFound where there
    never was a stop, Forbidden, InvalidInput.
    """
    level = _level_of(actor, project_id, agent_type)
    reason = _check_reason(reason)
    stops = EmergencyStop.objects.of_scope(project_id, agent_type)
    last = stops.order_by("-activated_at").select_for_update(no_key=True).first()
    if last is None:
        raise NotFound("not_stopped", "There is no emergency stop of this scope to release.")
    if not last.is_active:
        return last, False
    if last.held_at == StopLevel.BOTH:
        others = {StopLevel.PROJECT, StopLevel.INSTALLATION} - {level}
        _set_level(last, others.pop(), EMERGENCY_STOP_RELEASED, actor, reason, level)
        return last, False
    if last.held_at != level:
        raise Forbidden("stopped_at_another_level", HELD[last.held_at], level=str(last.held_at))
    last.released_by, last.release_reason, last.released_at = actor.user, reason, Now()
    last.save(update_fields=["released_by", "release_reason", "released_at"])
    last.refresh_from_db()
    with connection.cursor() as cursor:
        _insert_notices(cursor, last.pk, project_id, is_release_due=True)
    last.notices.update(is_release_due=True)
    transaction.on_commit(lambda: _announce(last.pk), robust=True)
    return last, True


def acknowledge_stops(worker: str, stops: Sequence[UUID]) -> None:
    """Nothing that these stops cover runs in this process any more."""
    with connection.cursor() as cursor:
        cursor.execute(ACKNOWLEDGE, [worker, list(stops)])


HELD = {
    StopLevel.PROJECT: "An owner of the project stopped it, so only an owner of it can release it.",
    StopLevel.INSTALLATION: "An operator stopped this project, so only an operator can release it.",
}


def _set_level(
    stop: EmergencyStop,
    level: StopLevel,
    event_type: EventType,
    actor: Actor,
    reason: str,
    told: StopLevel,
) -> None:
    """The stop stands as before, held by one more level or by one less."""
    stop.level = level
    stop.save(update_fields=["level"])

    def tell() -> None:
        data = {"stop": str(stop.pk), "scope": stop.scope, "agent_type": stop.agent_type}
        with ProjectTransaction(stop.project_id, actor) as tx:
            tx.record(event_type, reason=reason, level=str(told), still_held=str(level), **data)

    transaction.on_commit(tell, robust=True)


def may_stop_everything(user: Any) -> bool:
    return user.has_perm(STOP_EVERYTHING)


def _level_of(actor: Actor, project_id: UUID | None, agent_type: str) -> StopLevel:
    """At which level this person stops and releases. Raises NotFound, Forbidden, InvalidInput."""
    if agent_type and agent_type not in agent_types.values:
        detail = f"There is no such agent type. Use one of: {', '.join(agent_types.values)}."
        raise InvalidInput.of("agent_type", "invalid_choice", detail)
    if project_id is not None:
        get_visible_project(actor.user, project_id)
        authorize(actor, project_id, MANAGE)
        is_owner = role_of(actor.user, project_id) == Role.OWNER
        return StopLevel.PROJECT if is_owner else StopLevel.INSTALLATION
    if not may_stop_everything(actor.user):
        detail = (
            "To stop or release all projects, an account needs the permission "
            f"{STOP_EVERYTHING}. Name a project that you own."
        )
        raise Forbidden("permission_required", detail, permission=STOP_EVERYTHING)
    return StopLevel.INSTALLATION


def _check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidInput.of("reason", "blank", "Give a reason: everybody concerned will read it.")
    if len(reason) > REASON_MAX_LENGTH:
        detail = f"Shorten the reason to at most {REASON_MAX_LENGTH:,} characters."
        raise InvalidInput.of("reason", "max_length", detail)
    if not is_storable(reason):
        raise InvalidInput.of("reason", "binary", "The reason is not plain text.")
    return reason


def _insert_notices(
    cursor: Any, stop_id: UUID, project_id: UUID | None, *, is_release_due: bool
) -> None:
    statement = NOTICE_OF_PROJECT if project_id else NOTICES_OF_ALL_AT_WORK
    cursor.execute(statement, {"stop": stop_id, "project": project_id, "due": is_release_due})


def _announce(stop_id: UUID) -> None:
    publish_stop_hint()
    record_stop_notices(NOTICES_AT_ONCE, stop_id=stop_id)


def record_stop_notices(limit: int = NOTICES_A_SWEEP, *, stop_id: UUID | None = None) -> int:
    """Record stops and releases in the logs that lack them, and let released work go on."""
    notices = StopNotice.objects.filter(
        Q(activation_told_at__isnull=True) | Q(is_release_due=True, release_told_at__isnull=True)
    )
    if stop_id is not None:
        notices = notices.filter(stop=stop_id)
    recorded = 0
    for notice_id, project_id in list(
        notices.order_by("id").values_list("pk", "project_id")[:limit]
    ):
        try:
            recorded += _record_notice(notice_id, project_id)
        except (DatabaseError, DomainError):
            # One project that cannot be locked must not hold up the others.
            logger.exception("emergency stop not recorded", extra={"project": str(project_id)})
    return recorded


def _record_notice(notice_id: int, project_id: UUID) -> bool:
    with ProjectTransaction(project_id, Actor.of_system("emergency_stop")) as tx:
        notice = StopNotice.objects.select_for_update(no_key=True).get(pk=notice_id)
        # Read after the wait for the lock: a join would still show the stop as it was before.
        stops = EmergencyStop.objects.select_related("activated_by", "released_by")
        stop = stops.get(pk=notice.stop_id)
        data = {"stop": str(stop.pk), "scope": stop.scope, "agent_type": stop.agent_type}
        data["level"] = str(stop.held_at)
        is_recorded = False
        if notice.activation_told_at is None:
            notice.activation_told_at, is_recorded = Now(), True
            actor = Actor.of_user(stop.activated_by)
            event_type = EMERGENCY_STOP_ACTIVATED
            tx.record(event_type, actor=actor, reason=stop.reason, **data)
        if notice.is_release_due and notice.release_told_at is None:
            notice.release_told_at, is_recorded = Now(), True
            actor = Actor.of_user(stop.released_by)
            event_type = EMERGENCY_STOP_RELEASED
            tx.record(event_type, actor=actor, reason=stop.release_reason, **data)
            # All tasks whose claim may have been refused meanwhile.
            with connection.cursor() as cursor:
                cursor.execute(ENQUEUE_WAITING, [project_id])
                for (task_id,) in cursor.fetchall():
                    enqueue_task_on_commit(task_id)
        if is_recorded:
            notice.save(update_fields=["activation_told_at", "release_told_at"])
            hooks.run("status_changed", tx)
            tx.request_advance()
        return is_recorded
