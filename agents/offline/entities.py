"""Find the kinds of record that a text speaks of, with their fields."""

import re
from dataclasses import dataclass, field, replace

from agents.offline.grammar import Act
from agents.offline.words import DETERMINERS, STOPS, identifier, singular, stem, words

MAX_ENTITIES = 8
MAX_FIELDS = 14

_NP = r"(?P<thing>[^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*){0,2}?)"
_LIST = r"(?P<fields>[^.;:!?]{3,260})"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:each|every|an?|all|for each|for every|jede[rs]?|ein|eine)\s+{_NP}\s+"
        rf"(?:has|have|needs|gets|must have|should have|consists of|is described by|hat|"
        rf"haben)\s+{_LIST}",
        rf"^{_NP}\s+(?:have|haben)\s+{_LIST}",
        rf"\b(?:for|of|about|für|von|zu)\s+(?:each|every|an?|all|jede[rsmn]?|ein(?:e[rmn]?)?)\s+{_NP}\s*,?\s+"
        rf"(?:we|i|they|it|the program|is|are|staff|wir|werden|wird)\s+(?:must |should |want "
        rf"to |need to |also )?"
        rf"(?:records?|stores?|keeps?|notes? down|notes?|knows?|saves?|enters?|tracks?|"
        rf"erfassen|speichern)\s+{_LIST}",
        rf"\b(?:record|store|keep|note|know|see|saves?)\s+(?P<fields>[^.;:!?]{{3,160}}?)\s+(?:of|for|about)\s+"
        rf"(?:each|every)\s+{_NP}(?=[\s.,;]|$)",
        rf"\b(?:add|create|register|record|enter|log|capture|save)\s+(?:an?|new|the|each|"
        rf"every)?\s*(?:new )?{_NP}\s+"
        rf"(?:with|by giving|by entering|giving|consisting of|:)\s+(?:an?|its|their|the|at "
        rf"least)?\s*{_LIST}",
        rf"\b(?:add|create|register|record|enter|log|capture|save)\s+(?:an?|new|the)?\s*(?:new "
        rf")?{_NP}\s+\((?P<fields>[^)]{{3,200}})\)",
        rf"^\**{_NP}\**\s*:\s+(?P<fields>[^.;:!?]{{3,200}},[^.;:!?]{{2,200}})",
        rf"\b{_NP}\s+mit\s+(?P<fields>[^.;:!?]{{3,160}}?)\s+(?:anlegen|erfassen|hinzufügen|eintragen|speichern)",
    )
)
_TYPES = (
    ("date", r"date|day|deadline|birthday|datum|tag|geburtstag|due|since|until|expiry|expires"),
    ("boolean", r"is_.*|has_.*|vegetarian|paid|active|private"),
    (
        "decimal",
        r"price|amount|cost|costs|total|fee|weight|preis|betrag|kosten|salary|rate|distance|balance|gewicht",
    ),
    (
        "integer",
        r"year|quantity|number|count|age|rating|minutes|hours|pages|servings|copies|stock|level|"
        r"capacity|seats|duration|time|portions|jahr|menge|anzahl|alter|bewertung|dauer|seiten|portionen|"
        r"players|points|size|threshold|minimum|maximum|calories|bestand|units|pieces",
    ),
)
_NOT_A_NUMBER = (
    "isbn",
    "phone",
    "invoice_number",
    "serial_number",
    "card_number",
    "membership_number",
)
_COLLECTIVE = ("list", "number", "set", "kind", "amount")
CHOICES = re.compile(
    r"\b(?:the |an? |its |their )?([^\W\d_]+) (?:is |are |can be |may be |must be )(?:either |"
    r"always |one of:? ?)?"
    r"((?:[^\W\d_]+(?: [^\W\d_]+)?, )*[^\W\d_]+(?: [^\W\d_]+)?,? or [^\W\d_]+(?: "
    r"[^\W\d_]+)?)(?=[.;)]|$)"
    r"|\b([^\W\d_]+) \(((?:[^\W\d_]+, )*[^\W\d_]+,? or [^\W\d_]+)\)",
    re.IGNORECASE,
)
_SKIPPED = frozenset(
    "optional unique short long full optionally possibly maybe exactly least".split()
)


@dataclass(frozen=True)
class FieldIdea:
    """A field as far as the words say."""

    name: str
    type: str = "text"
    required: bool = False
    unique: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntityIdea:
    """A kind of record as far as the words say."""

    name: str
    fields: tuple[FieldIdea, ...] = field(default=())

    def with_field(self, idea: FieldIdea) -> "EntityIdea":
        """The entity with the field added, unless it has it already."""
        if any(stem(known.name) == stem(idea.name) for known in self.fields):
            return self
        return replace(self, fields=(*self.fields, idea)[:MAX_FIELDS])


def described(statement: str) -> EntityIdea | None:
    """The kind of record whose fields the statement lists, or None."""
    for pattern in _PATTERNS:
        match = pattern.search(statement)
        if not match:
            continue
        name = entity_name(match["thing"])
        fields = field_ideas(match["fields"])
        if name and fields:
            return EntityIdea(name, fields)
    return None


def entity_name(phrase: str) -> str:
    kept = [w for w in words(phrase.lower()) if w not in DETERMINERS and w not in STOPS]
    return identifier(" ".join([*kept[:-1][-1:], singular(kept[-1])])) if kept else ""


def field_ideas(listing: str) -> tuple[FieldIdea, ...]:
    """The fields in "a title, an optional author and the year"."""
    parts = re.split(r",|;|\band\b|\bor\b|\bund\b|\bsowie\b|\bplus\b|&", _unbracketed(listing))
    ideas: dict[str, FieldIdea] = {}
    for part in parts:
        idea = _field_idea(part)
        if idea:
            ideas.setdefault(idea.name, idea)
    return tuple(ideas.values())[:MAX_FIELDS]


def type_of(name: str) -> str:
    """The likely type of a field of this name."""
    if any(word in name for word in _NOT_A_NUMBER):
        return "text"
    last = name.split("_")
    for type_name, pattern in _TYPES:
        if any(re.fullmatch(pattern, word) for word in (name, last[-1], last[0])):
            return type_name
    return "text"


def _unbracketed(listing: str) -> str:
    return re.sub(r"\((?!optional)[^)]*\)", " ", listing)


def _field_idea(part: str) -> FieldIdea | None:
    spoken = words(part.lower())
    kept: list[str] = []
    for word in spoken:
        if word == "of" and kept and kept[-1] in _COLLECTIVE:
            kept.pop()
            continue
        if word == "of" and kept == ["date"]:
            kept.append(word)
            continue
        if word in STOPS:
            if kept:
                break
            continue
        if word not in DETERMINERS and word not in _SKIPPED and not word.isdigit():
            kept.append(word)
    if not kept or len(kept) > 4 or len(part) > 80:
        return None
    name = identifier(" ".join(kept), fallback="")
    if not name:
        return None
    return FieldIdea(_free(name), type_of(name), unique="unique" in spoken)


def _free(name: str) -> str:
    return f"{name}_code" if name in ("id", "help", "data", "today", "run", "number") else name


def objects(found: list[Act], operations: tuple[str, ...]) -> list[str]:
    """Names of what these operations are done to, in order, each once."""
    names = [entity_name(act.thing) for act in found if act.operation in operations and act.thing]
    return list(dict.fromkeys(name for name in names if name))
