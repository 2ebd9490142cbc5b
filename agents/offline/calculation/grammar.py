"""Read rules with numbers: conditions, amounts, percentages, refusals."""

import re
from dataclasses import dataclass
from decimal import Decimal

from agents.offline.numbers import whole
from agents.offline.words import identifier, plural, singular

_N = r"\d{1,7}(?:[.,]\d{1,2})?"
_CURRENCY = r"(?:€|£|\$|EUR|USD|GBP|CHF|euros?|dollars?|pounds?)"
_MONEY = (
    rf"(?:{_CURRENCY}\s?(?P<before>{_N})|(?P<after>{_N})\s?{_CURRENCY}|"
    rf"(?P<cents>\d{{1,4}})\s?(?:cents?|ct)\b)"
)
_PERCENT = re.compile(rf"({_N})\s?(?:%|per ?cent\b|prozent\b)", re.IGNORECASE)
_ANY_MONEY = re.compile(_MONEY, re.IGNORECASE)
_SMALL = "one two three four five six seven eight nine ten twelve fifteen twenty".replace(" ", "|")
_COMPARISONS = {
    "over": r"over|above|more than|(?:longer|heavier|older|higher|taller|wider|larger|greater|"
    r"bigger|further|farther) than|"
    r"exceed(?:s|ing)?|über|mehr als",
    "from": r"from|at least|starting (?:at|with)|not less than|ab|mindestens",
    "under": r"under|below|less than|(?:shorter|lighter|younger|lower|smaller|fewer) than|"
    r"unter|weniger als",
    "up to": r"up to|at most|no more than|not more than|bis(?: zu)?|höchstens",
}
_COMPARATOR = "|".join(
    f"(?P<{name.replace(' ', '_')}>{words})" for name, words in _COMPARISONS.items()
)
_CONDITION = re.compile(
    rf"\b(?:{_COMPARATOR})\s+(?:{_CURRENCY}\s?)?(?P<n>{_N}|{_SMALL})\s?(?P<unit>€|£|\$|[^\W\d_]+)?",
    re.IGNORECASE,
)
_OR_MORE = re.compile(
    rf"\b(?P<n>{_N}|{_SMALL})\s(?P<unit>[^\W\d_]+)?\s?(?:or|and) (?:more|older|over|longer)\b",
    re.IGNORECASE,
)
_STEP = re.compile(
    rf"\b(?:up to|bis(?: zu)?)\s+(?P<n>{_N})\s?(?P<unit>[^\W\d_]+)?[^\d€£$;]{{0,40}}?{_MONEY}",
    re.IGNORECASE,
)
_PER = re.compile(
    rf"{_MONEY}\s*(?:per|for each|for every|a|each|je|pro)\s+(?:started\s+|"
    rf"additional\s+)?(?P<unit>[^\W\d_]+)",
    re.IGNORECASE,
)
_EXTRA = re.compile(
    r"\b(?:extra|surcharge|additional(?:ly)?|supplement|on top(?! of that)|added|plus|more "
    r"expensive|increase[ds]?|zuschlag|zusätzlich)\b",
    re.I,
)
_LESS = re.compile(
    r"\b(?:discount|off|reduction|reduced|cheaper|less|rebate|rabatt|nachlass|subtracted|deducted)\b",
    re.I,
)
_FREE = re.compile(
    r"\b(?:free(?: of charge)?|costs? nothing|no charge|pays? nothing|kostenlos|gratis)\b",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:refused?|rejected|not accepted|not allowed|not possible|not carried|do not (?:take|"
    r"carry|accept)|cannot be "
    r"(?:sent|booked|accepted|carried)|declined|turned down|abgelehnt|nicht angenommen)\b",
    re.IGNORECASE,
)
_PRICE = re.compile(
    r"\b(?:costs?|price|fee|charge[ds]?|pays?|rate|tariff|kostet|preis|gebühr|is|are)\b",
    re.IGNORECASE,
)
_LEAST = re.compile(
    rf"\b(?:at least|minimum(?: \w+)?(?: of| is)?|never less than|mindestens)\s+{_MONEY}", re.I
)
_MOST = re.compile(
    rf"\b(?:at most|maximum(?: \w+)?(?: of| is)?|never more than|capped at|höchstens)\s+{_MONEY}",
    re.I,
)
_UNITS = {
    "kg": "weight", "g": "weight", "km": "distance", "l": "volume", "year": "age", "jahr": "age",
    "kilo": "weight", "kilogram": "weight", "kilometre": "distance", "kilometer": "distance",
}  # fmt: skip
_LENGTHS = {
    "high": "height",
    "taller": "height",
    "tall": "height",
    "wide": "width",
    "wider": "width",
}
_FLAG_NOISE = frozenset(
    "a an the for of on to with and or if is are be cost costs get gets pay pays extra more "
    "surcharge discount off each "
    "every all we it there delivery service customer customers order orders price fee by who "
    "that when wants want asks "
    "they he she at from per day not any one as so than has have charge charged add added "
    "additional additionally plus "
    "receive receives parcel parcels total supplement reduction our their in this whole "
    "ordered option using eur day days".split()
)


@dataclass(frozen=True)
class Condition:
    """A condition on an input. `test` is over, from, under, up to or is."""

    name: str
    test: str
    value: Decimal = Decimal(0)
    unit: str = ""


@dataclass(frozen=True)
class RuleIdea:
    """A rule as the words have it."""

    kind: str
    amount: Decimal = Decimal(0)
    when: tuple[Condition, ...] = ()
    name: str = ""
    unit: str = ""


def rules_in(statement: str) -> tuple[RuleIdea, ...]:
    """The rules in a statement; empty if there is none."""
    if not any(character.isdigit() for character in statement):
        return ()
    steps = _steps(statement)
    if steps and not _EXTRA.search(statement):
        return steps
    if limits := _bounds(statement):
        return limits
    conditions = _conditions(statement)
    if _REFUSED.search(statement):
        return (RuleIdea("refuse", when=conditions),) if conditions else ()
    if rule := _effect(statement, conditions):
        return (rule,)
    return ()


def money(match: re.Match[str]) -> Decimal:
    groups = match.groupdict()
    if groups.get("cents"):
        return Decimal(groups["cents"]) / 100
    return number(groups.get("before") or groups.get("after") or "0")


def number(text: str) -> Decimal:
    counted = None if text[0].isdigit() else whole(text)
    return Decimal(counted) if counted is not None else Decimal(text.replace(",", "."))


def _steps(statement: str) -> tuple[RuleIdea, ...]:
    found, unit = [], ""
    for match in _STEP.finditer(statement):
        unit = match["unit"] or unit
        if not unit or re.fullmatch(_CURRENCY, unit, re.IGNORECASE):
            continue
        name = input_name(unit, statement)
        found.append(
            RuleIdea(
                "step",
                money(match),
                (Condition(name, "up to", number(match["n"]), unit),),
                name,
                unit,
            )
        )
    return tuple(found)


def _bounds(statement: str) -> tuple[RuleIdea, ...]:
    if _EXTRA.search(statement) or _PERCENT.search(statement) or _FREE.search(statement):
        return ()
    if not re.search(
        r"\b(?:total|price|charge|fee|bill|cost|amount|pays?)\b", statement, re.IGNORECASE
    ):
        return ()
    if match := _LEAST.search(statement):
        return (RuleIdea("least", money(match)),)
    if match := _MOST.search(statement):
        return (RuleIdea("most", money(match)),)
    return ()


def _conditions(statement: str) -> tuple[Condition, ...]:
    found = []
    for match in _CONDITION.finditer(statement):
        test = next(name for name in _COMPARISONS if match[name.replace(" ", "_")])
        if condition := _condition(match, test, statement):
            found.append(condition)
    for match in _OR_MORE.finditer(statement):
        if condition := _condition(match, "from", statement):
            found.append(condition)
    return tuple(dict.fromkeys(found))[:2]


def _condition(match: re.Match[str], test: str, statement: str) -> Condition | None:
    unit = match["unit"] or ""
    before = statement[max(0, match.start("n") - 3) : match.start("n")]
    is_money = re.fullmatch(_CURRENCY, unit, re.I) or re.search(r"[€£$]\s?$", before)
    if (not unit and not is_money) or unit.lower() in (
        "percent",
        "per",
        "cent",
        "cents",
        "and",
        "or",
    ):
        return None
    name = "value" if is_money else input_name(unit, statement)
    return Condition(name, test, number(match["n"]), unit if not is_money else "money")


def input_name(unit: str, statement: str) -> str:
    """The input that a unit measures: kg is a weight, nights are a number of nights."""
    lower = unit.lower()
    if lower in ("cm", "m", "mm"):
        said = re.findall(r"\b(high|taller|tall|wide|wider)\b", statement.lower())
        return _LENGTHS[said[0]] if said else "length"
    key = singular(lower)
    return _UNITS.get(lower) or _UNITS.get(key) or identifier(plural(key))


def _effect(statement: str, conditions: tuple[Condition, ...]) -> RuleIdea | None:
    amounts = _effect_money(statement)
    percent = _PERCENT.search(statement)
    per = _PER.search(statement)
    if per and not percent and singular(per["unit"].lower()) not in ("order", "parcel", "customer"):
        name = input_name(per["unit"], statement)
        when = conditions or (_flag(statement) if _EXTRA.search(statement) else ())
        return RuleIdea("per", money(per), when, name, per["unit"])
    if _FREE.search(statement) and not amounts and not percent:
        return RuleIdea("free", when=conditions) if conditions else None
    sign = -1 if _LESS.search(statement) else 1
    if percent and (_LESS.search(statement) or _EXTRA.search(statement)):
        when = conditions or _flag(statement)
        return RuleIdea("percent", sign * number(percent[1]), when) if when else None
    if not amounts:
        return None
    if _EXTRA.search(statement) or _LESS.search(statement):
        when = conditions or _flag(statement)
        return RuleIdea("price", sign * amounts[0], when) if when else None
    return RuleIdea("price", amounts[0], conditions) if _PRICE.search(statement) else None


def _effect_money(statement: str) -> list[Decimal]:
    """Amounts that are no threshold of a condition."""
    thresholds = [match.span() for match in _CONDITION.finditer(statement)]
    return [
        money(match)
        for match in _ANY_MONEY.finditer(statement)
        if not any(start <= match.start() < end for start, end in thresholds)
    ]


def _flag(statement: str) -> tuple[Condition, ...]:
    """The yes-or-no that a rule without a number hangs on: "express delivery costs 8 EUR extra"."""
    for word in re.findall(r"[^\W\d_]{4,}", statement.lower()):
        if word not in _FLAG_NOISE and not re.fullmatch(_CURRENCY + "|percent|prozent", word, re.I):
            return (Condition(identifier(singular(word)), "is"),)
    return ()
