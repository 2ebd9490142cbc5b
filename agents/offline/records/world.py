"""The kinds of record that all requirements together speak of."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agents.offline.entities import (
    MAX_ENTITIES,
    EntityIdea,
    FieldIdea,
    described,
    entity_name,
    field_ideas,
    objects,
    type_of,
)
from agents.offline.grammar import Act, acts
from agents.offline.numbers import at_most, span_of
from agents.offline.words import singular, stem

_GENERIC = frozenset(
    map(
        stem,
        "system program application app data file csv report list loan booking entry record "
        "database "
        "change command date user detail information message number result name way help total "
        "total_sum "
        "staff overview day week month year thing problem screen page amount note_down mistake "
        "error "
        "reservation history deadline statistic summary daten programm liste datei field value "
        "table".split(),
    )
)
_PEOPLE = re.compile(
    r"^(?:\w+_)?(?:member|friend|customer|borrower|reader|student|person|neighbour|neighbor|colleague|employee|"
    r"patron|player|kunde|mitglied|freund|person|leser|guest|volunteer|teacher|child|family)$"
)
_BY = re.compile(
    r"\b(?:by|per|nach|in order of)\s+(?:the |its |their |an? )?([^.;:()]{2,80}?)(?=,? "
    r"(?:because|so|when|if|to|which|"
    r"that|in order|from|for|with|weil|damit|suchen|finden|sortieren|sortiert|filtern|können|"
    r"auflisten|anzeigen)\b|[.;:()]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class World:
    """Entities in order of appearance; the first is what the program is mainly about."""

    entities: tuple[EntityIdea, ...]
    item: str = ""
    holder: str = ""
    booked: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entity.name for entity in self.entities)

    def entity(self, name: str) -> EntityIdea | None:
        return next((entity for entity in self.entities if entity.name == name), None)

    def resolve(self, phrase: str) -> str:
        """The entity that a phrase means, or ''."""
        parts = [stem(word) for word in re.split(r"[ _]", phrase) if word]
        for name in self.names:
            if parts and stem(name) == stem(phrase.replace(" ", "_")):
                return name
        for part in reversed(parts):
            for name in self.names:
                if part == stem(name.split("_")[-1]) or part == stem(name):
                    return name
        return ""

    def mentioned(self, statement: str) -> str:
        """The first entity that the statement names, or ''."""
        for word in re.findall(r"[^\W\d_]+", statement):
            if name := self.resolve(word.lower()):
                return name
        return ""

    def having(self, field: str) -> str:
        """The entity that has this field, or ''."""
        for entity in self.entities:
            if any(stem(known.name) == stem(field) for known in entity.fields):
                return entity.name
        return ""


def world_of(
    statements: Sequence[str], given: Iterable[EntityIdea] = (), *, later: Sequence[str] = ()
) -> World:
    """Everything the statements speak of.

    `given` entities are the truth about their fields; only what is said `later` adds to them.
    """
    found = [act for statement in statements for act in acts(statement)]
    known = {entity.name: entity for entity in given}
    fixed = set(known)
    _add_described(known, statements, fixed)
    _add_described(known, later, set())
    _add_objects(known, found)
    item, holder = _lending(known, found)
    booked = _booked(known, found)
    world = World(tuple(known.values())[:MAX_ENTITIES], item, holder, booked)
    return _with_mentioned_fields(world, statements, fixed)


def _add_described(
    known: dict[str, EntityIdea], statements: Sequence[str], fixed: set[str]
) -> None:
    for statement in statements:
        idea = described(statement)
        if idea is None or at_most(statement) or stem(idea.name) in _GENERIC - {stem("entry")}:
            continue
        name = _same(known, idea.name) or idea.name
        if name in fixed or (len(idea.fields) < 2 and name not in known and span_of(statement)):
            continue
        entity = known.get(name, EntityIdea(name))
        for field in idea.fields:
            entity = entity.with_field(field)
        known[name] = entity


def _add_objects(known: dict[str, EntityIdea], found: list[Act]) -> None:
    for operations in (
        ("add",),
        ("track", "done", "receive"),
        ("change", "remove", "find"),
        ("list",),
    ):
        if operations != ("add",) and known:
            return
        for name in objects(found, operations):
            if stem(name) not in _GENERIC and not _same(known, name) and len(known) < MAX_ENTITIES:
                known[name] = EntityIdea(name)


def _same(known: dict[str, EntityIdea], name: str) -> str:
    last = stem(name.split("_")[-1])
    exact = next((k for k in known if stem(k) == stem(name)), "")
    return exact or next((k for k in known if stem(k.split("_")[-1]) == last), "")


def _lending(known: dict[str, EntityIdea], found: list[Act]) -> tuple[str, str]:
    lent = [act for act in found if act.operation == "lend"]
    if not lent:
        return "", ""
    things = [name for name in objects(lent, ("lend",)) if stem(name) not in _GENERIC]
    item = next((_same(known, name) for name in things if _same(known, name)), "")
    item = (
        item or next((n for n in known if not _PEOPLE.match(n)), "") or next(iter(things), "item")
    )
    known.setdefault(item, EntityIdea(item))
    subjects = [entity_name(act.subject) for act in lent if act.subject]
    people = [*known, *subjects]
    holder = next((name for name in people if _PEOPLE.match(name) and name != item), "")
    holder = _same(known, holder) or holder or next((n for n in known if n != item), "person")
    known.setdefault(holder, EntityIdea(holder))
    return item, holder


def _booked(known: dict[str, EntityIdea], found: list[Act]) -> str:
    things = [n for n in objects(found, ("book",)) if stem(n) not in _GENERIC]
    if not things:
        return ""
    name = _same(known, things[0]) or things[0]
    known.setdefault(name, EntityIdea(name))
    return name


def _with_mentioned_fields(world: World, statements: Sequence[str], fixed: set[str]) -> World:
    entities = {entity.name: entity for entity in world.entities}
    for statement in statements:
        for act in acts(statement):
            name = world.resolve(act.thing) or next(iter(world.names), "")
            if act.operation in ("find", "list") and name and name not in fixed:
                for field in by_fields(statement, world):
                    entities[name] = entities[name].with_field(field)
        if (named := _ranged(statement)) and world.names and world.names[0] not in fixed:
            entities[world.names[0]] = entities[world.names[0]].with_field(named)
    complete = (_complete(entity) for entity in entities.values())
    return replace(world, entities=tuple(complete))


def by_fields(statement: str, world: World) -> tuple[FieldIdea, ...]:
    """The fields in "search by title or author"; entities and actors are none."""
    match = _BY.search(statement)
    if not match:
        return ()
    ideas = field_ideas(match[1].replace(" by ", " "))
    return tuple(idea for idea in ideas if _may_be_a_field(idea, world))


def _ranged(statement: str) -> FieldIdea | None:
    """The number in "ratings from 1 to 5"."""
    if span_of(statement) is None:
        return None
    before = re.split(
        r"\b(?:from|between|von|zwischen)\b", statement, maxsplit=1, flags=re.IGNORECASE
    )[0]
    spoken = [singular(word.lower()) for word in re.findall(r"[^\W\d_]+", before)]
    return next((FieldIdea(word, "integer") for word in spoken if type_of(word) == "integer"), None)


def _may_be_a_field(idea: FieldIdea, world: World) -> bool:
    short = idea.name.count("_") <= 1
    return short and not world.resolve(idea.name) and stem(idea.name) not in _NOT_FIELDS


_NOT_FIELDS = frozenset(
    map(
        stem,
        "hand name_only word any staff letter people me us default day week month line "
        "command".split(),
    )
) - {stem("day")}


def _complete(entity: EntityIdea) -> EntityIdea:
    """The first field names the record, so it is needed; an entity without fields gets a name."""
    fields = entity.fields or (FieldIdea("name"), FieldIdea("note"))
    naming = next((f for f in fields if f.type == "text"), None)
    if naming is None:
        naming, fields = FieldIdea("name"), (FieldIdea("name"), *fields)
    others = tuple(field for field in fields if field.name != naming.name)
    return replace(entity, fields=(replace(naming, required=True), *others))
