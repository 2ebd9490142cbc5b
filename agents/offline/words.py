"""What the rules know of words: English first, German as well."""

import re
import unicodedata

OPERATIONS: dict[str, tuple[str, ...]] = {
    "add": (
        "add create register record enter capture log save sign-up enrol enroll collect insert put "
        "hinzufügen anlegen erfassen eintragen aufnehmen speichern registrieren"
    ).split(),
    "list": (
        "list see view show browse display overview auflisten anzeigen ansehen sehen zeigen".split()
    ),
    "find": "search find look-up filter suchen finden filtern nachschlagen".split(),
    "change": (
        "edit update change correct modify rename amend adjust ändern bearbeiten korrigieren"
    ).split(),
    "remove": "delete remove discard löschen entfernen".split(),
    "lend": "borrow lend check-out rent loan take-out ausleihen verleihen entleihen leihen".split(),
    "give_back": "return give-back bring-back check-in zurückgeben zurückbringen".split(),
    "done": "complete finish tick-off check-off close abhaken erledigen abschließen".split(),
    "book": "book reserve buchen reservieren".split(),
    "cancel": "cancel stornieren absagen".split(),
    "import": "import load importieren einlesen".split(),
    "export": "export exportieren".split(),
    "receive": "receive restock".split(),
    "issue": "issue consume withdraw use-up sell".split(),
    "track": "track tick check mark".split(),
}
IRREGULAR = {
    "put": "put", "see": "seen", "find": "found", "lend": "lent", "give-back": "given-back",
    "bring-back": "brought-back", "show": "shown", "sell": "sold", "withdraw": "withdrawn",
    "take-out": "taken-out",
}  # fmt: skip
DETERMINERS = frozenset(
    "a an the new all any every each my our their his her its your some several existing old "
    "one more "
    "this that these those which what many own current single different other simple whole full "
    "ein eine einen einem einer eines der die das den dem des alle jede jedes jeder jeden neue "
    "neues "
    "neuen mein meine meinen unsere unser unseren ihre seine".split()
)
STOPS = frozenset(
    "to from by with for in on at of as when that which who whose if so and or is are be been was "
    "were has have had into onto via per than then but not can may must should could will would "
    "shall about under over after before while because until during between within without it them "
    "no he she they we i you us him there here together again also only at most least up out using "
    "zu von mit für im am an auf aus bei nach wenn dass damit und oder ist sind kann können soll "
    "sollen muss müssen wird werden sie er es wir ich nicht sowie pro".split()
)
PRONOUNS = frozenset(
    "it them one ones everything things thing something anything es sie alles".split()
)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_TRANSLITERATION = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae"})


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def singular(word: str) -> str:
    """The singular of an English plural; other words stay as they are."""
    lower = word.lower()
    if len(lower) < 4 or lower.endswith(("ss", "us", "is", "ous", "news")):
        return word
    if lower.endswith("ies") and len(lower) > 4 and lower not in ("movies", "cookies", "series"):
        return word[:-3] + "y"
    if lower.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if lower == "people":
        return "person"
    if lower.endswith("ves") and lower[:-3] in ("shel", "lea", "hal", "loa", "cal"):
        return word[:-3] + "f"
    return word[:-1] if lower.endswith("s") else word


def plural(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def identifier(text: str, *, fallback: str = "item") -> str:
    """A name that is safe in Python and on a command line."""
    plain = text.lower().translate(_TRANSLITERATION)
    ascii_only = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:40].strip("_")
    return name if name and name[0].isalpha() else fallback


def stem(word: str) -> str:
    """A key under which singular and plural of a word meet, in English and German."""
    folded = unicodedata.normalize("NFKD", singular(word).lower())
    plain = "".join(c for c in folded if not unicodedata.combining(c)).replace("_", " ")
    for ending in ("ern", "en", "er", "e", "n"):
        if len(plain) - len(ending) >= 4 and plain.endswith(ending):
            return plain[: -len(ending)]
    return plain


def forms(verb: str) -> tuple[str, str]:
    """The third person and the participle of an English verb, good enough to find them."""
    if verb in IRREGULAR:
        return verb + "s", IRREGULAR[verb]
    head, _, tail = verb.partition("-")
    rest = f"-{tail}" if tail else ""
    third = plural(head) if not head.endswith("y") or head[-2:-1] in "aeiou" else head[:-1] + "ies"
    if head.endswith("e"):
        past = head + "d"
    elif head.endswith("y") and head[-2:-1] not in "aeiou":
        past = head[:-1] + "ied"
    else:
        past = head + ("ged" if head == "log" else "red" if head == "enter_" else "ed")
    return third + rest, past + rest
