"""What can go wrong, and what it says about whether the call happened."""

from typing import Any


class ParaphError(Exception):
    """Of this library. Only `NotExecuted` says that the call did not happen."""

    #: Of a gated call that has ended, and not said by a function of itself.
    is_of_gated_call = False


class NotExecuted(ParaphError):
    """It did not happen, and it will not happen by this approval.

    Raise it in a gated function where that is certain: it is reported so. No other exception means
    it. `answer` is what a person replied instead, `comment` why they said no.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        reason: str = "not_executed",
        comment: str = "",
        answer: Any = None,
    ) -> None:
        super().__init__(detail or f"It was not executed: {reason}.")
        self.reason = reason
        self.comment = comment
        self.answer = answer


class GrantRefused(NotExecuted):
    """A tool was shown a grant that does not allow this call, now, once."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason)


class NotApproved(ParaphError):
    """It may not be done now. Whether an earlier try has done it is not said."""


class StillPending(NotApproved):
    """Nobody has decided in the time that was given. The question stays; ask again to go on."""


class ActionFailed(ParaphError):
    """It was tried and did not succeed; who tried knows how far it came.

    Raise it in a gated function where that is so: it is reported as `failed`.
    """


class OutcomeUnknown(ParaphError):
    """It may have happened. A person is asked; nothing is granted before."""


class EffectExists(ParaphError):
    """The same effect is being executed, has happened, or may have: by the action `action`."""

    def __init__(self, detail: str, *, action: str, status: str) -> None:
        super().__init__(detail)
        self.action = action
        self.status = status


class ResultNotKept(ParaphError):
    """It happened in an earlier run, whose result was no JSON and is gone."""


class Unavailable(ParaphError):
    """The server did not answer, or not usefully, for as long as was waited."""


class ApiError(ParaphError):
    """A refusal of the server (RFC 9457): `status`, `code`, `errors` by field, `problem` whole."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.code: str = str(problem.get("code", ""))
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        fields = "; ".join(f"{e.get('field')}: {e.get('detail')}" for e in self.errors)
        detail = problem.get("detail") or problem.get("title") or "no reason was given"
        super().__init__(f"{status} {self.code}: {fields or detail}")
        self.next_action: str = str(problem.get("next_action", ""))
        self.retry_after = float(problem.get("retry_after") or 0)
