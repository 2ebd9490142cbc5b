"""What services raise when they refuse a call; every channel shows code and detail."""

from typing import Any


class DomainError(Exception):
    """`code` is stable and public, `detail` says what to do, `errors` name fields.

    `extra` is shown as it is.
    """

    status = 400

    def __init__(
        self, code: str, detail: str, *, errors: list[dict[str, str]] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.extra = extra

    def note(self) -> None:
        """Called once what was refused is rolled back, for errors that are more than an answer."""


class InvalidInput(DomainError):
    """Bad input. `errors` holds `{field, code, detail}` for each field at fault."""

    status = 400

    @classmethod
    def of(cls, field: str, code: str, detail: str) -> "InvalidInput":
        return cls("invalid", detail, errors=[{"field": field, "code": code, "detail": detail}])


class Forbidden(DomainError):
    """The caller may see it, but may not do this."""

    status = 403


class NotFound(DomainError):
    """It does not exist, or the caller may not see it."""

    status = 404


class Conflict(DomainError):
    """It is in a state in which this cannot be done."""

    status = 409


class Gone(DomainError):
    """It has expired."""

    status = 410


class TooLarge(DomainError):
    """Over a limit; `detail` names the limit."""

    status = 413


class TooMany(DomainError):
    """Too many requests. `retry_after` is in seconds."""

    status = 429

    def __init__(self, code: str, detail: str, *, retry_after: float) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A service that this needs does not answer."""

    status = 503


class UnsupportedMedia(DomainError):
    """A file of a type that is not accepted; `detail` names it."""

    status = 415


class Unprocessable(DomainError):
    """Well-formed, but not acceptable."""

    status = 422
