import re
from typing import Any

from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from core.errors import InvalidInput

CURSOR = re.compile(r"[A-Za-z0-9+/]{1,200}={0,2}")
POSITION = re.compile(r"[0-9]{1,19}")
SIZE = re.compile(r"0*[1-9][0-9]{0,9}")


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


class PageNumberPagination(CheckedSize, pagination.PageNumberPagination):
    page_size_query_param = "page_size"
    max_page_size = 200
    names = ("page", "page_size")


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
