from collections.abc import Callable
from contextlib import AbstractContextManager

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpResponse], None]


class Around:
    """A middleware that is a context manager around the rest, synchronous or asynchronous.

    `around` yields a function that gets the answer.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        with self.around(request) as take_answer:
            response = self.get_response(request)
            take_answer(response)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        with self.around(request) as take_answer:
            response = await self.get_response(request)
            take_answer(response)
        return response

    def around(self, request: HttpRequest) -> AbstractContextManager[Answer]:
        raise NotImplementedError
