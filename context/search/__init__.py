"""Finding sections, concepts and documents by words, ids and near misses."""

from context.search.highlights import PresentedHit, present_hits
from context.search.queries import Hit, Matches, artifacts_with_words, find, hits_of_texts
from context.search.scope import Scope, scope_of

__all__ = [
    "Hit",
    "Matches",
    "PresentedHit",
    "Scope",
    "artifacts_with_words",
    "find",
    "hits_of_texts",
    "present_hits",
    "scope_of",
]
