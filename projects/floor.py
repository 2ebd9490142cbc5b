"""What no project may go below: by the settings, and by what superusers have set in the database.

A project below it, because the floor was raised later, is run as the floor says.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from core.errors import Unprocessable
from projects.enums import OversightLevel
from projects.models import InstallationFloor

STRICTNESS = {OversightLevel.LOW: 0, OversightLevel.MEDIUM: 1, OversightLevel.HIGH: 2}


@dataclass(frozen=True)
class Floor:
    oversight_level: str
    #: By kind of request; 1 where a kind is not named.
    required_approvals: dict[str, int]
    prevent_self_approval: bool

    def oversight(self, level: str) -> str:
        """The level that holds for a project with this one."""
        return stricter(level, self.oversight_level)

    def approvals(self, kind: str) -> int:
        return self.required_approvals.get(str(kind), 1)

    @property
    def most_approvals(self) -> int:
        """A project has one number for all kinds, which must satisfy each of them."""
        return max(self.required_approvals.values(), default=1)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def stricter(level: str, other: str) -> str:
    return max(level, other, key=lambda name: STRICTNESS[OversightLevel(name)])


def floor_of(row: InstallationFloor | None) -> Floor:
    """The row together with the settings; of each, the stricter."""
    floor = Floor(**settings.POLICY_FLOOR)
    if row is None:
        return floor
    kinds = {*floor.required_approvals, *row.required_approvals}
    return Floor(
        oversight_level=floor.oversight(row.oversight_level),
        required_approvals={
            kind: max(floor.approvals(kind), row.required_approvals.get(kind, 1)) for kind in kinds
        },
        prevent_self_approval=floor.prevent_self_approval or row.prevent_self_approval,
    )


def installation_floor() -> Floor:
    return floor_of(InstallationFloor.objects.filter(pk=1).first())


def below_floor(field: str, detail: str) -> Unprocessable:
    error = {"field": field, "code": "below_floor", "detail": detail}
    return Unprocessable("below_floor", detail, errors=[error])


def check_oversight(level: str) -> None:
    """Raises Unprocessable `below_floor`."""
    if level == OversightLevel.HIGH:
        return
    least = installation_floor().oversight_level
    if stricter(level, least) != level:
        detail = f"This installation asks for at least {least} oversight; choose {least} or more."
        raise below_floor("oversight_level", detail)
