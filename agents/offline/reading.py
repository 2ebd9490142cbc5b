"""Cut the words of people into passages, each knowing exactly where it stands.

Text is data: nothing in it is interpreted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PASSAGES = 1_500
MAX_PASSAGE = 600

_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]+(?=\S)")
_BULLET = re.compile(r"\s{0,12}(?:[-*+•–]|\d{1,3}[.)])[ \t]+(?=\S)")
_RULE = re.compile(r"\s*(?:[-=*_]\s*){3,}$")
_SENTENCE_END = re.compile(r"(?<=[.!?。])[\"')\]]?\s+(?=\S)")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|ca|approx|nr|z\.B|d\.h|bzw|vs|incl|mr|mrs|dr)\.$", re.IGNORECASE
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """Something a person wrote: the brief, an answer or a comment."""

    kind: str
    number: int
    text: str


@dataclass(frozen=True)
class Passage:
    """A heading, bullet or sentence. `text[start:end]` of its source is exactly `quote`."""

    source: Source
    start: int
    end: int
    kind: str
    section: str = ""
    lead: str = ""

    @property
    def quote(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def statement(self) -> str:
        """The words in one line, with the sentence that leads into a list in front."""
        joint = ": " if self.lead and self.quote[:1].isupper() else " "
        return " ".join(f"{self.lead}{joint}{self.quote}".split())


def storable(text: str) -> str:
    """The text with what no database can hold replaced, character by character: offsets stay."""
    return _UNSTORABLE.sub("\ufffd", text)


def read(source: Source) -> list[Passage]:
    """The passages of a source, in order; at most MAX_PASSAGES."""
    found: list[Passage] = []
    section = lead = ""
    for kind, start, end in _blocks(source.text):
        if len(found) >= MAX_PASSAGES:
            break
        if kind == "heading":
            section, lead = source.text[start:end].strip(), ""
            found.append(Passage(source, start, end, kind, section))
            continue
        pieces = [
            Passage(source, a, b, kind, section, lead if kind == "bullet" else "")
            for a, b in _sentences(source.text, start, end)
        ]
        found.extend(pieces)
        if kind == "sentence":
            lead = _lead(pieces[-1].quote) if pieces else ""
    return found[:MAX_PASSAGES]


def _lead(quote: str) -> str:
    return " ".join(quote[:-1].split()) if quote.endswith(":") and len(quote) < 160 else ""


def _blocks(text: str) -> Iterator[tuple[str, int, int]]:
    """Headings, bullets and paragraphs as (kind, start, end)."""
    kind, start, end, position = "", 0, 0, 0
    for line in text.splitlines(keepends=True):
        begin, position = position, position + len(line)
        body = line.rstrip()
        new, inner = _kind_of(body)
        if new != "more" or not kind:
            if kind:
                yield kind, start, end
            kind, start = ("sentence" if new == "more" else new), begin + inner
        if new == "heading":
            yield "heading", start, begin + len(body.rstrip("# \t"))
            kind = ""
        end = begin + len(body)
        kind = "" if new == "" else kind
    if kind:
        yield kind, start, end


def _kind_of(line: str) -> tuple[str, int]:
    if not line.strip() or _RULE.match(line):
        return "", 0
    if match := _HEADING.match(line):
        has_words = len(line.rstrip("# \t")) > match.end()
        return ("heading", match.end()) if has_words else ("", 0)
    if match := _BULLET.match(line):
        return "bullet", match.end()
    return "more", len(line) - len(line.lstrip())


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if _ABBREVIATION.search(text[max(begin, match.start() - 12) : match.start()]):
            continue
        yield from _pieces(text, begin, match.start())
        begin = match.end()
    yield from _pieces(text, begin, end)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretch without outer space, broken where it is too long to be one statement."""
    while start < end:
        while start < end and text[start].isspace():
            start += 1
        stop = min(end, start + MAX_PASSAGE)
        if stop < end:
            gap = max(text.rfind(" ", start, stop), text.rfind("\n", start, stop))
            stop = gap if gap > start else stop
        last = stop
        while last > start and text[last - 1].isspace():
            last -= 1
        if last > start:
            yield start, last
        start = stop
