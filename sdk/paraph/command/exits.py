from paraph.actions import NEVER
from paraph.errors import (
    ActionFailed,
    EffectExists,
    NotApproved,
    NotExecuted,
    OutcomeUnknown,
    ParaphError,
    StillPending,
)

YES, NO, ERROR, PENDING, UNKNOWN = range(5)


def exit_of(error: ParaphError) -> int:
    match error:
        case NotExecuted():
            return NO
        case StillPending():
            return PENDING
        case OutcomeUnknown() | EffectExists() | ActionFailed() | NotApproved():
            return UNKNOWN
        case _:
            return ERROR


def exit_of_status(status: str) -> int:
    if status in ("approved", "succeeded"):
        return YES
    if status in NEVER:
        return NO
    return PENDING if status == "pending" else UNKNOWN
