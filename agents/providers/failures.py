"""Errors of providers as errors of the work, never in their words: they may quote key or prompt."""

from collections.abc import Sequence

from pydantic_ai import exceptions as theirs

from agents.protocols import MALFORMED_ANSWER, PermanentError, TransientError, Usage, WorkError
from agents.providers.faults import Fault, faults_of_error, in_words

MOST_DETAIL = 2_000
MAX_RETRY_AFTER = 3600.0
TIMEOUT_STATUSES = (408, 504)
# What the library raises for a 200 whose JSON is not an answer to the request.
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)

OUTPUT_TOO_LONG = "The answer is longer than MODEL_MAX_TOKENS allows, or than can be corrected."
# First match counts: a class stands before those it derives from.
TRANSIENT = (
    (theirs.ModelRequestTimeout, "model_timeout", "The model did not answer in time."),
    (theirs.ModelTimeoutError, "model_timeout", "The model did not answer in time."),
    (theirs.ModelConnectionError, "model_connection", "The model provider cannot be reached."),
    (theirs.ModelRateLimitError, "model_rate_limited", "The model provider asks to slow down."),
    (theirs.ModelUnavailableError, "model_unavailable", "The model is not available at present."),
    (theirs.ModelServerError, "model_unavailable", "The model provider failed."),
)
PERMANENT = (
    (
        theirs.ModelAuthenticationError,
        "model_unauthorized",
        "The model provider refuses the key. Check it, and what it is allowed to do.",
    ),
    (
        theirs.ModelNotFoundError,
        "model_not_found",
        "The model provider has no such model. Check the model's name and the base URL.",
    ),
    (
        theirs.ModelQuotaExceededError,
        "model_quota_exceeded",
        "The account at the model provider is used up.",
    ),
    (
        theirs.ModelContextWindowExceededError,
        "model_input_too_long",
        "The brief and the materials are longer than this model can read.",
    ),
    (
        theirs.ModelRequestRejectedError,
        "model_rejected",
        "The model provider rejects the request.",
    ),
    (
        theirs.OutputTokenLimitExceeded,
        "model_output_too_long",
        OUTPUT_TOO_LONG,
    ),
    (theirs.ContentFilterError, "model_refused", "The model provider's filter stopped the answer."),
    (
        theirs.UserError,
        "model_misconfigured",
        "The model's settings do not fit. Check its name, and that its key is set.",
    ),
)
MALFORMED = "The model's answer does not have the form that was asked for."


def work_error(error: Exception, usage: Usage) -> WorkError:
    """The error that the worker understands, for one of the library or one of ours."""
    if isinstance(error, WorkError):
        error.usage = usage
        return error
    if isinstance(error, theirs.FallbackExceptionGroup):
        # Of several models that all failed: what may pass comes first, or else the last word.
        failures = [work_error(one, usage) for one in error.exceptions]
        passing = [failure for failure in failures if isinstance(failure, TransientError)]
        return (passing or failures)[-1]
    if isinstance(error, theirs.ModelHTTPError) and error.status_code in TIMEOUT_STATUSES:
        return _transient("model_timeout", "The model did not answer in time.", error, usage)
    for kind, code, detail in TRANSIENT:
        if isinstance(error, kind):
            return _transient(code, detail, error, usage)
    for kind, code, detail in PERMANENT:
        if isinstance(error, kind):
            return PermanentError(code, detail + _status(error), usage)
    if isinstance(error, theirs.ModelHTTPError) and error.status_code >= 500:
        return _transient("model_unavailable", "The model provider failed.", error, usage)
    if isinstance(error, theirs.ModelHTTPError):
        detail = "The model provider rejects the request." + _status(error)
        return PermanentError("model_rejected", detail, usage)
    # Models are not deterministic: the same request often succeeds. After the last retry a person
    # decides.
    return malformed(TransientError, faults_of_error(error), usage)


def malformed(
    kind: type[WorkError], faults: Sequence[Fault], usage: Usage, remark: str = ""
) -> WorkError:
    """An answer that does not fit, with each field and what is wrong with it."""
    parts = [
        MALFORMED,
        f"{in_words(faults).rstrip('.')}." if faults else "",
        f"{remark}." if remark else "",
    ]
    error = kind(MALFORMED_ANSWER, " ".join(filter(None, parts))[:MOST_DETAIL], usage=usage)
    error.shown = {"faults": [fault.as_dict() for fault in faults]} if faults else {}
    return error


def permanent_if_repeated(failure: WorkError, before: str) -> WorkError:
    """The same fault as in the attempt before, of which the model was told: a person decides."""
    if failure.detail != before or not failure.shown:
        return failure
    again = PermanentError(failure.code, failure.detail, failure.usage)
    again.shown = failure.shown
    return again


def _transient(code: str, detail: str, error: Exception, usage: Usage) -> TransientError:
    wait = getattr(error, "retry_after", None)
    bounded = None if wait is None else min(float(wait), MAX_RETRY_AFTER)
    return TransientError(code, detail + _status(error), retry_after=bounded, usage=usage)


def _status(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return f" (HTTP {status})" if status else ""


def never_sent(error: BaseException | None) -> bool:
    """Whether no connection was there to send the request by: then nobody can have worked on it."""
    while error is not None:
        if type(error).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"):
            return True
        error = error.__cause__ or error.__context__
    return False
