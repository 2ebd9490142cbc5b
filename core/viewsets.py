from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers, views, viewsets
from rest_framework.request import Request

from core.idempotency import IdempotentMixin
from core.query_parameters import CheckedQuery


class APIView(IdempotentMixin, CheckedQuery, views.APIView):
    """`serializer_class` is what a request may carry; the browsable page makes its form of it."""


class GenericViewSet(IdempotentMixin, CheckedQuery, viewsets.GenericViewSet):
    """`inputs` has the serializers of what an action takes, `outputs` of what it answers.

    `paged` are the actions that answer with pages.
    """

    paged: tuple[str, ...] = ("list",)
    inputs: dict[str, type[serializers.Serializer]] = {}
    outputs: dict[str, type[serializers.Serializer]] = {}
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[serializers.Serializer]:
        return self.inputs.get(self.action) or self.output_class()

    def output_class(self) -> type[serializers.Serializer]:
        return self.outputs.get(self.action, self.serializer_class)

    def input(self, request: Request) -> dict[str, Any]:
        """The checked body. Raises ValidationError with every field at fault."""
        form = self.inputs[self.action](data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        return form.validated_data

    def output(self, instance: Any, **kwargs: Any) -> Any:
        """The public form, by the serializer of single views."""
        kwargs.setdefault("context", self.get_serializer_context())
        return self.serializer_class(instance, **kwargs).data

    def get_queryset(self) -> QuerySet:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.visible()

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        """Filters are for lists; a single object is found by its id alone."""
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def known_names(self, request: Request) -> set[str]:
        names = super().known_names(request)
        if self.action in self.paged:
            names |= set(self.paginator.names)
        if self.action == "list" and self.filter_backends and hasattr(self, "filterset_class"):
            names |= self.filterset_class.base_filters.keys()
        return names

    def visible(self) -> QuerySet:
        """What the caller may see, with what the answer needs."""
        raise NotImplementedError
