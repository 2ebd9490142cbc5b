from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live import Worker, empty_queues
from tests.whole_logs import whole_logs

__all__ = ["whole_logs"]

_running: list[Worker] = []


@contextmanager
def _workers(temporary: pytest.TempPathFactory) -> Iterator[Callable[..., Worker]]:
    """A way to start workers, and an end to all of them."""
    started = []

    def start(**options: Any) -> Worker:
        worker = Worker(temporary.mktemp("worker"), **options)
        started.append(worker)
        _running.append(worker)
        return worker

    empty_queues()
    try:
        yield start
    finally:
        for worker in started:
            worker.kill()
            _running.remove(worker)


@pytest.fixture
def start_worker(
    transactional_db: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Worker]]:
    with _workers(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def worker(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with _workers(tmp_path_factory) as start:
        yield start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the workers said."""
    report = yield
    if report.failed:
        report.sections += [("worker", worker.output()[-5000:]) for worker in _running]
    return report
