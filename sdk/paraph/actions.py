"""What is asked, and what a claim hands out: the same for programs that wait and that await."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

import httpx

from paraph.canonical import action_digest, canonical
from paraph.connection import Connection
from paraph.errors import (
    ApiError,
    EffectExists,
    NotApproved,
    NotExecuted,
    ParaphError,
    StillPending,
    Unavailable,
)
from paraph.flow import Backoff, Flow, Pause, Request, send
from paraph.schemas import from_json, schema_of, to_json

WAIT_SECONDS = 50
#: It did not happen by this action, and it will not.
NEVER = {"denied", "answered", "expired", "cancelled", "superseded", "not_executed"}
KNOWN = NEVER | {"pending", "approved", "executing", "succeeded", "failed", "unknown"}


class AskOptions(TypedDict, total=False):
    """What may be said of a call beside its name and arguments."""

    server: str
    schema_digest: str
    agent: str
    run: str
    call: str
    framework: str
    subject: Mapping[str, str]
    effect: str
    why: str
    hints: Mapping[str, bool]
    allowed: list[str]
    edit_schema: Any
    precondition: Any
    based_on: list[dict[str, Any]]
    expires_at: datetime | timedelta
    on_expiry: str
    continuation: str
    key: str


@dataclass
class State:
    """An action as the server last showed it."""

    data: dict[str, Any]
    etag: str = ""
    #: The server had it already: asked by an earlier run with the same key.
    is_replayed: bool = False
    answer_kind: Any = None

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def status(self) -> str:
        """A word that is not known here means "not approved"."""
        return str(self.data["status"])

    @property
    def digest(self) -> str:
        return str(self.data["action_digest"])

    def take(self, response: httpx.Response) -> None:
        self.data = response.json()
        self.etag = response.headers.get("ETag", "")


@dataclass
class ClaimState:
    """The right to do it now, once."""

    action: State
    fence: int
    #: Exactly those that were approved: a person may have changed them.
    arguments: dict[str, Any]
    #: For the tool itself: a signed word that just this was approved. None where there is no key.
    grant: str | None
    lease_expires_at: str
    #: How often its heartbeat is due, in seconds.
    every: float = 20.0
    #: The server has said that it must end now.
    should_stop: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


class Operations:
    """Every operation as a flow; clients only run them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(
        self, method: str, path: str, json: Any = None, **options: Any
    ) -> Flow[httpx.Response]:
        request = Request(method, f"/api/v1/{path}", json, **options)
        return (yield from send(request, self.connection.patience))

    def ask(
        self, tool: str, arguments: Mapping[str, Any], response_schema: Any, options: AskOptions
    ) -> Flow[State]:
        if not self.connection.project:
            raise ParaphError("There is no project: pass `project=`, or set PARAPH_PROJECT.")
        given = dict(options)
        key = given.pop("key", None) or uuid.uuid4().hex
        body = self._body(tool, arguments, response_schema, given)
        canonical(body)  # what would not arrive as it is, is not sent
        path = f"projects/{self.connection.project}/actions/"
        try:
            response = yield from self.send("POST", path, body, headers={"Idempotency-Key": key})
        except ApiError as error:
            raise effect_exists(error) or error from error
        state = State(
            response.json(),
            response.headers.get("ETag", ""),
            response.headers.get("Idempotency-Replayed") == "true",
            response_schema,
        )
        return state

    def _body(
        self, tool: str, arguments: Mapping[str, Any], response_schema: Any, given: dict[str, Any]
    ) -> dict[str, Any]:
        agent = given.pop("agent", "") or self.connection.agent
        if not agent:
            raise ParaphError("There is no name of the agent: pass `agent=`, or set PARAPH_AGENT.")
        parts = {"tool": {"name": tool}, "agent": {"name": agent}}
        for part, names in (
            ("tool", ("server", "schema_digest")),
            ("agent", ("run", "call", "framework")),
        ):
            parts[part] |= {name: value for name in names if (value := given.pop(name, ""))}
        if isinstance(given.get("expires_at"), timedelta):
            given["expires_at"] = datetime.now(UTC) + given["expires_at"]
        if given.get("edit_schema") is not None:
            given["edit_schema"] = schema_of(given["edit_schema"])
        if response_schema is not None:
            given["response_schema"] = schema_of(response_schema)
        optional = {name: to_json(value) for name, value in given.items() if value is not None}
        return parts | {"arguments": to_json(dict(arguments))} | optional

    def read(self, state: State, wait: int = 0) -> Flow[State]:
        headers = {"If-None-Match": state.etag} if wait and state.etag else {}
        response = yield from self.send(
            "GET",
            f"actions/{state.id}/",
            headers=headers,
            params={"wait": wait} if wait else {},
            read_seconds=wait + 30,
        )
        if response.status_code != 304:
            state.take(response)
        return state

    def wait(
        self, state: State, timeout: float | None, until_not: tuple[str, ...] = ("pending",)
    ) -> Flow[State]:
        """Through restarts of the server, for as long as it takes, or until the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        backoff = Backoff()
        while state.status in until_not:
            left = WAIT_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise StillPending(f"The action {state.id} is {state.status} still.")
            began = time.monotonic()
            try:
                yield from self.read(state, wait=max(1, min(WAIT_SECONDS, int(left))))
            except Unavailable:
                yield Pause(backoff.wait())
                continue
            if state.status in until_not and time.monotonic() - began < 0.5:
                # A server that does not wait is not asked in a circle.
                yield Pause(backoff.wait())
            else:
                backoff = Backoff()
        return state

    def claim(self, state: State, precondition: Any = None) -> Flow[ClaimState]:
        """Raises ApiError for each refusal, as it came; NotExecuted for arguments of another
        digest, which nobody has approved."""
        digest = state.digest
        body = {"action_digest": digest}
        if precondition is not None:
            body["precondition"] = to_json(precondition)
        # A lost answer is repeated under the same key, and is the same claim.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        response = yield from self.send("POST", f"actions/{state.id}/claim/", body, headers=headers)
        facts = response.json()
        claim = ClaimState(
            state,
            facts["fence"],
            facts["arguments"],
            facts.get("grant"),
            facts["lease_expires_at"],
            _every(facts["lease_expires_at"], response),
        )
        state.data |= {"status": "executing", "arguments": facts["arguments"]}
        if digest_of(state.data) != digest:
            reason = "the arguments that were handed out are not those that were approved"
            yield from self.report(claim, "not_executed", None, reason)
            raise NotExecuted(f"It was not executed: {reason}.", reason="digest_differs")
        return claim

    def renew(self, claim: ClaimState) -> Flow[bool]:
        """Still at it; whether it must stop now."""
        path = f"actions/{claim.action.id}/heartbeat/"
        response = yield from self.send("POST", path, {"fence": claim.fence})
        facts = response.json()
        claim.lease_expires_at = facts["lease_expires_at"]
        claim.should_stop = claim.should_stop or bool(facts["stop"])
        return claim.should_stop

    def report(self, claim: ClaimState, status: str, result: Any, error: str) -> Flow[State]:
        body: dict[str, Any] = {"fence": claim.fence, "status": status}
        if result is not None:
            body["result"] = to_json(result)
        if error:
            body["error"] = storable(error)[:10_000]
        path = f"actions/{claim.action.id}/outcome/"
        claim.action.take((yield from self.send("POST", path, body)))
        return claim.action

    def cancel(self, state: State, reason: str) -> Flow[State]:
        body = {"reason": reason} if reason else {}
        state.take((yield from self.send("POST", f"actions/{state.id}/cancel/", body)))
        return state


def storable(text: str) -> str:
    """Without null characters and the surrogates of file names that are no UTF-8."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode()


def digest_of(data: dict[str, Any]) -> str:
    """Recomputed here, of what the server shows."""
    return action_digest(
        project=data["project"],
        agent=data["agent"]["name"],
        subject=data["subject"],
        tool=data["tool"],
        arguments=data["arguments"],
    )


def _every(lease_expires_at: str, response: httpx.Response) -> float:
    """A third of the lease, by the server's own clock."""
    try:
        now = parsedate_to_datetime(response.headers["Date"])
        lease = datetime.fromisoformat(lease_expires_at) - now
    except (KeyError, ValueError, TypeError):
        return 20.0
    return min(20.0, max(0.5, lease.total_seconds() / 3))


def effect_exists(error: ApiError) -> EffectExists | None:
    if error.code != "effect_exists":
        return None
    return EffectExists(
        str(error.problem.get("detail")),
        action=str(error.problem.get("action", "")),
        status=str(error.problem.get("action_status", "")),
    )


def answer_of(state: State) -> Any:
    """Of the asked type. Raises NotApproved where nobody has answered."""
    if state.status != "answered":
        raise NotApproved(f"There is no answer: the action is {state.status}.")
    answer = state.data.get("answer")
    return answer if state.answer_kind is None else from_json(state.answer_kind, answer)


def refusal_of(state: State) -> NotExecuted:
    """For an action that has ended without being done."""
    decision = state.data.get("decision") or {}
    comment = str(decision.get("comment") or "")
    by = decision.get("decided_by_username")
    words = {
        "denied": f"{by} said no" if by else "it was denied",
        "answered": f"{by} answered instead" if by else "it was answered instead",
        "expired": "nobody decided, or used the approval, in time",
        "superseded": "what it rests on has changed",
    }.get(state.status, f"the action is {state.status}")
    answer = answer_of(state) if state.status == "answered" else None
    detail = f"It was not executed: {words}" + (f": {comment}" if comment else ".")
    return NotExecuted(detail, reason=state.status, comment=comment, answer=answer)
