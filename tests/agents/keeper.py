"""A lease keeper in the process of the test, and a model whose calls would never end."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from agents.models import WorkerProcess
from agents.services import Claim
from agents.worker.lease import LeaseKeeper, end_lease_keeper, hold_lease, start_lease_keeper
from tests.live import eventually
from tests.scenes import WORKER, in_background

LONG_SECONDS = 10


@pytest.fixture
def start_keeper(transactional_db: None, settings) -> Iterator[Callable[[], LeaseKeeper]]:
    """Only hints make it look again soon, unless the test sets STOP_POLL_SECONDS."""
    settings.STOP_POLL_SECONDS = LONG_SECONDS

    def start() -> LeaseKeeper:
        keeper = start_lease_keeper(WORKER)
        eventually(lambda: WorkerProcess.objects.filter(name=WORKER).exists())
        eventually(lambda: keeper.stop_hints.is_connected)
        return keeper

    yield start
    end_lease_keeper()


class EndlessModel:
    """The edge to a provider that never answers; what happens meanwhile is for the test to say."""

    meanwhile: Callable[[], object]

    async def produce(self, assignment, **named):
        in_background(type(self).meanwhile).join()
        await asyncio.Event().wait()


class BlockingModel:
    """A provider that is no coroutine; it answers as soon as the test lets it."""

    called = threading.Event()
    may_answer = threading.Event()

    def produce(self, assignment, **named):
        self.called.set()
        assert self.may_answer.wait(LONG_SECONDS)
        raise AssertionError("nobody wants this answer")


@pytest.fixture
def endless_model(settings) -> type[EndlessModel]:
    settings.MODEL_PROVIDERS = {"endless": "tests.agents.keeper.EndlessModel"}
    settings.AGENT_MODELS = {"orchestrator": "endless"}
    return EndlessModel


@pytest.fixture
def blocking_model(settings) -> type[BlockingModel]:
    settings.MODEL_PROVIDERS = {"blocking": "tests.agents.keeper.BlockingModel"}
    settings.AGENT_MODELS = {"orchestrator": "blocking"}
    BlockingModel.called.clear()
    BlockingModel.may_answer.clear()
    return BlockingModel


def work_on(claim: Claim, meanwhile: Callable[[], object] = lambda: None) -> None:
    """As a model call that never ends by itself."""

    async def call() -> None:
        in_background(meanwhile).join()
        await asyncio.Event().wait()

    with hold_lease(claim) as cancellation:
        cancellation.run(call())
