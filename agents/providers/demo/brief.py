"""Cuts a text into its sentences, in any language. Each knows where it stands, and none is dropped.

Headings, list items, table rows and code blocks are recognized by their marks alone. Nothing is
interpreted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

# Beyond this a heading is a sentence in its own right, since places name headings in full.
LONGEST_HEADING = 100
# Lines of a paragraph that is narrower than this were ended on purpose, not wrapped.
WRAPPED_WIDTH = 60

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MARKS_ALONE = re.compile(r"[-=*_#|:+~>`\s]*")
_OUTER = re.compile(r"(?:[ \t]*>)*[ \t]*")
_FENCE = re.compile(r"`{3,}|~{3,}")
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_UNDERLINE = re.compile(r"={2,}|-{2,}")
_TABLE_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t:|-]*)")
_BULLET = re.compile(r"[-*+•‣◦][ \t]+(?:\[[ xX]\][ \t]+)?(?=\S)")
_LOOSE_BULLET = re.compile(r"[·–—][ \t]+(?=\S)")
_NUMBER = re.compile(
    r"\(?(?:\d{1,3}|[a-zA-Z](?=\)))[.)](?=[ \t]+\S)"
    r"|[(（]?[\d一二三四五六七八九十]{1,3}[、）](?=\s*\S)"
)
# Possessive and looked behind, so that a million dots are read but once.
_SENTENCE_END = re.compile(
    r"(?<![.!?…])(?P<spaced>[.!?…]++[\"'”’»)\]*_]*+)(?=\s)|[。！？｡؟۔।॥։።]++[\"'”’」』）»)]*+"
)
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_SHORT_WORD = re.compile(r"(?:^|[\s(\[„“\"'])((?:\w\.)*\w{1,3})$")


@dataclass(frozen=True)
class Passage:
    """A sentence, row or code block: `text[start:end]` of its source is exactly `quote`."""

    source: str
    number: int
    start: int
    end: int
    quote: str
    line: int
    kind: str
    section: str = ""
    # What introduces it and is quoted with it: "On top of that:", the head of a table.
    leads: tuple[tuple[int, int], ...] = ()


@dataclass
class _Block:
    kind: str
    start: int
    end: int
    indent: int = -1
    level: int = 0
    leads: tuple[tuple[int, int], ...] = ()


def storable(text: str) -> str:
    """The text with what no database can hold replaced, character by character: offsets stay."""
    return _UNSTORABLE.sub("\ufffd", text)


def first_heading(text: str) -> str:
    """In one line; empty if there is none."""
    headings = (block for block in _blocks(text) if block.kind == "heading")
    return next((" ".join(text[h.start : h.end].split()) for h in headings), "")


def read(text: str, source: str = "brief", number: int = 0) -> list[Passage]:
    """All passages of a text, in order. A heading is one only where nothing stands below it."""
    passages: list[Passage] = []
    path: list[tuple[int, str]] = []
    leads: list[_Block] = []
    blocks = _blocks(text)
    for block, below in zip(blocks, [*blocks[1:], None], strict=False):
        section = " › ".join(words for _, words in path)
        if block.kind == "heading":
            leads, path = [], [heading for heading in path if heading[0] < block.level]
            section = " › ".join(words for _, words in path)
            words = " ".join(text[block.start : block.end].split())
            is_empty = not below or (below.kind == "heading" and below.level <= block.level)
            pieces = [block] if is_empty or len(words) > LONGEST_HEADING else []
            # The first heading is the title of the whole.
            path += [(block.level, words)] if block is not blocks[0] else []
        else:
            while leads and not (block.kind == "list item" and block.indent > leads[-1].indent):
                leads.pop()
            spans = (*((lead.start, lead.end) for lead in leads), *block.leads)
            pieces = [replace(block, start=a, end=b, leads=spans) for a, b in _cut(text, block)]
            has_items = below and below.kind == "list item" and below.indent > block.indent
            if has_items and pieces and text[pieces[-1].end - 1] in ":：":
                leads.append(pieces.pop())
        passages += [
            Passage(
                source,
                number,
                piece.start,
                piece.end,
                text[piece.start : piece.end],
                text.count("\n", 0, piece.start) + 1,
                piece.kind,
                section,
                piece.leads,
            )
            for piece in pieces
        ]
    return passages


def _blocks(text: str) -> list[_Block]:
    """Headings, paragraphs, list items, table rows and code blocks, from top to bottom."""
    blocks: list[_Block] = []
    block = head = None
    fence, position = "", 0

    def close() -> None:
        """A table's head without a row is a row itself."""
        nonlocal block, head
        if head and not head.leads:
            blocks.append(replace(head, kind="table row"))
        if block:
            blocks.append(block)
        block = head = None

    for line in text.split("\n"):
        indent = _OUTER.match(line).end()
        start, end = position + indent, position + len(line.rstrip())
        position += len(line) + 1
        body = text[start:end]
        is_paragraph = block is not None and block.kind == "paragraph"
        if fence:
            block.end = max(block.end, end)
            if body.startswith(fence):
                close()
                fence = ""
        elif opening := _FENCE.match(body):
            close()
            block, fence = _Block("code", start, end), opening[0]
        elif (
            _UNDERLINE.fullmatch(body)
            and is_paragraph
            and "\n" not in text[block.start : start - 1]
        ):
            block.kind, block.level = "heading", 1 if body[0] == "=" else 2
            close()
        elif _TABLE_RULE.fullmatch(body) and block and "|" in text[block.start : block.end]:
            head, block = block, None
        elif _MARKS_ALONE.fullmatch(body):
            close()
        elif heading := _HEADING.match(body):
            close()
            last = start + len(body.rstrip("# \t"))
            blocks.append(_Block("heading", start + heading.end(), last, level=len(heading[1])))
        elif head and "|" in body:
            head.leads = ((head.start, head.end),)
            blocks.append(_Block("table row", start, end, leads=head.leads))
        elif (begin := _item_begin(body, is_paragraph)) is not None:
            close()
            block = _Block("list item", start + begin, end, indent)
        elif block and not (body.startswith("|") and body.endswith("|")):
            block.end = end
        else:
            close()
            block = _Block("paragraph", start, end)
    close()
    return blocks


def _item_begin(body: str, is_inside: bool) -> int | None:
    """Where the words of a list item begin, if it is one. A number belongs to the words.

    Inside a paragraph a line may begin with a dash or a number by chance.
    """
    if bullet := _BULLET.match(body) or (None if is_inside else _LOOSE_BULLET.match(body)):
        return bullet.end()
    number = _NUMBER.match(body)
    if number and (not is_inside or number[0].strip("(（.)、）") in ("1", "一", "a")):
        return 0
    return None


def _cut(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    """The sentences of a block, without outer space."""
    if block.kind in ("code", "table row"):
        yield block.start, block.end
        return
    begin = block.start
    if number := _NUMBER.match(text, block.start, block.end):
        begin = number.end()
    ends = [match.end() for match in _SENTENCE_END.finditer(text, begin, block.end)
            if _ends_sentence(text, match, block)]  # fmt: skip
    lines = list(re.finditer(r"[^\n]+", text[block.start : block.end]))
    if len(lines) > 1 and max(len(line[0]) for line in lines) < WRAPPED_WIDTH:
        ends += [
            block.start + line.end()
            for line, following in pairwise(lines)
            if not following[0].strip()[:1].islower()
        ]
    last = block.start
    for end in [*sorted(set(ends)), block.end]:
        words = text[last:end]
        if not _MARKS_ALONE.fullmatch(words):
            yield last + len(words) - len(words.lstrip()), last + len(words.rstrip())
            last = end


def _ends_sentence(text: str, match: re.Match[str], block: _Block) -> bool:
    """Not after an abbreviation, as far as its form tells: "z. B. ", "e.g. this", "Dr. Who"."""
    following = text[match.end() : block.end].lstrip()[:1]
    if not match["spaced"] or not following:
        return True
    if following.islower():
        return False
    if match["spaced"] != ".":
        return True
    word = _SHORT_WORD.search(text, max(block.start, match.start() - 20), match.start())
    if not word:
        return True
    short = word[1]
    return not (
        short.istitle()
        or short.isdigit()
        or len(short) == 1
        or "." in short
        or following.isdigit()
        or (short.isascii() and short.islower() and not _VOWEL.search(short))
    )
