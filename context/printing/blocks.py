"""Markdown as a tree of plain data, for whoever sets it in type.

What stands in it stays data: the template reads it and never runs it.
"""

import re
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

CODE_WIDTH = 92
LONG_WORD = re.compile(r"\S{40,}")
BREAK_EVERY = 16
# What is nested deeper is shown as plain text: Typst has a limit, and readers have one too.
MAX_DEPTH = 6
MARKS = {"strong": "b", "em": "i", "s": "s"}
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

Block = dict[str, Any]
Inline = str | dict[str, Any]


def blocks_of(markdown: str) -> list[Block]:
    """`{"t": kind, ...}` each; headings are one level lower, below that of their part."""
    return set_in_blocks(tree_of(markdown))


def tree_of(markdown: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(_markdown().parse(_printable(markdown)))


def set_in_blocks(tree: SyntaxTreeNode) -> list[Block]:
    return _blocks(tree.children)


def code_of(text: str) -> Block:
    """Text as it is, whatever it means."""
    return {"t": "code", "text": _wrapped(_printable(text))}


def _printable(text: str) -> str:
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


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
        return _table(node)
    if kind == "blockquote":
        return {"t": "quote", "c": _blocks(node.children, depth + 1)}
    return {"t": "hr"} if kind == "hr" else {"t": "p", "c": _inlines(node)}


def _table(node: SyntaxTreeNode) -> Block:
    rows = [
        [_inlines(cell) for cell in row.children] for part in node.children for row in part.children
    ]
    return {"t": "table", "columns": len(rows[0]), "head": rows[0], "rows": rows[1:]}


def _inlines(node: SyntaxTreeNode) -> list[Inline]:
    return _nested(node.children[0], 0) if node.children else []


def _nested(node: SyntaxTreeNode, depth: int) -> list[Inline]:
    return [_inline(one, depth) for one in node.children]


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
    return {"t": "a", "href": href, "c": parts} if _leads_out(href) else {"t": "plain", "c": parts}


def _plain(node: SyntaxTreeNode) -> str:
    leaves = (one.content for one in node.walk() if not one.children and one.token)
    return _breakable(" ".join(filter(None, leaves)))


def _leads_out(href: str) -> bool:
    return href.startswith(("https://", "http://", "mailto:"))


def _breakable(text: str) -> str:
    """Very long words, such as hashes, may go on in the next line."""
    return LONG_WORD.sub(lambda word: _every(word.group(), BREAK_EVERY, "\u200b"), text)


def _wrapped(code: str) -> str:
    lines = code.rstrip("\n").replace("\t", "    ").split("\n")
    return "\n".join(_every(line, CODE_WIDTH, "\n") for line in lines)


def _every(text: str, width: int, between: str) -> str:
    return between.join(text[at : at + width] for at in range(0, len(text), width))
