"""The search page: plain GET forms, so that a search can be kept as a link."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse

from context.artifact_types import artifact_type_choices
from context.enums import Granularity
from context.search import present_hits
from core.errors import Unavailable
from projects.agent_types import agent_type_choices
from projects.enums import Phase
from projects.models import Project
from semantic.search import search_as
from semantic.views import MODES, SearchQuery
from ui.web.pages import render_page

HITS_A_PAGE = 20
PROJECTS_MAX = 200
FILTERS = (
    ("artifact_type", "Type", artifact_type_choices),
    ("granularity", "Find", lambda: Granularity.choices),
    ("source_agent", "Made by", agent_type_choices),
    ("phase", "Phase", lambda: Phase.choices),
)
BY_MEANING = ("mode", "How", lambda: [(mode, mode) for mode in MODES])


def show_search(request: HttpRequest) -> HttpResponse:
    """A filter with an unknown value is named, and nothing is searched."""
    query = {name: value for name, value in request.GET.items() if value and name != "page"}
    form = SearchQuery(data=query)
    filters = [*FILTERS, BY_MEANING] if settings.SEMANTIC_SEARCH else FILTERS
    visible = Project.objects.visible_to(request.user)
    context = {
        "title": "Search",
        "query": query,
        "filters": [(name, title, choices(), query.get(name)) for name, title, choices in filters],
        "projects": visible.order_by("name")[:PROJECTS_MAX],
    }
    if not form.is_valid():
        titles = {"q": "Words", "project": "Project"} | {name: title for name, title, _ in filters}
        context["errors"] = [
            f"{titles.get(name, name)}: {errors[0]}" for name, errors in form.errors.items()
        ]
        return render_page(request, "ui/search.html", context)
    try:
        result = search_as(request.user, **form.validated_data)
    except Unavailable as error:
        return render_page(request, "ui/search.html", context | {"errors": [error.detail]})
    page = Paginator(result.hits, HITS_A_PAGE).get_page(request.GET.get("page"))
    context |= {"result": result, "page": page, "hits": present_hits(list(page), result.words)}
    return render_page(request, "ui/search.html", context)
