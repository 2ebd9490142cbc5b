"""Goes when nothing imports it any more: use `semantic`."""

from semantic.search import search_as
from semantic.views import MODES, SearchQuery, SearchView

__all__ = ["MODES", "SearchQuery", "SearchView", "search_as"]
