"""The search page: plain GET forms, so that a search can be kept as a link."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse

from context.enums import ArtifactType, Granularity
from context.search import show
from core.errors import Unavailable
from orchestrator.search import MODES, SearchQuery, search_as
from projects.enums import AgentType, Phase
from projects.models import Project
from ui.web.pages import render_page

HITS_A_PAGE = 20
PROJECTS_MAX = 200
FILTERS = (
    ("artifact_type", "Type", ArtifactType.values),
    ("granularity", "Find", Granularity.values),
    ("source_agent", "Made by", AgentType.values),
    ("phase", "Phase", Phase.values),
)
BY_MEANING = ("mode", "How", MODES)


def show_search(request: HttpRequest) -> HttpResponse:
    """A filter with an unknown value is named, and nothing is searched."""
    query = {name: value for name, value in request.GET.items() if value and name != "page"}
    form = SearchQuery(data=query)
    filters = [*FILTERS, BY_MEANING] if settings.SEMANTIC_SEARCH else FILTERS
    visible = Project.objects.visible_to(request.user)
    context = {
        "title": "Search",
        "query": query,
        "filters": [(name, title, values, query.get(name)) for name, title, values in filters],
        "projects": visible.order_by("name")[:PROJECTS_MAX],
    }
    if not form.is_valid():
        context["errors"] = [f"{name}: {errors[0]}" for name, errors in form.errors.items()]
        return render_page(request, "ui/search.html", context)
    try:
        result = search_as(request.user, **form.validated_data)
    except Unavailable as error:
        return render_page(request, "ui/search.html", context | {"errors": [error.detail]})
    page = Paginator(result.hits, HITS_A_PAGE).get_page(request.GET.get("page"))
    context |= {"result": result, "page": page, "hits": show(list(page), result.words)}
    return render_page(request, "ui/search.html", context)
