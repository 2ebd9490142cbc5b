"""The transaction in which everything in a project is changed."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from uuid import UUID

from django.db import models, transaction

from audit.actors import Actor
from audit.event_types import EventType
from audit.services import Draft, Head, record_all
from core import sql
from core.database import is_database_away
from core.errors import Conflict, NotFound
from projects import hooks
from projects.access import check_role, role_of
from projects.models import Project

logger = logging.getLogger(__name__)
Row = TypeVar("Row", bound=models.Model)


class ProjectLocked(Exception):
    """Another transaction holds the project, or there is no such project."""


@dataclass(frozen=True)
class ProjectOf:
    """The project that a row belongs to."""

    kind: Literal["task", "request", "artifact", "action"]
    id: UUID


class ProjectTransaction:
    """A change within one project and all that follows from it, in one database transaction.

        with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
            tx.project.pause()
            ...
            tx.record(PROJECT_PAUSED, old="active", new="paused")

    Entering locks the project's row, with the head of its event stream, and checks the actor's
    role; rows below it are locked by `lock`, tasks before requests. Leaving without an error lets
    the engine advance in a savepoint if `request_advance` was called, brings the status of the
    agents up to date, and appends the events. Hooks for after the commit go to `on_commit`.

    If advancing fails, its savepoint is rolled back with its events and on-commit hooks; the change
    itself stands, and the project stays marked for the sweep. `project` is then loaded again.

    `project` is its id, or a row of it: `ProjectOf("task", task_id)`; `missing` says what was not
    found then. Raises NotFound, Forbidden, and Conflict `erased` for a tombstone.
    """

    project: Project

    def __init__(
        self,
        project: UUID | ProjectOf,
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
        self._where = project
        self._require = require
        self._missing = missing
        self._skip_locked = skip_locked
        self._new: Project | None = None
        self._head: Head | None = None
        self._drafts: list[Draft] = []
        self._agent_types: set[str] = set()
        #: Ids of the tasks that this transaction has created.
        self.created_tasks: list[UUID] = []
        self._wants_advance = False
        self._after_advance: list[Callable[[], Any]] = []

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
                project = self._lock_project()
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

    def _lock_project(self) -> Project | None:
        name, row_id = "lock_project", self._where
        if isinstance(row_id, ProjectOf):
            name, row_id = f"lock_project_of_{row_id.kind}", row_id.id
        row = sql.fetch_one(f"{name}_or_skip" if self._skip_locked else name, row=row_id)
        if row is None:
            return None
        project, *head = row
        self._head = Head(*head)
        return project

    def lock(self, model: type[Row], row_id: UUID) -> Row:
        """A row of this project under lock: first tasks, then requests. Raises NotFound."""
        rows = model._default_manager.select_for_update(no_key=True, of=("self",))
        row = rows.filter(pk=row_id, project=self.project.pk).order_by().first()
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

    def after_advance(self, step: Callable[[], Any]) -> None:
        """Do this in the same transaction, once the engine has advanced."""
        self._after_advance.append(step)

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
            changes = len(self._drafts)
            if self._wants_advance:
                self._advance()
            for step in self._after_advance:
                step()
            if self._agent_types:
                consequences = self._drafts[changes:]
                del self._drafts[changes:]
                # In the log, before what the engine did: a project's last event says how it ended.
                hooks.run("agents_changed", self, sorted(self._agent_types))
                self._drafts += consequences
            if self._drafts:
                is_new = self._new is not None
                record_all(self.project.pk, self._drafts, head=self._head, is_new=is_new)

    def _advance(self) -> None:
        drafts, agent_types = len(self._drafts), set(self._agent_types)
        try:
            with transaction.atomic():
                self.actions = sum(hooks.run("advance", self))
        except Exception as error:
            if is_database_away(error):
                # Nothing of the transaction is left.
                raise
            logger.exception("advance failed", extra={"project": str(self.project.pk)})
            del self._drafts[drafts:]
            self._agent_types = agent_types
            self.created_tasks.clear()
            # What advancing changed in memory was rolled back.
            self.project = Project.objects.get(pk=self.project.pk)
            hooks.run("advance_failed", self, error)
