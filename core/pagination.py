import re
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import InvalidInput

CURSOR = re.compile(r"[A-Za-z0-9+/]{1,200}={0,2}")
POSITION = re.compile(r"[0-9]{1,19}")
SIZE = re.compile(r"0*[1-9][0-9]{0,9}")
PAGE = re.compile(r"[0-9]{1,12}")
# Counting all would take longer the longer a list is.
COUNT_MAX = 10_000


class CheckedSize:
    """A page larger than the largest is the largest; anything but a size is an error."""

    def get_page_size(self, request: Request) -> int | None:
        """Raises InvalidInput."""
        size = request.query_params.get("page_size")
        if size and not SIZE.fullmatch(size):
            detail = f"Send a number from 1 to {self.max_page_size}."
            raise InvalidInput.of("page_size", "invalid", detail)
        return super().get_page_size(request)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limits = {
            "page": {"minimum": 1},
            "page_size": {
                "minimum": 1,
                "maximum": self.max_page_size,
                "default": self.page_size,
                "description": "A larger one counts as the largest.",
            },
            "cursor": {"pattern": f"^{CURSOR.pattern}$", "description": "From `next`."},
        }
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            limit = dict(limits[parameter["name"]])
            parameter["description"] = limit.pop("description", parameter["description"])
            parameter["schema"] |= limit
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        for name in ("next", "previous"):
            page["properties"][name] = {"type": ["string", "null"], "format": "uri"}
        page["required"] = list(page["properties"])
        return page


class BoundedPaginator(Paginator):
    """Counts no further than `limit`; None: to the end."""

    limit: int | None = COUNT_MAX
    count_is_exact = True

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        count = rows.order_by().values("pk")[: self.limit].count()
        self.count_is_exact = self.limit is None or count < self.limit
        return count


class PageNumberPagination(CheckedSize, pagination.PageNumberPagination):
    """`count` is exact below COUNT_MAX; else at least so many, and `count_is_exact` is false."""

    page_size_query_param = "page_size"
    max_page_size = 200
    names = ("page", "page_size")
    django_paginator_class = BoundedPaginator

    def get_page_number(self, request: Request, paginator: BoundedPaginator) -> int | str:
        number = request.query_params.get(self.page_query_param) or "1"
        if number in self.last_page_strings:
            paginator.limit = None
        elif PAGE.fullmatch(number):
            # Whether another page follows the one that is asked for is known in any case.
            paginator.limit = max(COUNT_MAX, int(number) * paginator.per_page + 1)
        return super().get_page_number(request, paginator)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        is_exact = self.page.paginator.count_is_exact
        response.data = {"count": None, "count_is_exact": is_exact} | response.data
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        properties = page["properties"]
        properties["count_is_exact"] = {
            "type": "boolean",
            "description": "False: there are at least so many, and they were counted no further.",
        }
        page["required"] = list(properties)
        return page


class CursorPagination(CheckedSize, pagination.CursorPagination):
    """For append-only lists that are ordered by a number: stable while rows are added."""

    ordering = "id"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    names = ("cursor", "page_size")

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        """Raises NotFound for anything that no page has given as a position."""
        encoded = request.query_params.get(self.cursor_query_param)
        if encoded and not CURSOR.fullmatch(encoded):
            raise NotFound(self.invalid_cursor_message)
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not POSITION.fullmatch(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor
