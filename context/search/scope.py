"""Where a search may look. What it costs must follow from this, not from the size of the store."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projects.models import Project

# As many projects are named in the index condition; more are told apart behind it.
IN_THE_INDEX = 200


@dataclass(frozen=True)
class Scope:
    """Ids of projects; None is all of them."""

    projects: tuple[UUID, ...] | None

    @property
    def keys(self) -> list[str]:
        """The projects as they stand in the indexes; empty where the index cannot help."""
        if self.projects is None or len(self.projects) > IN_THE_INDEX:
            return []
        return [f"#{project}" for project in self.projects]

    @property
    def lexemes(self) -> str:
        """The same as a tsquery; '' where the index cannot help."""
        return " | ".join(f"'{key}'" for key in self.keys)


def scope_of(user: Any, project: UUID | None = None) -> Scope:
    """What the user may see; a project that they may not see is nothing at all."""
    if user.is_superuser and project is None:
        return Scope(None)
    visible = Project.objects.visible_to(user)
    if project is not None:
        visible = visible.filter(pk=project)
    return Scope(tuple(visible.values_list("pk", flat=True)))
