"""The Merkle tree of RFC 6962: hashes, roots, and proofs. Pure: nodes are asked for by place.

A node (level, index) is the hash of the leaves from `index * 2**level` up to the next one's; only
full ones have a place.
"""

import hashlib
from collections.abc import Callable, Iterable

Place = tuple[int, int]
#: The hash of a full node.
Nodes = Callable[[Place], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def peaks(size: int, start: int = 0) -> list[Place]:
    """The full nodes that make up the leaves from `start` to `size`, from left to right.

    `start` is where a subtree of the whole tree begins.
    """
    places = []
    for level in range((size - start).bit_length() - 1, -1, -1):
        if (size - start) >> level & 1:
            places.append((level, start >> level))
            start += 1 << level
    return places


def fold(hashes: Iterable[bytes]) -> bytes:
    """The root over peaks."""
    root = b""
    for peak in reversed([*hashes]):
        root = node_hash(peak, root) if root else peak
    return root or EMPTY_ROOT


def root_of(size: int, nodes: Nodes, start: int = 0) -> bytes:
    return fold(nodes(place) for place in peaks(size, start))


def _half(leaves: int) -> int:
    """The largest power of two below the number."""
    return 1 << (leaves - 1).bit_length() - 1


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root of the first `size` leaves."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            path.append(root_of(end, nodes, middle))
            end = middle
        else:
            path.append(root_of(middle, nodes, start))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """What shows that the first `old` leaves of the tree of `new` leaves are a tree before it."""
    if not old:
        return []
    path: list[bytes] = []
    start, end, is_whole = 0, new, True
    while old < end:
        middle = start + _half(end - start)
        if old <= middle:
            path.append(root_of(end, nodes, middle))
            end = middle
        else:
            path.append(root_of(middle, nodes, start))
            start, is_whole = middle, False
    if not is_whole:
        path.append(root_of(end, nodes, start))
    return path[::-1]


def root_of_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that the tree has if the path is right. Raises ValueError for a path of another
    length."""
    if not 0 <= index < size:
        raise ValueError("the leaf is outside of the tree")
    inner = (index ^ (size - 1)).bit_length()
    if len(path) != inner + (index >> inner).bit_count():
        raise ValueError("the proof has another length")
    root = leaf
    for level, hash in enumerate(path[:inner]):
        root = node_hash(hash, root) if index >> level & 1 else node_hash(root, hash)
    for hash in path[inner:]:
        root = node_hash(hash, root)
    return root


class Growing:
    """A tree that leaves are added to, of which only the peaks are kept."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = [*hashes]

    def add(self, leaf: bytes) -> list[tuple[Place, bytes]]:
        """The nodes that become full with it."""
        self._peaks.append(leaf)
        made = [((0, self.size), leaf)]
        level, index = 0, self.size
        while index & 1:
            right, left = self._peaks.pop(), self._peaks.pop()
            self._peaks.append(node_hash(left, right))
            level, index = level + 1, index >> 1
            made.append(((level, index), self._peaks[-1]))
        self.size += 1
        return made

    def root(self) -> bytes:
        return fold(self._peaks)
