"""Markdown as a tree of plain data, for whoever sets it in type.

What stands in it stays data: the template reads it and never runs it. Setting in type takes time
and memory by the piece: 75,000 headings in 300 kB of text took 7 GB. So a document is limited.
"""

import re
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from core.text import escaped, visible

CODE_WIDTH = 92
LONG_WORD = re.compile(r"\S{40,}")
BREAK_EVERY = 16
# What is nested deeper is shown as plain text: Typst has a limit, and readers have one too.
MAX_DEPTH = 6
MARKS = {"strong": "b", "em": "i", "s": "s"}

Block = dict[str, Any]
Inline = str | dict[str, Any]


def blocks_of(markdown: str) -> list[Block]:
    """`{"t": kind, ...}` each; headings are one level lower, below that of their part."""
    return set_in_blocks(tree_of(markdown))


def tree_of(markdown: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(_markdown().parse(visible(markdown)))


def set_in_blocks(tree: SyntaxTreeNode) -> list[Block]:
    return _blocks(tree.children)


def code_of(text: str) -> Block:
    """Text as it is, whatever it means."""
    return {"t": "code", "text": _wrapped(visible(text))}


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return markdown.disable("image")


def _blocks(nodes: list[SyntaxTreeNode], depth: int = 0) -> list[Block]:
    return [_block(node, depth) for node in nodes]


def _block(node: SyntaxTreeNode, depth: int) -> Block:
    kind = node.type
    if depth > MAX_DEPTH:
        return {"t": "p", "c": [_plain(node)]}
    if kind == "heading":
        return {"t": "h", "level": min(6, int(node.tag[1]) + 1), "c": _inlines(node)}
    if kind in ("fence", "code_block"):
        return {"t": "code", "text": _wrapped(node.content)}
    if kind in ("bullet_list", "ordered_list"):
        items = [_blocks(item.children, depth + 1) for item in node.children]
        start = int(node.attrs.get("start", 1))
        return {"t": "list", "ordered": kind == "ordered_list", "start": start, "items": items}
    if kind == "table":
        lines = [row for part in node.children for row in part.children]
        rows = [[_inlines(cell) for cell in line.children] for line in lines]
        return {"t": "table", "columns": len(rows[0]), "head": rows[0], "rows": rows[1:]}
    if kind == "blockquote":
        return {"t": "quote", "c": _blocks(node.children, depth + 1)}
    return {"t": "hr"} if kind == "hr" else {"t": "p", "c": _inlines(node)}


def _inlines(node: SyntaxTreeNode) -> list[Inline]:
    return _nested(node.children[0], 0) if node.children else []


def _nested(node: SyntaxTreeNode, depth: int) -> list[Inline]:
    return [_inline(child, depth) for child in node.children]


def _inline(node: SyntaxTreeNode, depth: int) -> Inline:
    kind = node.type
    if kind in MARKS or kind == "link":
        return _plain(node) if depth > MAX_DEPTH else _span(node, _nested(node, depth + 1))
    if kind == "code_inline":
        return {"t": "code", "text": _breakable(node.content)}
    if kind == "hardbreak":
        return {"t": "br"}
    return " " if kind == "softbreak" else _breakable(node.content)


def _span(node: SyntaxTreeNode, parts: list[Inline]) -> Inline:
    href = str(node.attrs.get("href", ""))
    if node.type in MARKS:
        return {"t": MARKS[node.type], "c": parts}
    if href.startswith(("https://", "http://", "mailto:")):
        return {"t": "a", "href": href, "c": parts}
    return {"t": "plain", "c": parts}


def _plain(node: SyntaxTreeNode) -> str:
    leaves = (leaf.content for leaf in node.walk() if not leaf.children and leaf.token)
    return _breakable(" ".join(filter(None, leaves)))


def _breakable(text: str) -> str:
    """Very long words, such as hashes, may go on in the next line."""
    # Escaped again, because Markdown can write a character as an entity.
    return LONG_WORD.sub(lambda word: _every(word[0], BREAK_EVERY, "\u200b"), escaped(text))


def _wrapped(code: str) -> str:
    lines = code.rstrip("\n").replace("\t", "    ").split("\n")
    return "\n".join(_every(line, CODE_WIDTH, "\n") for line in lines)


def _every(text: str, width: int, between: str) -> str:
    return between.join(text[at : at + width] for at in range(0, len(text), width))


MAX_PIECES = 40_000
LINES_A_PIECE = 5
# A heading is in the table of contents, too.
WEIGHTS = {"heading": 10}
AS_SOURCE = "(Of too many small pieces to be set in type; this is its source.)"
LEFT_OUT = "(Left out: this document is full. The Markdown form and the export have it.)"


class PrintBudget:
    """How much still fits into a document. A part that does not fit says where to find it."""

    def __init__(self) -> None:
        self.pieces = MAX_PIECES

    def blocks_of(self, markdown: str) -> list[Block]:
        """Like `blocks_of`; else the source as it is, or a note in its place."""
        if not self._take(WEIGHTS["heading"]):
            return [note(LEFT_OUT)]
        tree = tree_of(markdown)
        if self._take(pieces_of(tree)):
            return set_in_blocks(tree)
        source = code_of(markdown)
        if self._take(pieces_of_code(source["text"])):
            return [note(AS_SOURCE), source]
        return [note(LEFT_OUT)]

    def _take(self, pieces: int) -> bool:
        if pieces > self.pieces:
            return False
        self.pieces -= pieces
        return True


def pieces_of(tree: SyntaxTreeNode) -> int:
    return sum(
        pieces_of_code(node.content)
        if node.type in ("fence", "code_block")
        else WEIGHTS.get(node.type, 1)
        for node in tree.walk()
    )


def pieces_of_code(text: str) -> int:
    return 1 + text.count("\n") // LINES_A_PIECE


def note(text: str) -> Block:
    return {"t": "p", "c": [{"t": "i", "c": [text]}]}
