"""Workers: programs that do the tasks of an agent type, wherever they run."""

import asyncio
import functools
import inspect
import logging
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, cast

from paraph.actions import storable
from paraph.client import AsyncClient, Client
from paraph.connection import Connection
from paraph.errors import ApiError, ParaphError, Unavailable
from paraph.flow import Backoff, Flow, Invoke, Pause, Request, send
from paraph.schemas import to_json

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger("paraph")
#: How long one request waits for a task: a worker that is to stop does so within this time.
CLAIM_SECONDS = 10
LEASE_SECONDS = 60
#: How long a result is offered to a server that is away.
REPORT_SECONDS = 300.0
DETAIL_MAX = 10_000


class Stopped(ParaphError):
    """The work must end now: it was stopped, or somebody else has it."""


class Question(ParaphError):
    """Raise it to ask a person; with the answer, the task comes again."""

    def __init__(self, *questions: str, reason: str = "") -> None:
        super().__init__("; ".join(questions))
        self.questions = list(questions)
        self.reason = reason


class WorkFailed(ParaphError):
    """Raise it where the work has failed; `transient` where another try may succeed."""

    def __init__(
        self, detail: str, *, code: str = "worker_failed", transient: bool = False
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.transient = transient


class Released(ParaphError):
    """Raise it to give the task back, undone."""


@dataclass
class Output:
    artifact_type: str
    content: Any
    title: str = ""


@dataclass
class Result:
    """What a worker brings. `usage` is `{model, calls, input_tokens, output_tokens, cost_micros}`;
    what is left out is unknown."""

    outputs: Sequence[Output] | Mapping[str, Any]
    usage: Mapping[str, Any] | None = None
    notes: str = ""
    verdict: str | None = None


@dataclass
class Work:
    """A task, as long as its lease is renewed."""

    task: str
    fence: int
    #: All that the agent may know. What people and other agents wrote is data, no instruction.
    assignment: dict[str, Any]
    is_stopped: bool = False
    _progress: Any = field(default=None, repr=False)

    @property
    def expected(self) -> list[str]:
        """The artifact types to bring, one of each."""
        return list(self.assignment["expected"])

    @property
    def key(self) -> str:
        """For services outside: the same for each attempt of the same work."""
        return str(self.assignment["key"])

    def material(self, artifact_type: str) -> Any:
        """The content of what was handed out, the newest of this type; None without."""
        contents = [
            material["content"]
            for material in self.assignment["materials"]
            if material["artifact_type"] == artifact_type
        ]
        return contents[-1] if contents else None

    def progress(self, said: Any) -> None:
        """For those who watch, with the next heartbeat. Raises Stopped where it must end."""
        self._progress = to_json(said)
        self.check()

    def check(self) -> None:
        """Raises Stopped where it must end now. An async worker is cancelled by itself."""
        if self.is_stopped:
            raise Stopped("The work was stopped, or somebody else has it.")


class Worker(Generic[P, R]):
    """A function that does the tasks of some agent types; `run()` is a whole program."""

    def __init__(
        self,
        function: Callable[P, R],
        agent_types: Sequence[str],
        name: str = "",
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.agent_types = list(agent_types)
        self.name = name or f"{socket.gethostname()}:{getattr(function, '__name__', 'worker')}"
        self.lease_seconds = lease_seconds
        self._is_stopping = threading.Event()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def stop(self) -> None:
        """Finish what is being done, and take nothing more."""
        self._is_stopping.set()

    def run(self, *, once: bool = False, connection: Connection | None = None) -> int:
        """Until it is stopped; with `once` until nothing is left to do. How many tasks it ended.

        SIGTERM or Ctrl-C lets it finish what it does; the second one gives the task back.
        """
        with self._signals():
            if inspect.iscoroutinefunction(self.function):
                return asyncio.run(self.run_async(once=once, connection=connection))
            with Client(connection=connection) as client:
                return client.run(self.flow(client.connection, once=once))

    async def run_async(self, *, once: bool = False, connection: Connection | None = None) -> int:
        async with AsyncClient(connection=connection) as client:
            return await client.run(self.flow(client.connection, once=once))

    @contextmanager
    def _signals(self) -> Any:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            if self._is_stopping.is_set():
                raise KeyboardInterrupt
            self.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def flow(self, connection: Connection, *, once: bool = False) -> Flow[int]:
        """Claim, do, report, and again."""
        ended, backoff = 0, Backoff()
        body = {
            "agent_types": self.agent_types,
            "worker": self.name[:100],
            "lease_seconds": self.lease_seconds,
        }
        wait = 0 if once else CLAIM_SECONDS
        while not self._is_stopping.is_set():
            claim = Request(
                "POST", "/api/v1/work/claim/", body | {"wait": wait}, read_seconds=wait + 30
            )
            try:
                response = yield from send(claim, connection.patience)
            except Unavailable as error:
                logger.warning("No work: %s", error)
                yield Pause(backoff.wait())
                continue
            backoff = Backoff()
            if response.status_code == 204:
                if once:
                    break
                continue
            facts = response.json()
            work = Work(facts["task"], facts["fence"], facts["assignment"])
            yield from self._do(work)
            ended += 1
        return ended

    def _do(self, work: Work) -> Flow[None]:
        logger.info("Task %s: %s", work.task, work.assignment["step"] or "on its own")
        invoke = Invoke(
            functools.partial(cast(Callable[[Work], Any], self.function), work),
            functools.partial(_beat, work),
            self.lease_seconds / 3,
            lambda: work.is_stopped,
        )
        try:
            result = yield invoke
            verb, body = "complete", _completed(work, result)
        except Question as error:
            verb, body = "ask", {"questions": error.questions, "reason": error.reason}
        except Released:
            verb, body = "release", {}
        except Stopped:
            logger.warning("Task %s was stopped.", work.task)
            return
        except WorkFailed as error:
            verb, body = "fail", _failed(str(error), error.code, error.transient)
        except Exception as error:
            logger.exception("Task %s failed.", work.task)
            verb, body = "fail", _failed(f"{type(error).__name__}: {error}", "worker_error", False)
        except BaseException:
            if work.is_stopped:
                logger.warning("Task %s was stopped.", work.task)
                return
            yield from self._report(work, "release", {})
            raise
        yield from self._report(work, verb, body)

    def _report(self, work: Work, verb: str, body: dict[str, Any]) -> Flow[None]:
        try:
            yield from _say(work, verb, body, REPORT_SECONDS)
        except ApiError as error:
            if error.status in (400, 422) and verb in ("complete", "ask"):
                # What does not fit will not fit the next time, either: a person is told why.
                logger.error("Task %s: %s", work.task, error)
                failed = _failed(f"What was brought does not fit: {error}", "invalid_output", False)
                yield from self._report(work, "fail", failed)
                return
            if error.code not in ("lease_lost", "already_reported"):
                raise
            logger.warning("Task %s is no longer ours: %s", work.task, error)
        except Unavailable as error:
            logger.error("Task %s: its result was not taken: %s", work.task, error)


def _beat(work: Work) -> Flow[None]:
    body = {} if work._progress is None else {"progress": work._progress}
    work._progress = None
    try:
        response = yield from _say(work, "heartbeat", body, 5.0)
    except ApiError as error:
        work.is_stopped = work.is_stopped or error.status in (401, 403, 404, 409)
        return
    work.is_stopped = work.is_stopped or bool(response.json()["stop"])


def _say(work: Work, verb: str, body: dict[str, Any], patience: float) -> Flow[Any]:
    path = f"/api/v1/work/{work.task}/{verb}/"
    return (yield from send(Request("POST", path, {"fence": work.fence} | body), patience))


def _failed(detail: str, code: str, transient: bool) -> dict[str, Any]:
    detail = storable(detail)[:DETAIL_MAX] or "It failed without a word."
    return {"code": code, "detail": detail, "transient": transient}


def _completed(work: Work, result: Any) -> dict[str, Any]:
    """Of a Result, of outputs, of a mapping from types to contents, or of the one content."""
    if not isinstance(result, Result):
        result = Result(result)
    outputs = result.outputs
    if isinstance(outputs, Output):
        outputs = [outputs]
    if isinstance(outputs, Mapping) and set(outputs) <= set(work.assignment["schemas"]):
        outputs = [Output(name, content) for name, content in outputs.items()]
    elif not isinstance(outputs, list | tuple) and len(work.expected) == 1:
        outputs = [Output(work.expected[0], outputs)]
    if not all(isinstance(output, Output) for output in outputs):
        raise TypeError(f"a worker returns contents by type, or Outputs, not {result.outputs!r}")
    body: dict[str, Any] = {
        "outputs": [
            {
                "artifact_type": output.artifact_type,
                "title": (output.title or _title(output))[:200],
                "content": to_json(output.content),
            }
            for output in outputs
        ]
    }
    if result.usage is not None:
        body["usage"] = dict(result.usage)
    if result.notes:
        body["notes"] = result.notes
    if result.verdict is not None:
        body["verdict"] = result.verdict
    return body


def _title(output: Output) -> str:
    content = to_json(output.content)
    title = content.get("title") if isinstance(content, dict) else None
    return title if isinstance(title, str) and title else output.artifact_type


def worker(
    *agent_types: str, name: str = "", lease_seconds: int = LEASE_SECONDS
) -> Callable[[Callable[P, R]], Worker[P, R]]:
    """The function does the tasks of these agent types, one after another: `.run()`.

    It takes a `Work`, and returns the contents by artifact type, the one content that is expected,
    or a `Result`. It may raise `Question` to ask a person, `WorkFailed` and `Released`; any other
    exception is a failure that a person is told of. An async one is cancelled by an emergency stop;
    another looks at `work.check()`.
    """
    if not agent_types:
        raise TypeError("a worker names the agent types that it does")

    def decorate(function: Callable[P, R]) -> Worker[P, R]:
        return Worker(function, agent_types, name, lease_seconds)

    return decorate
