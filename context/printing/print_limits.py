"""How much one printed document may hold, beside what holds for every form of it.

Setting in type takes time and memory by the piece: 75,000 headings in 300 kB of text took 7 GB.
"""

from markdown_it.tree import SyntaxTreeNode

from context.printing.blocks import Block, code_of, set_in_blocks, tree_of

MAX_PIECES = 40_000
LINES_A_PIECE = 5
# A heading is in the table of contents, too.
WEIGHTS = {"heading": 10}
AS_SOURCE = "(Of too many small pieces to be set in type; this is its source.)"
LEFT_OUT = "(Left out: this document is full. The Markdown form and the export have it.)"


class Paper:
    """What is left of one document. A part that no longer fits says where it is to be found."""

    def __init__(self) -> None:
        self.pieces = MAX_PIECES

    def blocks_of(self, markdown: str) -> list[Block]:
        """Like `blocks.blocks_of`, the source as it is, or a note in its place."""
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
    return sum(_weight(node) for node in tree.walk())


def _weight(node: SyntaxTreeNode) -> int:
    if node.type in ("fence", "code_block"):
        return pieces_of_code(node.content)
    return WEIGHTS.get(node.type, 1)


def pieces_of_code(text: str) -> int:
    return 1 + text.count("\n") // LINES_A_PIECE


def note(text: str) -> Block:
    return {"t": "p", "c": [{"t": "i", "c": [text]}]}
