"""Two ways to show a project: a board on a live terminal, and plain lines anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone
from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agents.enums import AgentState, TaskStatus
from audit.event_types import Message
from core.text import one_line
from ui.terminal.console import Harmless, Terminal
from ui.terminal.project_state import State, StepRow
from ui.wording import counted, label

SIGNS = {
    "": ("·", "dim"),
    TaskStatus.PENDING: ("·", ""),
    TaskStatus.WORKING: ("▶", "cyan"),
    TaskStatus.WAITING_FOR_HITL: ("?", "bold magenta"),
    TaskStatus.COMPLETED: ("✓", "green"),
    TaskStatus.FAILED: ("✗", "red"),
    TaskStatus.CANCELLED: ("-", "yellow"),
}
COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "info": "cyan", "decided": "magenta"}
AGENT_STYLES = {
    AgentState.WORKING: "cyan",
    AgentState.WAITING_FOR_HITL: "magenta",
    AgentState.ERROR: "red",
}


def screen_for(terminal: Terminal) -> "PlainScreen":
    return LiveScreen(terminal) if terminal.is_live else PlainScreen(terminal)


class PlainScreen:
    """One line per event, with the time since the start."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.began = time.monotonic()
        self.phase = ""

    def print(self, text: str, style: str = "") -> None:
        self.terminal.say(f"{clock(time.monotonic() - self.began)}  {text}", style)

    def enter(self, phase: str) -> None:
        """Work of this phase begins."""
        if phase and phase != self.phase:
            self.phase = phase
            self.print(f"Phase {phase}", "bold")

    def update(self, state: State) -> None:
        """Nothing to do: each line was printed when it happened."""

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While a person is asked."""
        yield


class LiveScreen(PlainScreen):
    """The same lines, above a board of steps and agents that keeps up with the work."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self.state: State | None = None
        self.spinner = Spinner("dots", style="cyan")
        self.live = self._new_live()

    def _new_live(self) -> Live:
        return Live(
            get_renderable=self._board,
            console=self.terminal.console,
            transient=True,
            refresh_per_second=4,
        )

    def enter(self, phase: str) -> None:
        """The board shows it."""

    def update(self, state: State) -> None:
        self.state = state

    @contextmanager
    def running(self) -> Iterator[None]:
        self.live.start()
        try:
            yield
        finally:
            self.live.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.live.stop()
        try:
            yield
        finally:
            self.live = self._new_live()
            self.live.start()

    def _board(self) -> RenderableType:
        if self.state is None:
            return Text("")
        parts = [_steps(self.state), _agents(self.state), self._foot(self.state)]
        return Harmless(Group(Text(""), *parts))

    def _foot(self, state: State) -> RenderableType:
        elapsed = clock(time.monotonic() - self.began)
        percent = 100 * state.done // len(state.steps) if state.steps else 0
        self.spinner.update(
            text=Text(
                f" {one_line(state.project.name)}: {state.project.status}, {percent} %, "
                f"{counted(state.artifacts, 'artifact')}, {elapsed}",
                style="bold",
            )
        )
        return self.spinner


def _steps(state: State) -> Table:
    table = Table.grid(padding=(0, 2))
    phase = ""
    for step in state.steps:
        sign, style = SIGNS[step.status]
        phase_cell = step.phase if step.phase != phase else ""
        phase = step.phase
        again = f" (round {step.round})" if step.round > 1 else ""
        row = (phase_cell, f"{sign} {step.title}{again}", step.agent, _time_of(step))
        table.add_row(*(Text(cell, style=style) for cell in row))
    return table


def _time_of(step: StepRow) -> str:
    if step.next_attempt_at is not None:
        return f"failed; next attempt {step.next_attempt_at:%H:%M:%S} UTC"
    if step.started_at is None:
        return ""
    end: datetime = step.finished_at or timezone.now()
    return clock((end - step.started_at).total_seconds())


def _agents(state: State) -> Text:
    """The agents that are not idle."""
    busy = {k: v for k, v in state.agents.items() if v != AgentState.IDLE}
    line = Text("agents: ", style="dim")
    for name, status in busy.items():
        line.append(f"{name} {label(status)}  ", style=AGENT_STYLES.get(AgentState(status), ""))
    return line if busy else Text("agents: all idle", style="dim")


def clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02}:{rest % 60:02}"
    return f"{hours}:{minutes}" if hours else minutes


def terminal_line(message: Message) -> tuple[str, str]:
    """Text and style of `rich`."""
    indent = "" if message.stands_out or message.mark not in ("", "+") else "  "
    if message.tone == "info":
        indent = ""
    mark = f"{message.mark} " if message.mark else ""
    bold = "bold " if message.stands_out else ""
    return f"{indent}{mark}{message.text}", f"{bold}{COLOURS.get(message.tone, '')}".strip()
