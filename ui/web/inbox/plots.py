"""The geometry of small plots, for a template that draws them as SVG. Knows no colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Values = Sequence[float | None]

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 34, 12, 34
FLOOR = HEIGHT - BOTTOM
MOST_LABELS = 5
SPACE = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "floor": FLOOR}
# The steps of an axis that people count in. Four of them are always shown.
COUNTS = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]
MINUTE, HOUR, DAY = 60, 3600, 86400
SECONDS = [
    *(1, 2, 5, 10, 15, 30),
    *(MINUTE * number for number in (1, 2, 5, 10, 15, 30)),
    *(HOUR * number for number in (1, 2, 3, 6, 12)),
    *(DAY * 2**power for power in range(14)),
]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A bar, or a point of a line; `says` is its value in words."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Series:
    name: str
    marks: list[Mark]
    path: str = ""


@dataclass(frozen=True)
class Plot:
    """`rows` is the same as a table: a label, then the value of each series in words."""

    name: str
    title: str
    summary: str
    series: list[Series]
    rows: list[tuple[str, list[str]]]
    across: list[Tick]
    up: list[Tick]
    is_empty: bool


@dataclass(frozen=True)
class Frame:
    """What both kinds of plot share: the labels, the words for a value, and the top of the axis."""

    name: str
    title: str
    labels: Sequence[str]
    say: Callable[[float], str]
    top: float

    def x(self, place: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * place / len(self.labels), 1)

    def y(self, value: float) -> float:
        return round(FLOOR - (FLOOR - TOP) * value / self.top, 1)

    def plot(self, series: list[Series], values: dict[str, Values]) -> Plot:
        ticks = [self.top * part / 4 for part in range(5)]
        spread = -(-len(self.labels) // MOST_LABELS)
        # The last one, which is now, has its label always.
        shown = range((len(self.labels) - 1) % spread, len(self.labels), spread)
        return Plot(
            name=self.name,
            title=self.title,
            summary="; ".join(self._sum_up(name, row) for name, row in values.items()),
            series=series,
            rows=[(label, self._row(place, values)) for place, label in enumerate(self.labels)],
            across=[Tick(self.x(place + 0.5), self.labels[place]) for place in shown],
            up=[Tick(self.y(tick), self.say(tick)) for tick in ticks],
            is_empty=not any(one for row in values.values() for one in row),
        )

    def _sum_up(self, name: str, row: Values) -> str:
        known = [value for value in row if value is not None]
        if not known:
            return f"{name}: none"
        return f"{name}: last {self.say(known[-1])}, highest {self.say(max(known))}"

    def _row(self, place: int, values: dict[str, Values]) -> list[str]:
        said = [row[place] for row in values.values()]
        return ["–" if value is None else self.say(value) for value in said]


def line_plot(values: dict[str, Values], steps: Sequence[int] = COUNTS, **frame: Any) -> Plot:
    """Lines with a gap where there is no value."""
    highest = max((one for row in values.values() for one in row if one is not None), default=0)
    space = Frame(top=_top(highest, steps), **frame)
    return space.plot([_line(space, name, row) for name, row in values.items()], values)


def stacked_plot(values: dict[str, Sequence[int]], **frame: Any) -> Plot:
    """Bars, one on the other."""
    heights = [sum(stack) for stack in zip(*values.values(), strict=True)]
    space = Frame(top=_top(max(heights, default=0), COUNTS), **frame)
    below = [0] * len(heights)
    series = []
    for name, row in values.items():
        series.append(Series(name, _bars(space, name, row, below)))
        below = [low + value for low, value in zip(below, row, strict=True)]
    return space.plot(series, values)


def _top(highest: float, steps: Sequence[int]) -> int:
    return 4 * next(step for step in steps if highest <= 4 * step)


def _line(space: Frame, name: str, row: Values) -> Series:
    points = [
        Mark(space.x(place + 0.5), space.y(value), 0, 0, _says(space, place, name, value))
        if value is not None
        else None
        for place, value in enumerate(row)
    ]
    pieces = [list(some) for is_there, some in groupby(points, bool) if is_there]
    path = " ".join("M" + " L".join(f"{p.x} {p.y}" for p in piece) for piece in pieces)
    return Series(name, [point for point in points if point], path)


def _bars(space: Frame, name: str, row: Sequence[int], below: Sequence[int]) -> list[Mark]:
    width = round((WIDTH - LEFT - RIGHT) / len(space.labels) * 0.72, 1)
    return [
        Mark(
            space.x(place + 0.14),
            space.y(low + value),
            width,
            round(space.y(low) - space.y(low + value), 1),
            _says(space, place, name, value),
        )
        for place, (low, value) in enumerate(zip(below, row, strict=True))
        if value
    ]


def _says(space: Frame, place: int, name: str, value: float) -> str:
    return f"{space.labels[place]}, {name}: {space.say(value)}"
