from collections.abc import Callable
from contextlib import AbstractContextManager

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpResponse], None]


class Around:
    """A middleware that is one context around the rest, whether that is called or awaited.

    `around` yields what is to be done with the answer.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if iscoroutinefunction(self):
            return self._call_async(request)
        with self.around(request) as take:
            response = self.get_response(request)
            take(response)
        return response

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        with self.around(request) as take:
            response = await self.get_response(request)
            take(response)
        return response

    def around(self, request: HttpRequest) -> AbstractContextManager[Answer]:
        raise NotImplementedError
