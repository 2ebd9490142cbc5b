import pydoc
import sys
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text

from core.text import visible

try:
    import readline  # noqa: F401  (gives input() editing, and lines longer than 4,095 characters)
except ImportError:
    pass
try:
    import termios
except ImportError:
    termios = None


def _printable(text: str) -> str:
    return visible(text).replace("\r\n", "\n")


class Harmless:
    """Whatever is in it, only text and our own colours reach the terminal.

    Markdown can write a character as an entity, so cleaning the source alone is not enough.
    """

    def __init__(self, inner: RenderableType) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            yield segment if segment.control else Segment(_printable(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self.inner)


class Terminal:
    """Where a command speaks and, if somebody sits there, asks."""

    def __init__(self, out: TextIO, *, no_color: bool = False) -> None:
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")
        self.console = Console(file=out, highlight=False, markup=False, no_color=no_color or None)

    @property
    def is_live(self) -> bool:
        return self.console.is_terminal and not self.console.is_dumb_terminal

    @property
    def can_ask(self) -> bool:
        return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()

    def say(self, text: str = "", style: str = "") -> None:
        """One line, however long."""
        self.console.print(Text(_printable(text).replace("\n", " "), style=style), soft_wrap=True)

    def write(self, text: str, style: str = "") -> None:
        """Text with its line breaks."""
        self.console.print(Text(_printable(text), style=style), soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        self.console.print(Harmless(renderable))

    def show_markdown(self, text: str) -> None:
        """Laid out on a terminal, else word for word."""
        if not self.is_live:
            self.write(text.rstrip("\n"))
            return
        self.show(Markdown(_printable(text), hyperlinks=False))

    def show_diff(self, text: str) -> None:
        if not self.is_live:
            self.write(text)
            return
        syntax = Syntax(
            _printable(text), "diff", theme="ansi_dark", background_color="default", word_wrap=True
        )
        self.show(syntax)

    def page(self, text: str) -> None:
        """All of it in the pager, or in one go where there is none."""
        pydoc.pager(_printable(text))

    def ask(self, prompt: str) -> str:
        """A line of a person. What was typed before the question is no answer to it."""
        if termios is not None:
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        self.console.file.flush()
        return input(prompt).strip()

    def ask_text(self, prompt: str) -> str:
        """Some lines, up to an empty one."""
        lines = [self.ask(f"{prompt} (an empty line ends it)\n> ")]
        while lines[-1]:
            lines.append(input("> ").strip())
        return "\n".join(lines[:-1])

    def ask_yes(self, prompt: str) -> bool:
        return self.ask(f"{prompt} [y/N] ").lower() in {"y", "yes"}
