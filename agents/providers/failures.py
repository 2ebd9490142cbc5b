"""Errors of providers as errors of the work, never in their words: they may quote key or prompt."""

from pydantic_ai import exceptions as theirs

from agents.protocols import PermanentError, TransientError, Usage, WorkError

MAX_RETRY_AFTER = 3600.0
TIMEOUT_STATUSES = (408, 504)
# What the library raises for a 200 whose JSON is not an answer to the request.
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)

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
        "The answer is longer than MODEL_MAX_TOKENS allows.",
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
    """The error that the worker understands, for one of the library."""
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
    return TransientError("model_malformed_answer", MALFORMED, usage=usage)


def _transient(code: str, detail: str, error: Exception, usage: Usage) -> TransientError:
    wait = getattr(error, "retry_after", None)
    bounded = None if wait is None else min(float(wait), MAX_RETRY_AFTER)
    return TransientError(code, detail + _status(error), retry_after=bounded, usage=usage)


def _status(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return f" (HTTP {status})" if status else ""
