"""Finding sections, concepts and documents by words, ids and near misses."""

from context.search.finding import Found, Hit, artifacts_saying, find, hits_of_texts
from context.search.scope import Scope, scope_of
from context.search.showing import Shown, show

__all__ = [
    "Found",
    "Hit",
    "Scope",
    "Shown",
    "artifacts_saying",
    "find",
    "hits_of_texts",
    "scope_of",
    "show",
]
