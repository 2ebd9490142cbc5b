"""`@paraph.gate`: a function that asks people before it runs, and runs what they approved, once."""

import functools
import hashlib
import inspect
import json
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, cast

from paraph.actions import (
    NEVER,
    AskOptions,
    ClaimState,
    Operations,
    State,
    effect_exists,
    refusal_of,
)
from paraph.canonical import action_digest, canonical
from paraph.client import AsyncClient, Client
from paraph.connection import Connection
from paraph.errors import (
    ActionFailed,
    ApiError,
    NotApproved,
    NotExecuted,
    OutcomeUnknown,
    ParaphError,
    ResultNotKept,
    StillPending,
    Unavailable,
)
from paraph.flow import Backoff, Flow, Invoke, Pause
from paraph.schemas import from_json, like, schema_of, to_json

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger("paraph")
#: How long a report is tried again: what has happened should be known.
REPORT_SECONDS = 300.0
NOT_KEPT = "paraph.result_not_kept"
_current: ContextVar[ClaimState | None] = ContextVar("paraph_claim", default=None)


@dataclass(frozen=True)
class Outcome:
    """What a `reconcile` hook has found out."""

    status: str
    result: Any = None
    error: str = ""

    @classmethod
    def succeeded(cls, result: Any = None) -> "Outcome":
        return cls("succeeded", result)

    @classmethod
    def failed(cls, error: str) -> "Outcome":
        return cls("failed", error=error)

    @classmethod
    def not_executed(cls) -> "Outcome":
        """Only where that is certain."""
        return cls("not_executed")


def current_claim() -> ClaimState | None:
    """In a gated function: its claim, with the `grant` for the tool, and `should_stop`."""
    return _current.get()


@dataclass
class Gate:
    """What a decorated function asks with."""

    function: Callable[..., Any]
    effect: str
    tool: str
    why: str
    exclude: frozenset[str]
    options: AskOptions
    precondition: Callable[..., Any] | None
    reconcile: Callable[..., Outcome | None] | None
    timeout: float | None
    key: str
    signature: inspect.Signature = field(init=False)
    kinds: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.signature = inspect.signature(self.function)
        try:
            self.kinds = inspect.get_annotations(self.function, eval_str=True)
        except NameError:
            self.kinds = {}

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "GatedCall":
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return GatedCall(self, bound)

    def edit_schema(self, arguments: dict[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """What a person may write instead: of the same types, and with the same effect."""
        properties = {}
        for name in arguments:
            kind = self.kinds.get(name, Any)
            is_many = self.signature.parameters[name].kind in (
                inspect.Parameter.VAR_POSITIONAL,
                inspect.Parameter.VAR_KEYWORD,
            )
            try:
                properties[name] = {} if is_many else schema_of(kind)
            except TypeError:
                properties[name] = {}
        # Each parameter of which the effect is made stays as it is.
        for name, value in arguments.items():
            if f"{{{name}" in self.effect and name in named:
                properties[name] = {"const": value}
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(arguments),
            "additionalProperties": False,
        }


class GatedCall:
    """One call of a gated function, on its way."""

    def __init__(self, gate: Gate, bound: inspect.BoundArguments) -> None:
        self.gate = gate
        self.bound = bound
        self.named = dict(bound.arguments)
        shown = {name: v for name, v in self.named.items() if name not in gate.exclude}
        try:
            self.arguments: dict[str, Any] = to_json(shown)
            # What runs is what was shown: later changes of a list or an object do not reach it.
            self.arguments = json.loads(canonical(self.arguments))
            canonical(self.arguments)  # 1e16 is written out, and is beyond 2^53 then
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{gate.tool}: its arguments cannot be shown exactly ({error}). Pass plain values, "
                "or name what is no part of the call in `exclude`."
            ) from error
        self.effect = gate.effect.format_map(self.named)

    def flow(self, operations: Operations) -> Flow[Any]:
        """Ask, wait, claim, run, report. Ends with the result, or raises what became of it."""
        try:
            return (yield from self._steps(operations))
        except (NotExecuted, ActionFailed) as error:
            error.is_of_gated_call = True
            raise

    def _steps(self, operations: Operations) -> Flow[Any]:
        deadline = None if self.gate.timeout is None else time.monotonic() + self.gate.timeout
        precondition = yield from self._precondition()
        state = yield from self._asked(operations, precondition)
        backoff = Backoff(first=0.5, most=10.0)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            yield from operations.wait(state, left, until_not=("pending", "executing"))
            if state.status == "approved":
                try:
                    precondition = yield from self._precondition()
                    claim = yield from operations.claim(state, precondition)
                except ApiError as error:
                    seconds = yield from self._after_refusal(operations, state, error)
                    if left is not None and left <= seconds:
                        raise StillPending(str(error)) from error
                    yield Pause(backoff.wait(seconds))
                    continue
                return (yield from self._run(operations, claim))
            return (yield from self._ended(operations, state))

    def _asked(self, operations: Operations, precondition: Any) -> Flow[State]:
        """The action of this call: an earlier run's, as long as it can still lead to something."""
        options: dict[str, Any] = dict(self.gate.options)
        if options.get("edit_schema") is None:
            options["edit_schema"] = self.gate.edit_schema(self.arguments, self.named)
        if precondition is not None:
            options["precondition"] = precondition
        options |= {"effect": self.effect, "why": self.gate.why.format_map(self.named)}
        number = 0
        while True:
            options["key"] = self._key(operations.connection, options, number)
            state = yield from operations.ask(
                self.gate.tool, self.arguments, None, cast(AskOptions, options)
            )
            # Of an earlier run, and over without a person's no: people are asked again.
            is_over = state.status in (NEVER | {"failed"}) - {"denied", "answered"}
            if not (state.is_replayed and is_over):
                return state
            number += 1

    def _key(self, connection: Connection, options: dict[str, Any], number: int) -> str | None:
        """The same for the same call with the same effect, also after a restart."""
        own = self.gate.key.format_map(self.named) if self.gate.key else self.effect
        if not own:
            return None
        digest = action_digest(
            project=connection.project,
            agent=options.get("agent") or connection.agent,
            subject=options.get("subject"),
            tool={"name": self.gate.tool, "server": options.get("server", "")},
            arguments=self.arguments,
        )
        facts = canonical([digest, self.effect, own, number])
        return f"gate-{hashlib.sha256(facts).hexdigest()}"

    def _precondition(self) -> Flow[Any]:
        if self.gate.precondition is None:
            return None
        given = functools.partial(self.gate.precondition, **self._hook_arguments(self.arguments))
        return (yield Invoke(given))

    def _hook_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._call_of(arguments).arguments

    def _call_of(self, arguments: dict[str, Any]) -> inspect.BoundArguments:
        """The function's own arguments, made anew of what was approved."""
        values = dict(self.named)
        for name, value in arguments.items():
            values[name] = like(self.named.get(name), self.gate.kinds.get(name, Any), value)
        call = inspect.BoundArguments(self.gate.signature, {})
        call.arguments.update(values)
        return call

    def _effect_of(self, call: inspect.BoundArguments) -> str:
        return self.gate.effect.format_map(call.arguments)

    def _after_refusal(self, operations: Operations, state: State, error: ApiError) -> Flow[float]:
        """How long to wait before the next look, where there is one to take; else raises."""
        if (other := effect_exists(error)) is not None:
            raise other from error
        if error.code in ("already_claimed", "subject_changed", "not_approved"):
            yield from operations.read(state)
            return error.retry_after
        if error.next_action == "retry":
            return error.retry_after
        if error.next_action in ("request", "none"):
            raise NotExecuted(
                f"It was not executed: {error.problem.get('detail')}", reason=error.code
            ) from error
        raise error

    def _run(self, operations: Operations, claim: ClaimState) -> Flow[Any]:
        try:
            call = self._call_of(claim.arguments)
            if self._effect_of(call) != self.effect:
                raise NotExecuted(
                    "It was not executed: with the changed arguments it has another effect.",
                    reason="effect_changed",
                )
        except NotExecuted as error:
            yield from reported(operations, claim, "not_executed", None, str(error))
            raise
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            detail = f"the approved arguments do not fit the function: {error}"
            yield from reported(operations, claim, "not_executed", None, detail)
            raise NotExecuted(f"It was not executed: {detail}", reason="does_not_fit") from error
        function = functools.partial(_with_claim, self.gate.function, call, claim)
        try:
            beat = functools.partial(operations.renew, claim)
            result = yield Invoke(function, beat, claim.every)
            if is_still_to_run(result):
                raise TypeError(f"{self.gate.tool} returned what has not run yet: {result!r}")
        except BaseException as error:
            if status := said_by(error):
                yield from reported(operations, claim, status, None, str(error))
                raise
            outcome = None
            if isinstance(error, Exception):
                outcome = yield from self._reconciled(claim.arguments)
            if outcome is None:
                said = f"{type(error).__name__}: {error}"
                yield from reported(operations, claim, "unknown", None, said)
                error.add_note("Paraph: whether it happened is unknown; a person is asked.")
                if isinstance(error, NotExecuted):
                    detail = "A call inside of it was not executed; how far it came is unknown."
                    raise OutcomeUnknown(detail) from error
                raise
            yield from reported(operations, claim, outcome.status, outcome.result, outcome.error)
            return self._of_outcome(outcome, error)
        yield from reported(operations, claim, "succeeded", _kept(result), "")
        return result

    def _ended(self, operations: Operations, state: State) -> Flow[Any]:
        """It was decided otherwise, or somebody else has done it: most often an earlier run."""
        if state.status in NEVER:
            raise refusal_of(state)
        if state.status == "succeeded":
            return self._kept_result(state.data.get("result"))
        if state.status == "failed":
            raise ActionFailed(str(state.data.get("error") or "It was tried and did not succeed."))
        if state.status != "unknown":
            raise NotApproved(f"The action is {state.status}, which is no approval.")
        arguments = state.data["arguments"]
        outcome = None
        if state.data.get("fence"):
            outcome = yield from self._reconciled(arguments)
        if outcome is None:
            where = (state.data.get("links") or {}).get("review", "")
            raise OutcomeUnknown(f"An earlier try may have done it. A person is asked: {where}")
        claim = ClaimState(state, state.data["fence"], arguments, None, "")
        yield from reported(operations, claim, outcome.status, outcome.result, outcome.error)
        return self._of_outcome(outcome, None)

    def _reconciled(self, arguments: dict[str, Any]) -> Flow[Outcome | None]:
        if self.gate.reconcile is None:
            return None
        hook = functools.partial(self.gate.reconcile, **self._hook_arguments(arguments))
        try:
            return cast(Outcome | None, (yield Invoke(hook)))
        except Exception:
            logger.exception("The reconcile hook of %s has failed", self.gate.tool)
            return None

    def _of_outcome(self, outcome: Outcome, cause: BaseException | None) -> Any:
        match outcome.status:
            case "succeeded":
                return outcome.result
            case "not_executed":
                raise NotExecuted("It was not executed: its outcome was looked up.") from cause
            case "failed":
                raise ActionFailed(outcome.error or "It did not succeed.") from cause
            case _:
                raise OutcomeUnknown("Whether it happened is unknown.") from cause

    def _kept_result(self, result: Any) -> Any:
        if isinstance(result, dict) and NOT_KEPT in result:
            raise ResultNotKept(f"It happened; its result, a {result[NOT_KEPT]}, was not kept.")
        kind = self.gate.kinds.get("return", Any)
        try:
            return from_json(kind, result)
        except (TypeError, ValueError):
            return result


def said_by(error: BaseException) -> str:
    """What a function says of itself by its exception. That of a gated call which it made says
    nothing of what it had done before."""
    if isinstance(error, NotExecuted | ActionFailed) and not error.is_of_gated_call:
        return "not_executed" if isinstance(error, NotExecuted) else "failed"
    return ""


def is_still_to_run(value: Any) -> bool:
    """A coroutine or a generator: what it would do is done by nobody here."""
    kinds = (inspect.isawaitable, inspect.isgenerator, inspect.isasyncgen)
    return any(is_kind(value) for is_kind in kinds)


def reported(
    operations: Operations, claim: ClaimState, status: str, result: Any, error: str
) -> Flow[None]:
    """What has happened is said for as long as it takes; a failure to say so changes nothing of
    it, and the server asks a person then."""
    backoff, deadline, is_cut = Backoff(), time.monotonic() + REPORT_SECONDS, False
    while True:
        try:
            yield from operations.report(claim, status, result, error)
            return
        except Unavailable as problem:
            if time.monotonic() > deadline:
                said: ParaphError = problem
                break
            yield Pause(backoff.wait())
        except ApiError as problem:
            if result is not None and problem.status in (400, 413, 422) and not is_cut:
                # Too large, say: that it happened is what counts.
                result, is_cut = {NOT_KEPT: type(result).__name__}, True
                continue
            said = problem
            break
    logger.error("The outcome of action %s (%s) was not taken: %s", claim.action.id, status, said)


def _with_claim(
    function: Callable[..., Any], call: inspect.BoundArguments, claim: ClaimState
) -> Any:
    if inspect.iscoroutinefunction(function):
        return _awaited_with_claim(function, call, claim)
    token = _current.set(claim)
    try:
        return function(*call.args, **call.kwargs)
    finally:
        _current.reset(token)


async def _awaited_with_claim(
    function: Callable[..., Any], call: inspect.BoundArguments, claim: ClaimState
) -> Any:
    token = _current.set(claim)
    try:
        return await function(*call.args, **call.kwargs)
    finally:
        _current.reset(token)


def _kept(result: Any) -> Any:
    """What an earlier run's caller gets from the server."""
    try:
        value = to_json(result)
        canonical(value)
    except (TypeError, ValueError):
        return {NOT_KEPT: type(result).__name__}
    return value


_clients: "weakref.WeakKeyDictionary[Any, AsyncClient]" = weakref.WeakKeyDictionary()
_client: Client | None = None
_lock = threading.Lock()


def default_client() -> Client:
    """The one of the environment, made at its first use."""
    global _client
    with _lock:
        if _client is None:
            _client = Client()
        return _client


def default_async_client() -> AsyncClient:
    """The same, for the running event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    with _lock:
        if loop not in _clients:
            _clients[loop] = AsyncClient()
        return _clients[loop]


def gate(
    effect: str = "",
    *,
    tool: str = "",
    why: str = "",
    exclude: tuple[str, ...] = ("self", "cls"),
    precondition: Callable[..., Any] | None = None,
    reconcile: Callable[..., Any] | None = None,
    timeout: float | None = None,
    key: str = "",
    client: Client | AsyncClient | Callable[[], Client | AsyncClient] | None = None,
    options: AskOptions | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """People approve each call of the function; it runs once, with what they approved.

    `effect`, as `"refund:{order}"`, is what must happen once: the same call is the same question,
    also after a restart, and what it returned is returned again. Without it, and without a `key`,
    each call is asked anew. `exclude` names parameters that are no part of the call: nobody sees
    or approves them. `precondition` and `reconcile` are called with the function's arguments: the
    first returns a fingerprint of what is outside, which must not change; the second an `Outcome`,
    or None, when it is not known whether it happened.

    Raises NotExecuted where it did not happen, and only there; StillPending after `timeout`
    seconds, OutcomeUnknown, EffectExists, ActionFailed, NotApproved, ApiError, Unavailable.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is a generator: it would run after its outcome was reported. "
                "Gate a function that does it all, and returns."
            )
        own = Gate(
            function,
            effect,
            tool or function.__name__,
            why,
            frozenset(exclude),
            options or {},
            precondition,
            reconcile,
            timeout,
            key,
        )

        def given_client() -> Client | AsyncClient | None:
            if client is None or isinstance(client, Client | AsyncClient):
                return client
            return client()

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def gated_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                used = given_client() or default_async_client()
                if isinstance(used, Client):
                    raise TypeError(f"{own.tool} is async: give it an AsyncClient.")
                return await used.run(own.call(args, kwargs).flow(used.operations))

            return cast(Callable[P, R], gated_async)

        @functools.wraps(function)
        def gated(*args: P.args, **kwargs: P.kwargs) -> R:
            used = given_client() or default_client()
            if isinstance(used, AsyncClient):
                raise TypeError(f"{own.tool} is no async function: give it a Client.")
            return cast(R, used.run(own.call(args, kwargs).flow(used.operations)))

        return gated

    return decorate
