"""The search over what a person may see, by words, by meaning or by both."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from context.artifact_types import artifact_type_choices
from context.enums import Granularity
from context.search import PresentedHit, present_hits
from core.fields import KindField
from core.pagination import PageNumberPagination
from core.viewsets import APIView
from projects.agent_types import agent_type_choices
from projects.enums import Phase
from semantic.search import search_as

TEXT_MAX_CHARACTERS = 300
SIZE_MAX = PageNumberPagination.max_page_size
MODES = ("words", "semantic", "hybrid")


class SearchQuery(serializers.Serializer):
    """All filters narrow down; without words nothing is found."""

    q = serializers.CharField(
        max_length=TEXT_MAX_CHARACTERS,
        allow_blank=True,
        default="",
        help_text='Words in any form, "a phrase", or, -without; or an id such as FR-3.',
    )
    project = serializers.UUIDField(required=False)
    artifact_type = KindField(choices=artifact_type_choices, required=False)
    granularity = serializers.ChoiceField(
        choices=Granularity.choices,
        required=False,
        help_text="What to list; `document` names each artifact once. Default: sections, concepts.",
    )
    source_agent = KindField(choices=agent_type_choices, required=False)
    phase = serializers.ChoiceField(choices=Phase.choices, required=False)
    mode = serializers.ChoiceField(
        choices=MODES,
        required=False,
        help_text="words (default); semantic or hybrid where SEMANTIC_SEARCH is on.",
    )

    def validate_mode(self, mode: str) -> str:
        if mode != "words" and not settings.SEMANTIC_SEARCH:
            raise serializers.ValidationError(
                "Search by meaning is not switched on here (SEMANTIC_SEARCH). Use mode=words."
            )
        return mode


class ExcerptSerializer(serializers.Serializer):
    text = serializers.CharField()
    is_match = serializers.BooleanField()


class HitSerializer(serializers.Serializer):
    kind = serializers.CharField(help_text="section, concept or document.")
    project = serializers.UUIDField(source="artifact.project_id")
    project_name = serializers.CharField(source="artifact.project.name")
    artifact = serializers.UUIDField(source="artifact.pk")
    artifact_type = serializers.CharField(source="artifact.artifact_type")
    artifact_title = serializers.CharField(source="artifact.title")
    source_agent = serializers.CharField(source="artifact.source_agent")
    step = serializers.CharField(source="artifact.step")
    version = serializers.IntegerField()
    title = serializers.CharField()
    path = serializers.CharField(help_text="Of a section in its version.")
    identifier = serializers.CharField(help_text="Of a concept, such as FR-3.")
    score = serializers.FloatField(help_text="2 is an exact id, near 0 a name spelled alike.")
    excerpt = serializers.SerializerMethodField()
    html = serializers.CharField(help_text="The excerpt, escaped, with what matches in <mark>.")

    @extend_schema_field(ExcerptSerializer(many=True))
    def get_excerpt(self, hit: PresentedHit) -> list[dict[str, Any]]:
        return [{"text": text, "is_match": is_match} for text, is_match in hit.excerpt]


class SearchPageSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    count_is_exact = serializers.BooleanField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = HitSerializer(many=True)
    is_complete = serializers.BooleanField(
        help_text="False: older texts with the words were not looked at."
    )


class SearchView(APIView):
    """Sections and concepts of current versions, best first."""

    queries = {"get": (*SearchQuery().fields, *PageNumberPagination.names)}

    @extend_schema(
        operation_id="search",
        parameters=[
            SearchQuery,
            OpenApiParameter("page", {"type": "integer", "minimum": 1}),
            OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": SIZE_MAX}),
        ],
        responses=SearchPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = SearchQuery(data={k: value for k, value in request.query_params.items() if value})
        query.is_valid(raise_exception=True)
        result = search_as(request.user, **query.validated_data)
        paginator = PageNumberPagination()
        hits = present_hits(paginator.paginate_queryset(result.hits, request, self), result.words)
        response = paginator.get_paginated_response(HitSerializer(hits, many=True).data)
        response.data["is_complete"] = result.is_complete
        return response
