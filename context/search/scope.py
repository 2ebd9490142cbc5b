"""Where a search may look, and from the newest texts to the oldest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projects.models import Project

# Up to so many projects are looked up in the index; of more, the rows are filtered.
IN_THE_INDEX = 1_000


@dataclass(frozen=True)
class Scope:
    """Ids of projects; None is all of them."""

    projects: tuple[UUID, ...] | None

    @property
    def keys(self) -> list[str]:
        """The projects as they stand among trigrams; empty where the index cannot help."""
        if self.projects is None or not self.is_in_the_index:
            return []
        return [f"#{project}" for project in self.projects]

    @property
    def is_in_the_index(self) -> bool:
        return self.projects is not None and len(self.projects) <= IN_THE_INDEX

    def of_bodies(self, projects: str = "projects") -> str:
        """A condition on texts; `projects` is the name of the parameter."""
        if self.projects is None:
            return "TRUE"
        if self.is_in_the_index:
            return f"ARRAY[project_id] && %({projects})s::uuid[]"
        return f"project_id = ANY(%({projects})s::uuid[])"

    def of_names(self, keys: str) -> str:
        """A condition on rows with trigrams, with the parameters `keys` and `projects`."""
        return f"trigrams && %({keys})s::text[]" if self.is_in_the_index else self.of_bodies()

    @property
    def of_parts(self) -> str:
        """The same for rows of `part`, by the column itself."""
        return "TRUE" if self.projects is None else "part.project_id = ANY(%(projects)s::uuid[])"

    @property
    def parameter(self) -> list[UUID] | None:
        return None if self.projects is None else list(self.projects)


def scope_of(user: Any, project: UUID | None = None) -> Scope:
    """What the user may see; a project that they may not see is nothing at all."""
    if user.is_superuser and project is None:
        return Scope(None)
    visible = Project.objects.visible_to(user)
    if project is not None:
        visible = visible.filter(pk=project)
    return Scope(tuple(visible.values_list("pk", flat=True)))


SMALL, LARGE = 12, 18
# As the indexes have it: large cells are negative.
CELLS = f"ARRAY[(id >> {SMALL})::int, -1 - (id >> {LARGE})::int]"
FIRST, GROWTH = 2, 2
SMALL_CELLS_AT_MOST = 128


@dataclass(frozen=True)
class Window:
    """Cells, and the places of the spans that reach into them."""

    cells: list[int]
    spans: list[int]


def windows(spans: Sequence[tuple[int, int]]) -> Iterator[Window]:
    """All rows between the ends of the spans; each window is twice as large as the one before.

    What lies in no span is skipped, or windows would be very large by the time they reach old rows.
    """
    bits, size, below = SMALL, FIRST, max((newest for _, newest in spans), default=0) + 1
    while rest := [(oldest, min(newest, below - 1)) for oldest, newest in spans if oldest < below]:
        end = (max(newest for _, newest in rest) >> bits) + 1
        start = max(end - size, min(oldest for oldest, _ in rest) >> bits)
        if bits == SMALL and size >= SMALL_CELLS_AT_MOST:
            # The rest is whole large cells.
            start = start >> (LARGE - SMALL) << (LARGE - SMALL)
        cells = [cell if bits == SMALL else -1 - cell for cell in range(start, end)]
        first, beyond = start << bits, end << bits
        places = [
            place
            for place, (oldest, newest) in enumerate(spans)
            if oldest < beyond and newest >= first
        ]
        yield Window(cells, places)
        below, size = first, size * GROWTH
        if bits == SMALL and size > SMALL_CELLS_AT_MOST:
            bits, size = LARGE, size >> (LARGE - SMALL)
