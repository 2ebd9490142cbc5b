"""A lineage as an SVG drawing: lines lead from sources on the left to what was made from them."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from context.lineage import Lineage
from context.models import ArtifactVersion
from context.staleness import Staleness, staleness_of

BOX_WIDTH, BOX_HEIGHT = 204, 64
COLUMN_WIDTH, ROW_HEIGHT = 248, 88
MARGIN = 12
TITLE_CHARACTERS = 27
# How far a line hangs down below the boxes that it passes, and how much more for each of them.
SAG, MORE_SAG = 72, 18


@dataclass(frozen=True)
class Box:
    """One version. `stale` is for the version that its artifact stands at."""

    version: ArtifactVersion
    depth: int
    x: int
    y: int
    title: str
    maker: str
    stale: bool
    sources: list[tuple[ArtifactVersion, str]]

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def lines_y(self) -> tuple[int, int]:
        return self.y + 26, self.y + 48


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    box_width: int
    box_height: int
    boxes: list[Box]
    links: list[dict[str, Any]]


def draw(lineage: Lineage) -> Drawing:
    """Boxes in columns, each to the right of all that it was made from."""
    stale = staleness_of({version.artifact_id for version in lineage.versions.values()})
    columns = _columns(lineage)
    boxes = {
        pk: _box(lineage, pk, column, row, stale)
        for column, group in enumerate(columns)
        for row, pk in enumerate(group)
    }
    return Drawing(
        width=len(columns) * COLUMN_WIDTH - (COLUMN_WIDTH - BOX_WIDTH) + 2 * MARGIN,
        height=max(map(len, columns)) * ROW_HEIGHT + _sag(len(columns) - 1) * 3 // 4,
        box_width=BOX_WIDTH,
        box_height=BOX_HEIGHT,
        boxes=list(boxes.values()),
        links=[
            {"kind": link.kind, "path": _path(boxes[link.source_id], boxes[link.derived_id])}
            for link in lineage.derivations
        ],
    )


def _columns(lineage: Lineage) -> list[list[int]]:
    """Versions by the longest way that leads to them. A source has the lower id."""
    places = dict.fromkeys(sorted(lineage.versions), 0)
    for link in sorted(lineage.derivations, key=attrgetter("derived_id")):
        places[link.derived_id] = max(places[link.derived_id], places[link.source_id] + 1)
    columns: list[list[int]] = [[] for _ in range(max(places.values()) + 1)]
    for pk, place in places.items():
        columns[place].append(pk)
    return columns


def _box(lineage: Lineage, pk: int, column: int, row: int, stale: dict[Any, Staleness]) -> Box:
    version = lineage.versions[pk]
    artifact = version.artifact
    is_current = version.number == (artifact.accepted_version or artifact.version)
    title = artifact.title
    return Box(
        version=version,
        depth=lineage.depths[pk],
        x=MARGIN + column * COLUMN_WIDTH,
        y=MARGIN + row * ROW_HEIGHT,
        title=title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…",
        maker=maker_of(version),
        stale=is_current and version.artifact_id in stale,
        sources=[
            (lineage.versions[link.source_id], link.kind)
            for link in lineage.derivations
            if link.derived_id == pk
        ],
    )


def maker_of(version: ArtifactVersion) -> str:
    if version.claims:
        return f"imported; {version.claimed_maker}"
    return version.author.get_username() if version.author else f"the {version.source_agent}"


def _path(source: Box, derived: Box) -> str:
    """From the right edge of the source to the left edge of what was made from it."""
    x1, y1 = source.x + BOX_WIDTH, source.y + BOX_HEIGHT // 2
    x2, y2 = derived.x, derived.y + BOX_HEIGHT // 2
    bend = (COLUMN_WIDTH - BOX_WIDTH) // 2
    sag = _sag((x2 - x1) // COLUMN_WIDTH)
    return f"M {x1} {y1} C {x1 + bend} {y1 + sag}, {x2 - bend} {y2 + sag}, {x2} {y2}"


def _sag(passed: int) -> int:
    """In pixels, for a line that passes so many columns of boxes."""
    return SAG + passed * MORE_SAG if passed > 0 else 0
