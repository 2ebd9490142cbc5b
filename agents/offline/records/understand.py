"""Turn a statement about records into demands."""

import re
from collections.abc import Callable

from agents.offline.demands import Demand
from agents.offline.entities import CHOICES, described, field_ideas
from agents.offline.grammar import Act, acts
from agents.offline.numbers import at_most, days_in, span_of, whole
from agents.offline.qualities import PERSIST, quality_demands
from agents.offline.records.world import World, by_fields
from agents.offline.words import identifier, stem

_OVERDUE = re.compile(
    r"\b(?:overdue|late|too late|past (?:its|their|the) due|überfällig)", re.IGNORECASE
)
_BLOCKED = re.compile(
    r"\b(?:cannot|can not|can't|may not|must not|not allowed to|is refused|are refused|no "
    r"longer)\b[^.]*"
    r"\b(?:borrow|lend|take|lent|loan)|\b(?:not|nothing)\b[^.]{0,20}\b(?:borrow|lend)",
    re.IGNORECASE,
)
_FEE = re.compile(
    r"(?:(\d{1,4})\s*(?:cents?|ct)|(?:€|£|\$|eur(?:o|os)?)?\s*(\d{1,3}[.,]\d{2})\s*(?:€|eur(?:o|os)?)?)\s*"
    r"(?:per|a|for each|for every|each|every|pro)\s+(?:\w+\s+)?(?:day|tag)",
    re.IGNORECASE,
)
_LOAN_TIME = re.compile(
    r"\b(?:lasts?|due|loan|loans|borrow(?:ed)?|lend|lent|back|keep|kept|return(?:ed)?|period|leihfrist|ausleih)",
    re.I,
)
_TWICE = re.compile(
    r"\b(?:already|twice|someone else|only one|same time|before it (?:is|has)|until it (?:is|"
    r"has))\b",
    re.IGNORECASE,
)
_GUARD = re.compile(
    r"\b(?:cannot|can not|can't|may not|must not|never|not)\b[^.]{0,30}\b(?:delete|deleted|"
    r"remove|removed|discard)",
    re.IGNORECASE,
)
_UNIQUE = re.compile(
    r"\bno two\b|\bunique\b|\bduplicates?\b|\bonly once\b|\bsame\b[^.]{0,40}\b(?:twice|refused|"
    r"again|once|only)\b|"
    r"\btwo [^.]{0,40}\bsame\b|\beindeutig|\bdoppelt",
    re.IGNORECASE,
)
_REQUIRED = re.compile(
    r"\b(?:must have|must not be empty|cannot be empty|may not be empty|mandatory|is required|"
    r"are required|"
    r"without an? \w+ (?:is|are) (?:refused|rejected)|needs at least|muss .{1,40} haben)\b",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:negative|below zero|under zero|less than zero|more than (?:there is|is in stock|we "
    r"have))\b",
    re.IGNORECASE,
)
_STOCK = re.compile(r"\b(?:in stock|stock|on hand|bestand|lager)\b", re.IGNORECASE)
_LOW = re.compile(
    r"\b(?:below|under|fewer than|less than|runs? low|running low|reorder|unter|knapp|almost "
    r"(?:out|used up))\b",
    re.IGNORECASE,
)
_LOW_NUMBER = re.compile(r"\b(?:below|under|fewer than|less than|unter)\s+(\w+)", re.IGNORECASE)
_DAILY = re.compile(
    r"\b(?:habit|streak|daily|per day|each day|every day|a day|for the day|today|in a row)\b", re.I
)
_REPORT = re.compile(
    r"\b(?:report|totals?|sums?|how many|how much|counts?|statistics?|number of|add(?:s|ed)? "
    r"up|summary|summe|anzahl|"
    r"auswertung)\b",
    re.IGNORECASE,
)
_AVERAGE = re.compile(r"\b(?:average|mean|median|durchschnitt)", re.IGNORECASE)
_SORT = re.compile(
    r"\b(?:sort(?:ed|s)?|order(?:ed)? by|in order of|alphabetical|sortier)", re.IGNORECASE
)
_CSV = re.compile(r"\b(?:csv|spreadsheet)\b", re.IGNORECASE)
_HISTORY = re.compile(
    r"\b(?:history|who has|who (?:currently )?(?:has|borrowed|holds)|what is lent|on loan|lent "
    r"out|what (?:he|she|they|a \w+) "
    r"(?:has|have)|currently (?:has|have|lent|borrowed)|open loans|which \w+ (?:are|is) (?:out|"
    r"lent|away))\b",
    re.IGNORECASE,
)
_FIELD_OPERATIONS = ("add", "list", "find", "change", "remove")


def demands_of(statement: str, world: World) -> tuple[Demand, ...]:
    """Everything in the statement that can be built; empty if nothing is recognised."""
    if PERSIST.search(statement):
        return tuple(quality_demands(statement))
    found = acts(statement)
    demands: list[Demand] = []
    for reader in _READERS:
        demands += reader(statement, world, found)
    if not any(demand.kind in _RULES for demand in demands):
        demands += _plain_operations(statement, world, found)
    return tuple(dict.fromkeys(demands or quality_demands(statement)))


def _limits(statement: str, world: World, found: list[Act]) -> list[Demand]:
    limit = at_most(statement)
    if limit is None or (
        _LOW.search(statement) and not re.search("at most|up to", statement, re.I)
    ):
        return []
    number, noun = limit
    if world.booked and re.match(r"hour|minute|stunde", noun):
        minutes = number * (60 if noun[0] in "hs" else 1)
        return [Demand("longest", world.booked, number=minutes)]
    target = world.resolve(noun)
    if world.item and (
        target == world.item
        or noun in ("loans", "things", "items")
        or (not target and _lends(found))
    ):
        return [Demand("loan_limit", world.item, number=number)]
    if world.booked and noun in ("bookings", "reservations", "times"):
        return [Demand("booking_limit", world.booked, number=number)]
    if target:
        return [Demand("most", target, number=number)]
    return []


def _lends(found: list[Act]) -> bool:
    return any(act.operation == "lend" for act in found)


def _loans(statement: str, world: World, found: list[Act]) -> list[Demand]:
    if not world.item:
        return []
    demands: list[Demand] = []
    fee = _FEE.search(statement)
    days = days_in(statement)
    blocked = _BLOCKED.search(statement)
    if fee:
        cents = int(fee[1]) if fee[1] else int(re.sub(r"\D", "", fee[2]))
        return [Demand("fee", world.item, number=cents)]
    if days is not None and _LOAN_TIME.search(statement):
        demands.append(Demand("loan_days", world.item, number=days))
    if _OVERDUE.search(statement):
        demands.append(Demand("blocked" if blocked else "overdue", world.item))
    elif _GUARD.search(statement):
        return [Demand("guard", world.resolve(world.mentioned(statement)) or world.item)]
    elif (blocked and _TWICE.search(statement)) or (
        _TWICE.search(statement) and re.search("lent|borrow|loan", statement)
    ):
        demands.append(Demand("not_twice", world.item))
    elif _HISTORY.search(statement):
        demands.append(Demand("loans", world.item))
    if demands and demands[0].kind in ("blocked", "not_twice", "loans", "overdue"):
        return demands
    for act in found:
        if act.operation in ("lend", "give_back"):
            demands.append(Demand(act.operation, world.item))
    return demands


def _bookings(statement: str, world: World, found: list[Act]) -> list[Demand]:
    if not world.booked:
        return []
    if re.search(
        r"\boverlap|\bdouble|\btwice|\bsame time|\balready (?:booked|taken)", statement, re.I
    ):
        return [Demand("no_overlap", world.booked)]
    demands = [
        Demand(act.operation, world.booked) for act in found if act.operation in ("book", "cancel")
    ]
    listed = any(act.operation == "list" for act in found)
    spoken = re.search(r"\b(?:bookings|reservations|booked)\b", statement, re.IGNORECASE)
    return [Demand("bookings", world.booked)] if listed and spoken and not demands else demands


def _stock(statement: str, world: World, found: list[Act]) -> list[Demand]:
    entity = _stocked(world)
    if not entity:
        return []
    if _NEGATIVE.search(statement):
        return [Demand("not_negative", entity)]
    demands = [Demand(a.operation, entity) for a in found if a.operation in ("receive", "issue")]
    if _LOW.search(statement) and (_STOCK.search(statement) or found or world.mentioned(statement)):
        match = _LOW_NUMBER.search(statement)
        number = int(match[1]) if match and match[1].isdigit() else _word_number(match)
        if number is not None:
            return [Demand("low", entity, number=number)]
    return demands


def _word_number(match: re.Match[str] | None) -> int | None:
    return whole(match[1]) if match else None


def _stocked(world: World) -> str:
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
    return next((name for field in names if (name := world.having(field))), "")


def _completion(statement: str, world: World, found: list[Act]) -> list[Demand]:
    entity = _target(statement, world, found, "done")
    if _DAILY.search(statement) and _is_tracked(statement, found):
        kind = "streaks" if re.search(r"streak|in a row|how many days", statement, re.I) else "tick"
        kind = (
            "tick_once"
            if re.search(r"\btwice|only once|once (?:a|per) day|at most once", statement, re.I)
            else kind
        )
        return [Demand(kind, entity)]
    marks = any(act.operation == "done" for act in found) or re.search(
        r"\bmark\w*\b[^.]{0,40}\b(?:done|complete|completed|finished)\b", statement, re.IGNORECASE
    )
    if marks:
        return [Demand("done", entity)]
    if re.search(
        r"\b(?:open|unfinished|not (?:yet )?done|still to do|outstanding|offene)\b", statement, re.I
    ) and (any(act.operation == "list" for act in found)):
        return [Demand("open", entity)]
    return []


def _is_tracked(statement: str, found: list[Act]) -> bool:
    words = re.search(
        r"\b(?:streak|in a row|habit|tick|check(?:ed|s)? (?:it |them )?off|twice)\b",
        statement,
        re.I,
    )
    return (
        bool(words)
        and (
            any(act.operation in ("track", "done", "list") for act in found)
            or bool(re.search(r"streak|in a row|tick|twice|once", statement, re.I))
        )
        and not any(act.operation in ("add", "remove", "change") for act in found)
    )


def _deadlines(statement: str, world: World, found: list[Act]) -> list[Demand]:
    if world.item or not _OVERDUE.search(statement):
        return []
    for entity in world.entities:
        for field in entity.fields:
            if field.type == "date":
                return [Demand("deadline", entity.name, (field.name,))]
    return []


def _shape(statement: str, world: World, found: list[Act]) -> list[Demand]:
    """Fields, and what their values may be."""
    idea = described(statement)
    if idea is not None and not at_most(statement):
        name = world.resolve(idea.name)
        entity = world.entity(name)
        if entity:
            known = {stem(field.name): field.name for field in entity.fields}
            fields = tuple(known[stem(f.name)] for f in idea.fields if stem(f.name) in known)
            unique = [Demand("unique", name, (known[stem(f.name)],)) for f in idea.fields
                      if f.unique and stem(f.name) in known]  # fmt: skip
            if fields and _REQUIRED.search(statement):
                return [Demand("required", name, fields), *unique]
            return [Demand("fields", name, fields), *unique] if fields else []
    return []


def _values(statement: str, world: World, found: list[Act]) -> list[Demand]:
    named = _fields_named(statement, world)
    if choices := _choices(statement, world):
        return [choices]
    if _UNIQUE.search(statement) and not world_rule(statement, world):
        entity = world.mentioned(statement) or (
            named[0][0] if named else next(iter(world.names), "")
        )
        fields = tuple(field for name, field in named if name == entity) or _naming(world, entity)
        return (
            [Demand("unique", entity, fields)]
            if entity and fields and not described(statement)
            else []
        )
    span = span_of(statement)
    if span and named:
        return [Demand("range", named[0][0], (named[0][1],), span[0], span[1])]
    if _REQUIRED.search(statement) and named and not described(statement):
        entity = named[0][0]
        return [Demand("required", entity, tuple(f for name, f in named if name == entity))]
    if _NEGATIVE.search(statement) and named and not _stocked(world):
        return [Demand("range", named[0][0], (named[0][1],), 0)]
    return []


def world_rule(statement: str, world: World) -> bool:
    """Whether "twice" and the like are about lending, booking or ticking, not about values."""
    return bool(
        re.search(
            r"\b(?:lent|borrow|loan|book(?:ed|ing)|overlap|tick|day|same time)", statement, re.I
        )
    ) and not re.search(
        r"\bsame\s+\w+\s+(?:name|title|number|isbn)|\bsame (?:name|title|isbn|number|email)",
        statement,
        re.I,
    )


def _choices(statement: str, world: World) -> Demand | None:
    for match in CHOICES.finditer(statement):
        name, listing = match[1] or match[3], match[2] or match[4]
        entity = world.having(identifier(name))
        values = tuple(idea.name.replace("_", " ") for idea in field_ideas(listing))
        if entity and len(values) > 1:
            field = _known(world, entity, identifier(name))
            return Demand("choices", entity, (field,), text="|".join(values))
    return None


def _known(world: World, entity: str, name: str) -> str:
    fields = world.entity(entity).fields
    return next(field.name for field in fields if stem(field.name) == stem(name))


def _naming(world: World, entity: str) -> tuple[str, ...]:
    known = world.entity(entity)
    return (known.fields[0].name,) if known else ()


def _fields_named(statement: str, world: World) -> list[tuple[str, str]]:
    """(entity, field) for each field that the statement names; those of its entity first."""
    spoken = {stem(word) for word in re.findall(r"[^\W\d_]+", statement)}
    main = world.mentioned(statement)
    pairs = [
        (entity.name, field.name)
        for entity in world.entities
        for field in entity.fields
        if all(stem(part) in spoken for part in field.name.split("_"))
    ]
    return sorted(pairs, key=lambda pair: pair[0] != main)


def _reports(statement: str, world: World, found: list[Act]) -> list[Demand]:
    if described(statement) or re.search(r"\bstreak|\bin a row\b", statement, re.IGNORECASE):
        return []
    if not _REPORT.search(statement) or _AVERAGE.search(statement) or not world.entities:
        return []
    if any(act.operation in ("add", "change", "remove", "lend") for act in found):
        return []
    entity = world.mentioned(statement) or world.names[0]
    idea = world.entity(entity)
    spoken = {field for name, field in _fields_named(statement, world) if name == entity}
    adds = re.search(
        r"\b(?:totals?|sums?|how much|add(?:s|ed)? up|together|summe|value)\b", statement, re.I
    )
    numbers = [f.name for f in idea.fields if f.name in spoken and f.type in ("integer", "decimal")]
    totals = numbers if adds else []
    groups = [f.name for f in idea.fields if f.name in spoken and f.name not in numbers]
    if re.search(r"\b(?:per|by|for each|each|pro|nach)\b", statement, re.I) and not groups:
        return []
    return [Demand("report", entity, tuple(groups[:1]), text=next(iter(totals), ""))]


def _transfers(statement: str, world: World, found: list[Act]) -> list[Demand]:
    if not _CSV.search(statement):
        return []
    entity = world.mentioned(statement) or next(iter(world.names), "")
    kinds = [act.operation for act in found if act.operation in ("import", "export")]
    if not kinds and re.search(r"\b(?:write|written|save|out)\b", statement, re.I):
        kinds = ["export"]
    return [Demand(kind, entity) for kind in kinds] if entity else []


def _target(statement: str, world: World, found: list[Act], operation: str) -> str:
    for act in found:
        if act.operation == operation and (name := world.resolve(act.thing)):
            return name
    return world.mentioned(statement) or next(iter(world.names), "")


def _plain_operations(statement: str, world: World, found: list[Act]) -> list[Demand]:
    demands: list[Demand] = []
    for act in found:
        if act.operation not in _FIELD_OPERATIONS or not world.entities:
            continue
        for name in _meant(act, statement, world, demands):
            fields = _asked_fields(statement, world, name, act.operation)
            demands.append(Demand(act.operation, name, fields))
    if _SORT.search(statement) and not any(d.kind == "list" and d.fields for d in demands):
        name = world.mentioned(statement) or next(iter(world.names), "")
        fields = _asked_fields(statement, world, name, "list") or _naming(world, name)
        demands = [d for d in demands if d.kind != "list"]
        demands += [Demand("list", name, fields)] if name else []
    return demands


def _meant(act: Act, statement: str, world: World, before: list[Demand]) -> list[str]:
    """What an act is about; "add books and members, and correct them" is about both."""
    if name := world.resolve(act.thing):
        return [name]
    if act.thing and act.operation == "add":
        return []
    spoken = list(dict.fromkeys(demand.entity for demand in before))
    if not act.thing and spoken:
        return spoken
    return [world.mentioned(statement) or world.names[0]]


def _asked_fields(statement: str, world: World, name: str, operation: str) -> tuple[str, ...]:
    if operation not in ("find", "list") or not name:
        return ()
    known = {stem(field.name): field.name for field in world.entity(name).fields}
    asked = (stem(idea.name) for idea in by_fields(statement, world))
    fields = tuple(known[key] for key in asked if key in known)
    return fields if operation == "find" or _SORT.search(statement) else ()


_READERS: tuple[Callable[[str, World, list[Act]], list[Demand]], ...] = (
    _limits,
    _loans,
    _bookings,
    _stock,
    _completion,
    _deadlines,
    _shape,
    _values,
    _reports,
    _transfers,
)
_RULES = frozenset(
    "loan_limit booking_limit longest most fee blocked overdue guard not_twice loans "
    "no_overlap bookings "
    "not_negative low tick tick_once streaks done open deadline unique required choices range "
    "report "
    "import export".split()
)
