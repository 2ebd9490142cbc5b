"""The search page: plain GET forms, so that a search can be kept as a link."""

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator

from context.artifact_types import artifact_type_choices
from context.enums import Granularity
from context.search import show
from core.errors import Unavailable
from projects.agent_types import agent_type_choices
from projects.enums import Phase
from projects.models import Project
from semantic.search import search_as
from semantic.views import MODES, SearchQuery

HITS_A_PAGE = 20
FILTERS = (
    ("artifact_type", "Type", artifact_type_choices),
    ("granularity", "Find", lambda: Granularity.choices),
    ("source_agent", "Made by", agent_type_choices),
    ("phase", "Phase", lambda: Phase.choices),
)
BY_MEANING = ("mode", "How", lambda: [(mode, mode) for mode in MODES])


def search_page(user: Any, asked: Any) -> dict[str, Any]:
    """The context of the page; a filter that cannot be is named, and nothing is searched."""
    given = {name: value for name, value in asked.items() if value and name != "page"}
    query = SearchQuery(data=given)
    filters = [*FILTERS, BY_MEANING] if settings.SEMANTIC_SEARCH else FILTERS
    context = {
        "title": "Search",
        "trail": [],
        "said": given,
        "filters": [(name, title, choices(), given.get(name)) for name, title, choices in filters],
        "projects": Project.objects.visible_to(user).order_by("name")[:200],
    }
    if not query.is_valid():
        return context | {"errors": [f"{n}: {e[0]}" for n, e in query.errors.items()]}
    try:
        found = search_as(user, **query.validated_data)
    except Unavailable as error:
        return context | {"errors": [error.detail]}
    page = Paginator(found.hits, HITS_A_PAGE).get_page(asked.get("page"))
    return context | {"found": found, "page": page, "hits": show(list(page), found.words)}
