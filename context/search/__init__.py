"""Finding sections, concepts and documents by words, ids and near misses."""

from context.search.highlights import Shown, show
from context.search.queries import Found, Hit, artifacts_saying, find, hits_of_texts
from context.search.scope import Scope, scope_of

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
