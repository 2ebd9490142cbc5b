"""Follow a project until it ends, and take each request to the person who sits here."""

import time
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from agents.events import TASK_CREATED
from agents.stops.queries import all_agents, stopped_agents
from core.errors import DomainError, Forbidden, Unprocessable
from hitl.enums import Action, RequestKind, RequestStatus
from hitl.models import HitlRequest
from hitl.rules import can_decide
from projects.enums import ProjectStatus
from ui.event_messages import event_message, terminal_line
from ui.terminal.console import Terminal
from ui.terminal.decisions import Choice, approvals_missing, ask_choice, send
from ui.terminal.request_view import show_request
from ui.terminal.run_state import State, events_after, load_state, titles_of
from ui.terminal.screen import screen_for
from ui.terminal.statuses import ExitStatus
from ui.terminal.workers import WorkerWatch

POLL_SECONDS = 0.25
DATABASE_PATIENCE_SECONDS = 60
WORKER_PATIENCE_SECONDS = 60
APPROVALS = frozenset({RequestKind.PLAN_APPROVAL, RequestKind.RESULT_APPROVAL})
ENDINGS = {
    ProjectStatus.COMPLETED: ExitStatus.COMPLETED,
    ProjectStatus.FAILED: ExitStatus.FAILED,
    ProjectStatus.CANCELLED: ExitStatus.CANCELLED,
}


class Session:
    """`after` is the sequence of the last event that need not be told."""

    def __init__(
        self,
        *,
        project_id: UUID,
        user: Any,
        terminal: Terminal,
        approves_all: bool = False,
        timeout: float | None = None,
        after: int = 0,
    ) -> None:
        self.project_id = project_id
        self.user = user
        self.terminal = terminal
        self.approves_all = approves_all
        self.deadline = time.monotonic() + timeout if timeout else None
        self.cursor = after
        self.screen = screen_for(terminal)
        self.watch = WorkerWatch()
        self.titles: dict[str, str] = {}
        self.state: State | None = None
        self.left: set[UUID] = set()

    def follow(self) -> ExitStatus:
        """Until the project ends, or nothing more can be done from here."""
        with self.screen.running():
            while True:
                status = self._look()
                if status is not None:
                    return status
                time.sleep(POLL_SECONDS)

    def _look(self) -> ExitStatus | None:
        try:
            status = self._react() if self._hear() else None
            return self._give_up() if status is None else status
        except (OperationalError, InterfaceError) as error:
            self._reconnect(error)
            return None

    def _reconnect(self, error: Exception) -> None:
        """The database may be starting again."""
        self.screen.tell("! The database does not answer; trying again.", "yellow")
        until = time.monotonic() + DATABASE_PATIENCE_SECONDS
        connection.close()
        while True:
            try:
                connection.ensure_connection()
                return
            except OperationalError:
                if time.monotonic() > until:
                    raise error from None
                time.sleep(1)

    def _hear(self) -> bool:
        """Tell what is new; whether there was anything."""
        events = events_after(self.project_id, self.cursor)
        if not events and self.state is not None:
            return False
        state = load_state(self.project_id)
        self.titles = self.titles or titles_of(state.project)
        if self.state is None:
            self._tell_of_stop()
        self.watch.something_happened()
        self.state = state
        for event in events:
            if event.event_type == TASK_CREATED:
                self.screen.enter(event.data["phase"])
            if message := event_message(event, self.titles):
                self.screen.tell(*terminal_line(message))
            self.cursor = event.sequence
        self.screen.update(state)
        return True

    def _tell_of_stop(self) -> None:
        """Of one from before; the next ones are events."""
        if stopped := stopped_agents(self.project_id):
            who = "no agent" if stopped == all_agents() else f"no {' or '.join(sorted(stopped))}"
            text = f"! An emergency stop stands: {who} works here before it is released."
            self.screen.tell(text, "bold red")

    def _react(self) -> ExitStatus | None:
        if self.state.has_ended:
            return ENDINGS[ProjectStatus(self.state.project.status)]
        is_unattended = self.approves_all or not self.terminal.can_ask
        if self.state.project.status == ProjectStatus.PAUSED and is_unattended:
            return self._refuse("The project is paused, and somebody has to resume it.")
        for request in self.state.requests:
            if request.pk in self.left:
                continue
            status = self._serve(request)
            if status is not None:
                return status
        return None

    def _serve(self, request: HitlRequest) -> ExitStatus | None:
        if self.approves_all:
            return self._approve(request)
        if not self.terminal.can_ask:
            text = f"A person is asked, and there is no terminal to ask on. {request.title}"
            return self._refuse(text, request)
        began = time.monotonic()
        with self.screen.aside():
            self._ask(request)
        if self.deadline:
            self.deadline += time.monotonic() - began
        return None

    def _approve(self, request: HitlRequest) -> ExitStatus | None:
        if request.kind not in APPROVALS:
            text = f"This is no approval, so --approve-all does not answer it. {request.title}"
            return self._refuse(text, request)
        try:
            decision = send(request, self.user, Choice(Action.APPROVE))
            if decision.request.is_pending:
                return self._refuse(approvals_missing(decision.request), request)
        except Forbidden as error:
            text = f"{self.user.get_username()} cannot approve: {error.detail}"
            return self._refuse(text, request)
        except DomainError as error:
            if error.extra.get("request_status") == RequestStatus.PENDING:
                # The person's own word stands, and is not enough.
                return self._refuse(error.detail, request)
            self.screen.tell(f"! {error.detail}", "yellow")
        return None

    def _refuse(self, text: str, request: HitlRequest | None = None) -> ExitStatus:
        self.screen.tell(f"! {text}", "bold red")
        for question in request.subject["questions"] if request else []:
            self.screen.tell(f"  {question}")
        if request and (error := request.subject["error"]):
            self.screen.tell(f"  {error.get('code')}: {error.get('detail')}")
        if request:
            self.screen.tell(f"  Decide with: manage.py hitl show {request.pk}")
        return ExitStatus.PERSON_NEEDED

    def _ask(self, request: HitlRequest) -> None:
        show_request(self.terminal, request, self.user, in_full=False)
        if not can_decide(request, self.user).allowed:
            self.terminal.say("Waiting for somebody who can.", "yellow")
            self.left.add(request.pk)
            return
        while (choice := ask_choice(self.terminal, request)) is not None:
            try:
                decision = send(request, self.user, choice)
                if decision.request.is_pending:
                    self.terminal.say(approvals_missing(decision.request), "yellow")
                    self.left.add(request.pk)
                return
            except Unprocessable as error:
                self.terminal.say(error.detail, "red")
            except DomainError as error:
                # What is true now comes with the next look.
                self.terminal.say(error.detail, "yellow")
                return
        self.left.add(request.pk)

    def _give_up(self) -> ExitStatus | None:
        if self.deadline and time.monotonic() > self.deadline:
            self.screen.tell("! The time is up.", "bold red")
            return ExitStatus.TIMED_OUT
        if self.state.project.status != ProjectStatus.ACTIVE or self.state.requests:
            return None
        if complaint := self.watch.complaint(self.project_id):
            self.screen.tell(f"! {complaint}", "bold yellow")
        is_hopeless = self.watch.missing_seconds() > WORKER_PATIENCE_SECONDS
        return ExitStatus.NO_WORKER if is_hopeless and not self.terminal.can_ask else None
