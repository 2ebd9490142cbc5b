"""The transaction in which everything in a project is changed."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q

from audit.actors import Actor
from audit.event_types import EventType
from audit.services import Draft, record_all
from core.errors import Conflict, NotFound
from projects import hooks
from projects.access import check_role, role_of
from projects.models import Project

logger = logging.getLogger(__name__)
Row = TypeVar("Row", bound=models.Model)


class ProjectLocked(Exception):
    """Another transaction holds the project, or there is no such project."""


class ProjectTransaction:
    """A change within one project and all that follows from it, in one database transaction.

        with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
            tx.project.pause()
            ...
            tx.record(PROJECT_PAUSED, old="active", new="paused")

    Entering locks the project's row and checks the actor's role; rows below it are locked by
    `lock`, tasks before requests. Leaving without an error brings the status of the agents up to
    date, lets the engine advance in a savepoint if `request_advance` was called, and appends the
    events, last of all, because that locks the project's stream. Hooks for after the commit go to
    `on_commit`.

    If advancing fails, its savepoint is rolled back with its events and on-commit hooks; the change
    itself stands, and the project stays marked for the sweep. `project` is then loaded again.

    `project` is its id, or a Q that finds it by a row of it, as `Q(tasks=task_id)`; `missing` says
    what was not found then. Raises NotFound, Forbidden, and Conflict `erased` for a tombstone.
    """

    project: Project

    def __init__(
        self,
        project: UUID | Q,
        actor: Actor,
        *,
        require: frozenset[str] | None = None,
        missing: str = "project",
        skip_locked: bool = False,
    ) -> None:
        self.actor = actor
        #: The actor's role in the project: None for agents, and for users who are not members.
        self.role: str | None = None
        #: Number of actions that the engine took on leaving.
        self.actions = 0
        self._where = project if isinstance(project, Q) else Q(pk=project)
        self._require = require
        self._missing = missing
        self._skip_locked = skip_locked
        self._new: Project | None = None
        self._drafts: list[Draft] = []
        self._agent_types: set[str] = set()
        self._wants_advance = False

    @classmethod
    def creating(cls, project: Project, actor: Actor) -> Self:
        """Entering inserts this project; nobody else can know it, so there is nothing to lock."""
        tx = cls(project.pk, actor)
        tx._new = project
        return tx

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic())
            if self._new is not None:
                self._new.save(force_insert=True)
                project = self._new
            else:
                projects = Project.objects.lock(skip_locked=self._skip_locked)
                project = projects.filter(self._where).order_by().first()
            if project is None and self._skip_locked:
                raise ProjectLocked
            if project is None:
                detail = f"There is no such {self._missing}, or you may not see it."
                raise NotFound("not_found", detail)
            self.project = project
            # After the lock: a role that was taken away while this transaction waited is gone.
            if self.actor.user is not None and self._new is None:
                self.role = role_of(self.actor.user, project.pk)
                if self._require is not None:
                    check_role(self.role, self.actor.user, self._require, what=self._missing)
            if project.erased_at is not None:
                raise Conflict("erased", "This project was erased and can no longer change.")
            self._stack = stack.pop_all()
        return self

    def lock(self, model: type[Row], row: Any) -> Row:
        """A row of this project under lock, by its id or a Q: first tasks, then requests.

        Raises NotFound.
        """
        where = row if isinstance(row, Q) else Q(pk=row)
        rows = model._default_manager.select_for_update(no_key=True, of=("self",))
        row = rows.filter(where, project=self.project.pk).order_by().first()
        if row is None:
            raise NotFound("not_found", f"There is no such {model._meta.verbose_name}.")
        row.project = self.project
        return row

    def record(
        self,
        event_type: EventType,
        *,
        actor: Actor | None = None,
        task: Any = None,
        request: Any = None,
        **data: Any,
    ) -> None:
        """A fact for the log. `task` and `request` are rows or ids; `data` may be read by every
        member: ids, names, old and new state, never contents."""
        if request is not None and task is None:
            task = getattr(request, "task_id", None)
        self._drafts.append(
            Draft(
                event_type,
                actor or self.actor,
                data,
                task=getattr(task, "pk", task),
                hitl_request=getattr(request, "pk", request),
            )
        )

    def refresh_agent(self, agent_type: str) -> None:
        """A task of this agent changed: its status is looked at when the transaction ends."""
        self._agent_types.add(str(agent_type))

    def request_advance(self) -> None:
        """Let the engine advance the project at the end of this transaction."""
        self._wants_advance = True

    def on_commit(self, hook: Callable[[], Any]) -> None:
        """Run a hook after the commit. One that fails is logged, and the others still run."""
        transaction.on_commit(hook, robust=True)

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error_type is not None:
            self._stack.__exit__(error_type, error, traceback)
            return
        with self._stack:
            self._refresh_agents()
            if self._wants_advance:
                self._advance()
                self._refresh_agents()
            if self._drafts:
                record_all(self.project.pk, self._drafts, is_new=self._new is not None)

    def _refresh_agents(self) -> None:
        if self._agent_types:
            agent_types, self._agent_types = sorted(self._agent_types), set()
            hooks.run("agents_changed", self, agent_types)

    def _advance(self) -> None:
        drafts = len(self._drafts)
        try:
            with transaction.atomic():
                self.actions = sum(hooks.run("advance", self))
        except Exception as error:
            logger.exception("advance failed", extra={"project": str(self.project.pk)})
            del self._drafts[drafts:]
            self._agent_types = set()
            # What advancing changed in memory was rolled back.
            self.project = Project.objects.get(pk=self.project.pk)
            hooks.run("advance_failed", self, error)
