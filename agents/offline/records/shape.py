"""What all demands together make of the records: fields, limits, features."""

from dataclasses import dataclass

from agents.offline.demands import Demand
from agents.offline.entities import EntityIdea, FieldIdea
from agents.offline.records.world import World

FEATURES: dict[str, tuple[str, str]] = {
    "Lending": (
        "lending",
        "lend give_back loan_limit loan_days fee blocked overdue not_twice loans guard",
    ),
    "Booking": ("booking", "book cancel no_overlap bookings booking_limit longest"),
    "Stock": ("stock", "receive issue low not_negative"),
    "Tracking": ("tracking", "tick tick_once streaks"),
    "Completion": ("completion", "done open"),
    "Deadline": ("deadlines", "deadline"),
    "Report": ("reports", "report"),
    "Transfer": ("transfer", "import export"),
}


@dataclass(frozen=True)
class Design:
    """What all demands together make of the program."""

    world: World
    demands: tuple[Demand, ...]

    def all(self, *kinds: str) -> list[Demand]:
        return [demand for demand in self.demands if demand.kind in kinds]

    def number(self, kind: str) -> int | None:
        """The number of the last demand of the kind: what is said later counts."""
        return next((d.number for d in reversed(self.demands) if d.kind == kind), None)

    def features(self) -> list[str]:
        kinds = {demand.kind for demand in self.demands}
        used = [name for name, (_, own) in FEATURES.items() if kinds & set(own.split())]
        return [name for name in used if name != "Lending" or self.world.item]


def shaped(design: Design) -> list[EntityIdea]:
    """The entities with everything that demands say about their fields."""
    return [_shaped(entity, design) for entity in design.world.entities]


def _shaped(entity: EntityIdea, design: Design) -> EntityIdea:
    fields = list(entity.fields)
    for demand in design.all("required", "unique", "choices"):
        if demand.entity == entity.name:
            fields = [_applied(field, demand) for field in fields]
    return EntityIdea(entity.name, tuple(fields))


def _applied(field: FieldIdea, demand: Demand) -> FieldIdea:
    if field.name not in demand.fields:
        return field
    choices = tuple(demand.text.split("|")) if demand.kind == "choices" else field.choices
    return FieldIdea(
        field.name,
        "choice" if demand.kind == "choices" else field.type,
        field.required or demand.kind == "required",
        field.unique or demand.kind == "unique",
        choices,
    )


def ends(field: str, entity: str, design: Design) -> tuple[int | None, int | None]:
    """The least and the greatest value of a field; None is open."""
    for demand in reversed(design.all("range", "not_negative")):
        if demand.kind == "range" and demand.entity == entity and field in demand.fields:
            return demand.number, demand.upper
        if (
            demand.kind == "not_negative"
            and demand.entity == entity
            and field == stock_field(design)
        ):
            return 0, None
    return None, None


def stock_field(design: Design) -> str:
    names = (
        "quantity",
        "stock",
        "amount",
        "menge",
        "bestand",
        "count",
        "units",
        "pieces",
        "anzahl",
    )
    demands = design.all("receive", "issue", "low", "not_negative")
    entity = design.world.entity(demands[0].entity) if demands else None
    found = [f.name for n in names for f in (entity.fields if entity else ()) if n in f.name]
    return found[0] if found else "quantity"
