"""Everybody outside, on an event loop of their own: the proxy, people, listeners."""

import asyncio
import random
import threading
from collections.abc import Coroutine
from typing import Any

from tools.chaos.caller import Caller
from tools.chaos.histories import Histories
from tools.chaos.listener import Listener
from tools.chaos.model import Mood
from tools.chaos.people import Person
from tools.chaos.proxy import Proxy


class Crowd:
    bob = 0

    def __init__(self, ports: list[int], tokens: dict[str, str], folder, seed: int) -> None:
        self.histories, self.seed, self.tokens = Histories(folder), seed, tokens
        self.chance = random.Random(seed)
        self.listeners: list[Listener] = []
        self.failures: list[str] = []
        self._tasks: set[asyncio.Task] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True).start()
        self.do(self._open(ports))

    async def _open(self, ports: list[int]) -> None:
        self.proxy = Proxy(ports)
        await self.proxy.start(self.seed)
        self.base = f"http://127.0.0.1:{self.proxy.port}"
        self.callers = {
            name: Caller(self.base, token, name, self.histories, self._own_chance())
            for name, token in self.tokens.items()
        }
        self.people = {
            name: Person(self.callers[name], self._own_chance()) for name in ("ada", "bob")
        }

    def _own_chance(self) -> random.Random:
        return random.Random(self.chance.getrandbits(64))

    def do(self, work: Coroutine, seconds: float = 120) -> Any:
        """Run on the crowd's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def begin(self, work: Coroutine) -> Any:
        """As `do`, without waiting: a future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Any, *arguments: Any) -> Any:
        async def run() -> Any:
            return function(*arguments)

        return self.do(run())

    def start(self, work: Coroutine) -> None:
        self.call(self._start, work)

    def _start(self, work: Coroutine) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.failures.append(repr(error))

    def go_home(self) -> None:
        """Everybody stops; who listened is done with it."""
        self.do(self._cancel_all())
        self.listeners.clear()

    async def _cancel_all(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def create(self, count: int, mood: Mood, **fields: Any) -> list[str]:
        """Projects of ada, with bob as approver; their ids, acknowledged."""
        return [*await asyncio.gather(*(self._create(n, mood, fields) for n in range(count)))]

    async def _create(self, number: int, mood: Mood, fields: dict[str, Any]) -> str:
        own = Mood(**(mood.__dict__ | {"seed": mood.seed * 1000 + number}))
        body = {"name": f"Chaos {number}", "brief": own.as_brief(), "workflow": "chaos"} | fields
        ada = self.callers["ada"]
        made = await ada.post("projects/", body, "create")
        project = made.json()["id"]
        bob = {"user": self.bob, "role": "approver"}
        await ada.post(f"projects/{project}/members/", bob, "member", project=project)
        return project

    def follow(self, project: str, count: int = 1, *, who: str = "ada", **options: Any) -> None:
        for _ in range(count):
            name = f"{who}-{len(self.listeners)}-{self.chance.getrandbits(32):08x}"
            listener = Listener(
                self.base,
                self.tokens[who],
                name,
                project,
                self.histories,
                self._own_chance(),
                **options,
            )
            self.listeners.append(listener)
            self.start(listener.listen())
