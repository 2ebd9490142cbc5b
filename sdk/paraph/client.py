"""The two clients: `Client` waits, `AsyncClient` is awaited. They do the same."""

import ssl
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack, overload

import httpx

from paraph.actions import AskOptions, ClaimState, Operations, State, answer_of, refusal_of
from paraph.connection import Connection
from paraph.errors import NotExecuted
from paraph.flow import Flow, run, run_async

A = TypeVar("A")
T = TypeVar("T")


class _Shown(Generic[A]):
    """What there is to read of an action; its arguments may be a person's, once it is decided."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self._state.id

    @property
    def status(self) -> str:
        """A word that you do not know means "not approved"."""
        return self._state.status

    @property
    def is_approved(self) -> bool:
        return self.status == "approved"

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self._state.data["arguments"])

    @property
    def digest(self) -> str:
        return self._state.digest

    @property
    def effect(self) -> str:
        return str(self._state.data["effect"])

    @property
    def answer(self) -> A:
        """What a person replied. Raises NotApproved where nobody did."""
        answer: A = answer_of(self._state)
        return answer

    @property
    def comment(self) -> str:
        return str((self._state.data["decision"] or {}).get("comment", ""))

    @property
    def result(self) -> Any:
        return self._state.data["result"]

    @property
    def review_url(self) -> str:
        """Where a person sees and decides it."""
        return str(self._state.data["links"]["review"])

    @property
    def is_replayed(self) -> bool:
        """It was asked before, with the same key."""
        return self._state.is_replayed

    @property
    def data(self) -> dict[str, Any]:
        """All that the server says of it."""
        return self._state.data

    @property
    def refusal(self) -> NotExecuted:
        """To raise, for an action that has ended without being done."""
        return refusal_of(self._state)


class _ClaimShown:
    def __init__(self, state: ClaimState) -> None:
        self._claim = state

    @property
    def arguments(self) -> dict[str, Any]:
        """Exactly those that were approved; use these."""
        return self._claim.arguments

    @property
    def grant(self) -> str | None:
        return self._claim.grant

    @property
    def fence(self) -> int:
        return self._claim.fence

    @property
    def should_stop(self) -> bool:
        return self._claim.should_stop

    @property
    def state(self) -> ClaimState:
        return self._claim


class Claim(_ClaimShown):
    def __init__(self, client: "Client", state: ClaimState) -> None:
        super().__init__(state)
        self._client = client

    def renew(self) -> bool:
        """Due within the lease, of a minute as a rule; whether it must stop now."""
        return self._client.run(self._client.operations.renew(self._claim))

    def report(self, status: str, result: Any = None, error: str = "") -> None:
        """`succeeded`, `failed`, `unknown`, or `not_executed` where that is certain."""
        self._client.run(self._client.operations.report(self._claim, status, result, error))


class Action(_Shown[A]):
    def __init__(self, client: "Client", state: State) -> None:
        super().__init__(state)
        self._client = client

    def wait(self, timeout: float | None = None) -> Self:
        """Until it is decided. Raises StillPending when the time, in seconds, is over."""
        self._client.run(self._client.operations.wait(self._state, timeout))
        return self

    def refresh(self) -> Self:
        self._client.run(self._client.operations.read(self._state))
        return self

    def claim(self, precondition: Any = None) -> Claim:
        """Take it, once. Raises ApiError for each refusal, with its `code` and `next_action`."""
        flow = self._client.operations.claim(self._state, precondition)
        return Claim(self._client, self._client.run(flow))

    def cancel(self, reason: str = "") -> Self:
        self._client.run(self._client.operations.cancel(self._state, reason))
        return self


class Client:
    """`Client()` reads PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT and PARAPH_AGENT."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        project: str | None = None,
        agent: str | None = None,
        patience: float = 60.0,
        connection: Connection | None = None,
        transport: httpx.BaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self.connection = connection or Connection.load(
            url, token, project=project, agent=agent, patience=patience
        )
        self.operations = Operations(self.connection)
        self._http = httpx.Client(
            base_url=self.connection.url,
            headers=self.connection.headers,
            transport=transport,
            verify=verify,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        return run(flow, self._http)

    def send(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Any route below `/api/v1/`, tried again while the server is away. Raises ApiError."""
        return self.run(self.operations.send(method, path, json, **options))

    @overload
    def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: type[A],
        **options: Unpack[AskOptions],
    ) -> Action[A]: ...
    @overload
    def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: dict[str, Any] | None = None,
        **options: Unpack[AskOptions],
    ) -> Action[Any]: ...
    def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: Any = None,
        **options: Unpack[AskOptions],
    ) -> Action[Any]:
        """Ask people about a call, complete.

        With the same `key` it is the same action, also after a restart. Raises EffectExists where
        the same `effect` has happened or may have, ApiError for other refusals, Unavailable.
        """
        flow = self.operations.ask(tool, arguments, response_schema, options)
        return Action(self, self.run(flow))

    def action(self, action_id: str) -> Action[Any]:
        """One that was asked before, as it is now."""
        state = State({"id": action_id})
        return Action(self, self.run(self.operations.read(state)))


class AsyncClaim(_ClaimShown):
    def __init__(self, client: "AsyncClient", state: ClaimState) -> None:
        super().__init__(state)
        self._client = client

    async def renew(self) -> bool:
        """Due within the lease, of a minute as a rule; whether it must stop now."""
        return await self._client.run(self._client.operations.renew(self._claim))

    async def report(self, status: str, result: Any = None, error: str = "") -> None:
        """`succeeded`, `failed`, `unknown`, or `not_executed` where that is certain."""
        await self._client.run(self._client.operations.report(self._claim, status, result, error))


class AsyncAction(_Shown[A]):
    def __init__(self, client: "AsyncClient", state: State) -> None:
        super().__init__(state)
        self._client = client

    async def wait(self, timeout: float | None = None) -> Self:
        """Until it is decided. Raises StillPending when the time, in seconds, is over."""
        await self._client.run(self._client.operations.wait(self._state, timeout))
        return self

    async def refresh(self) -> Self:
        await self._client.run(self._client.operations.read(self._state))
        return self

    async def claim(self, precondition: Any = None) -> AsyncClaim:
        """Take it, once. Raises ApiError for each refusal, with its `code` and `next_action`."""
        flow = self._client.operations.claim(self._state, precondition)
        return AsyncClaim(self._client, await self._client.run(flow))

    async def cancel(self, reason: str = "") -> Self:
        await self._client.run(self._client.operations.cancel(self._state, reason))
        return self


class AsyncClient:
    """As `Client`, for one event loop."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        project: str | None = None,
        agent: str | None = None,
        patience: float = 60.0,
        connection: Connection | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self.connection = connection or Connection.load(
            url, token, project=project, agent=agent, patience=patience
        )
        self.operations = Operations(self.connection)
        self._http = httpx.AsyncClient(
            base_url=self.connection.url,
            headers=self.connection.headers,
            transport=transport,
            verify=verify,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        return await run_async(flow, self._http)

    async def send(
        self, method: str, path: str, json: Any = None, **options: Any
    ) -> httpx.Response:
        """Any route below `/api/v1/`, tried again while the server is away. Raises ApiError."""
        return await self.run(self.operations.send(method, path, json, **options))

    @overload
    async def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: type[A],
        **options: Unpack[AskOptions],
    ) -> AsyncAction[A]: ...
    @overload
    async def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: dict[str, Any] | None = None,
        **options: Unpack[AskOptions],
    ) -> AsyncAction[Any]: ...
    async def ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        response_schema: Any = None,
        **options: Unpack[AskOptions],
    ) -> AsyncAction[Any]:
        """As `Client.ask`."""
        flow = self.operations.ask(tool, arguments, response_schema, options)
        return AsyncAction(self, await self.run(flow))

    async def action(self, action_id: str) -> AsyncAction[Any]:
        """One that was asked before, as it is now."""
        state = State({"id": action_id})
        return AsyncAction(self, await self.run(self.operations.read(state)))
