import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
# A series more for each counter, which nobody asks for.
disable_created_metrics()


def exposition(more: Iterable[Collector] = ()) -> bytes:
    """Everything that is counted on this machine, and what the given collectors find."""
    registry = CollectorRegistry()
    for collector in more:
        registry.register(collector)
    return generate_latest(_processes()) + generate_latest(registry)


def _processes() -> CollectorRegistry:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return REGISTRY
    _forget_the_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return registry


def _forget_the_dead(folder: Path) -> None:
    """What a process has counted stays; what it has now (its connections) ends with it."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if not _is_alive(int(pid)):
            mark_process_dead(pid, str(folder))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
