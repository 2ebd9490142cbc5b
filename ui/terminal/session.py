"""Follow a project until it ends, and take each request to the person who sits here."""

import time
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from agents.enums import RequestKind
from agents.events import TASK_CREATED
from agents.stops.queries import all_agents, stopped_agents
from context.models import Artifact, ArtifactVersion
from core.errors import DomainError, Forbidden, Unprocessable
from hitl.enums import RequestStatus
from hitl.models import HitlRequest
from hitl.rules import can_decide
from projects.enums import ProjectStatus
from projects.models import Project
from ui.terminal.console import Terminal
from ui.terminal.decisions import Choice, approvals_missing, ask_choice, send_decision
from ui.terminal.project_state import State, WorkerWatch, events_after, load_state, titles_of
from ui.terminal.requests import maker_of, show_request
from ui.terminal.screen import screen_for, terminal_line
from ui.wording import event_message

POLL_SECONDS = 0.25
DATABASE_PATIENCE_SECONDS = 60
WORKER_PATIENCE_SECONDS = 60
APPROVALS = frozenset({RequestKind.PLAN_APPROVAL, RequestKind.RESULT_APPROVAL})


class ExitStatus(IntEnum):
    """What `run_project` ends with. 1 and 2 are bad input and bad usage."""

    COMPLETED = 0
    FAILED = 3
    CANCELLED = 4
    PERSON_NEEDED = 5
    TIMED_OUT = 6
    NO_WORKER = 7
    INTERRUPTED = 130


MEANING = """exit status:
  0    the project completed
  1    it could not be started, or its result could not be written (the message says why),
       or nobody reads the output any more
  2    wrong usage
  3    the project failed: a person rejected something
  4    the project was cancelled
  5    a person is needed, and there is nobody to ask here
  6    --timeout passed
  7    no worker is running
  130  Ctrl-C; the project continues without this command
"""


ENDINGS = {
    ProjectStatus.COMPLETED: ExitStatus.COMPLETED,
    ProjectStatus.FAILED: ExitStatus.FAILED,
    ProjectStatus.CANCELLED: ExitStatus.CANCELLED,
}


class Session:
    """`after` is the sequence of the last event that is not shown again."""

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
        self.skipped: set[UUID] = set()

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
            status = self._react() if self._show_news() else None
            return self._check_patience() if status is None else status
        except (OperationalError, InterfaceError) as error:
            self._reconnect(error)
            return None

    def _reconnect(self, error: Exception) -> None:
        """The database may be starting again."""
        self.screen.print("! The database does not answer. Trying again.", "yellow")
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

    def _show_news(self) -> bool:
        """Show what is new; whether there was anything."""
        events = events_after(self.project_id, self.cursor)
        if not events and self.state is not None:
            return False
        state = load_state(self.project_id)
        self.titles = self.titles or titles_of(state.project)
        if self.state is None:
            self._show_stop()
        self.watch.reset()
        self.state = state
        for event in events:
            if event.event_type == TASK_CREATED:
                self.screen.enter(event.data["phase"])
            if message := event_message(event, self.titles):
                self.screen.print(*terminal_line(message))
            self.cursor = event.sequence
        self.screen.update(state)
        return True

    def _show_stop(self) -> None:
        """An emergency stop from before; later ones come as events."""
        if stopped := stopped_agents(self.project_id):
            who = "no agent" if stopped == all_agents() else f"no {' or '.join(sorted(stopped))}"
            text = f"! An emergency stop is active: {who} works here until it is released."
            self.screen.print(text, "bold red")

    def _react(self) -> ExitStatus | None:
        if self.state.has_ended:
            return ENDINGS[ProjectStatus(self.state.project.status)]
        is_unattended = self.approves_all or not self.terminal.can_ask
        if self.state.project.status == ProjectStatus.PAUSED and is_unattended:
            return self._refuse("The project is paused, and somebody has to resume it.")
        for request in self.state.requests:
            if request.pk in self.skipped:
                continue
            status = self._handle(request)
            if status is not None:
                return status
        return None

    def _handle(self, request: HitlRequest) -> ExitStatus | None:
        if self.approves_all:
            return self._approve(request)
        if not self.terminal.can_ask:
            text = f"A person is needed, and there is no terminal to ask on. {request.title}"
            return self._refuse(text, request)
        began = time.monotonic()
        with self.screen.aside():
            self._ask(request)
        if self.deadline:
            self.deadline += time.monotonic() - began
        return None

    def _approve(self, request: HitlRequest) -> ExitStatus | None:
        if request.kind not in APPROVALS:
            text = f"This is not an approval, so --approve-all does not cover it. {request.title}"
            return self._refuse(text, request)
        try:
            decision = send_decision(request, self.user, Choice("approve"))
            if decision.request.is_pending:
                return self._refuse(approvals_missing(decision.request), request)
        except Forbidden as error:
            text = f"{self.user.get_username()} cannot approve: {error.detail}"
            return self._refuse(text, request)
        except DomainError as error:
            if error.extra.get("request_status") == RequestStatus.PENDING:
                # The person has approved already, and that is not enough.
                return self._refuse(error.detail, request)
            self.screen.print(f"! {error.detail}", "yellow")
        return None

    def _refuse(self, text: str, request: HitlRequest | None = None) -> ExitStatus:
        self.screen.print(f"! {text}", "bold red")
        for question in request.subject["questions"] if request else []:
            self.screen.print(f"  {question}")
        if request and (error := request.subject["error"]):
            self.screen.print(f"  {error.get('code')}: {error.get('detail')}")
        if request:
            self.screen.print(f"  Decide with: manage.py hitl show {request.pk}")
        return ExitStatus.PERSON_NEEDED

    def _ask(self, request: HitlRequest) -> None:
        show_request(self.terminal, request, self.user, in_full=False)
        if not can_decide(request, self.user).allowed:
            self.terminal.say("Waiting for somebody who can decide.", "yellow")
            self.skipped.add(request.pk)
            return
        if request.needs_reauthentication:
            # What was shown said where to decide.
            self.skipped.add(request.pk)
            return
        while (choice := ask_choice(self.terminal, request, self.user)) is not None:
            try:
                decision = send_decision(request, self.user, choice)
                if decision.request.is_pending:
                    self.terminal.say(approvals_missing(decision.request), "yellow")
                    self.skipped.add(request.pk)
                return
            except Unprocessable as error:
                self.terminal.say(error.detail, "red")
            except DomainError as error:
                # The next look shows the current state.
                self.terminal.say(error.detail, "yellow")
                return
        self.skipped.add(request.pk)

    def _check_patience(self) -> ExitStatus | None:
        if self.deadline and time.monotonic() > self.deadline:
            self.screen.print("! The time limit has passed.", "bold red")
            return ExitStatus.TIMED_OUT
        if self.state.project.status != ProjectStatus.ACTIVE or self.state.requests:
            return None
        if problem := self.watch.new_problem(self.project_id):
            self.screen.print(f"! {problem}", "bold yellow")
        is_hopeless = self.watch.missing_seconds() > WORKER_PATIENCE_SECONDS
        return ExitStatus.NO_WORKER if is_hopeless and not self.terminal.can_ask else None


CONTINUES = {
    ExitStatus.PERSON_NEEDED: "The project is waiting for a person.",
    ExitStatus.TIMED_OUT: "The project continues without this command.",
    ExitStatus.NO_WORKER: "The project is waiting for a worker.",
    ExitStatus.INTERRUPTED: "The project continues without this command.",
}


def show_ending(terminal: Terminal, project_id: UUID, status: ExitStatus) -> None:
    project = Project.objects.get(pk=project_id)
    if sentence := CONTINUES.get(status):
        terminal.say()
        terminal.say(f"{sentence} To follow it: manage.py run_project --resume {project_id}")
        return
    list_artifacts(terminal, project)
    terminal.say()
    reason = f": {project.status_reason}" if project.status_reason else ""
    terminal.say(f"{project.name} is {project.status}{reason}", "bold")


def list_artifacts(terminal: Terminal, project: Project) -> None:
    terminal.say()
    terminal.say("Artifacts", "bold")
    for artifact in Artifact.objects.filter(project=project).order_by("created_at", "id"):
        number = artifact.accepted_version or artifact.version
        version = ArtifactVersion.objects.select_related("author").get(
            artifact=artifact, number=number
        )
        terminal.say(
            f"  {artifact.artifact_type:<22} version {number:<3} {version.status:<10} "
            f"{artifact.title} ({maker_of(version)})"
        )
