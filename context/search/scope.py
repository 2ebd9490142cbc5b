"""Where a search may look. What it costs must follow from this, not from the size of the store."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projects.models import Project

# As many projects are asked for in the index; more are told apart behind it.
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
