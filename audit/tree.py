"""The Merkle tree over all events of the installation, as the database keeps it.

A leaf is the hash of one event. Leaves outlive the payload of their event, and the event itself.
"""

import time
from uuid import UUID

from django.db import connection, transaction

from audit import merkle
from audit.models import Leaf, TreeNode
from core import sql

# Whoever adds leaves is alone.
LOCK = 7_316_290_115
BATCH = 20_000


def grow(seconds: float = 20) -> int:
    """Add a leaf for each new event, from where each stream's leaves end; the size of the tree.

    There is no order over all streams before: an event of one may be added long after another's.
    After so many seconds the rest is left to the next time.
    """
    deadline = time.monotonic() + seconds
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            size, rows = tree_size(), sql.fetch_all("events_without_leaf", limit=BATCH)
            if rows:
                _add(size, rows)
        if len(rows) < BATCH or time.monotonic() > deadline:
            return size + len(rows)


def tree_size() -> int:
    last = Leaf.objects.order_by("-index").values_list("index", flat=True).first()
    return 0 if last is None else last + 1


def _add(size: int, rows: list[tuple[UUID, int, str]]) -> None:
    nodes = StoredNodes()
    tree = merkle.Growing(size, [nodes(place) for place in merkle.peaks(size)])
    made: list[tuple[merkle.Place, bytes]] = []
    for _, _, event_hash in rows:
        made += tree.add(merkle.leaf_hash(bytes.fromhex(event_hash)))[1:]
    projects, sequences, hashes = zip(*rows, strict=True)
    sql.execute(
        "add_leaves",
        first=size,
        projects=[*projects],
        sequences=[*sequences],
        hashes=[*hashes],
    )
    sql.execute(
        "add_tree_nodes",
        levels=[level for (level, _), _ in made],
        indexes=[index for (_, index), _ in made],
        hashes=[hash.hex() for _, hash in made],
    )


class StoredNodes:
    """Nodes by place, each read once. Raises LookupError where one is missing."""

    def __init__(self) -> None:
        self._known: dict[merkle.Place, bytes] = {}

    def __call__(self, place: merkle.Place) -> bytes:
        if place not in self._known:
            level, index = place
            try:
                if level:
                    stored = TreeNode.objects.get(level=level, index=index).hash
                    self._known[place] = bytes.fromhex(stored)
                else:
                    stored = Leaf.objects.get(index=index).hash
                    self._known[place] = merkle.leaf_hash(bytes.fromhex(stored))
            except (Leaf.DoesNotExist, TreeNode.DoesNotExist, ValueError):
                raise LookupError(f"node {place} of the tree is missing") from None
        return self._known[place]


def root_at(size: int) -> bytes:
    """Of the first leaves, by the stored nodes. Raises LookupError."""
    return merkle.root_of(size, StoredNodes())


def recomputed_root(size: int) -> bytes:
    """Of the first leaves, from themselves. Raises LookupError where one is missing."""
    tree = merkle.Growing()
    leaves = Leaf.objects.filter(index__lt=size).order_by("index").values_list("index", "hash")
    for index, hash in leaves.iterator(chunk_size=5000):
        if index != tree.size:
            break
        tree.add(merkle.leaf_hash(bytes.fromhex(hash)))
    if tree.size < size:
        raise LookupError(f"leaf {tree.size} of the tree is missing")
    return tree.root()
