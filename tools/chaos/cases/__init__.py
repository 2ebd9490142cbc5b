"""Each module has the cases of one kind; importing them puts them into the book."""

from tools.chaos.cases import (
    deaths,
    halts,
    jobs,
    long,
    news,
    notifications,
    restores,
    servers,
    stops,
    zombies,
)

__all__ = [
    "deaths",
    "halts",
    "jobs",
    "long",
    "news",
    "notifications",
    "restores",
    "servers",
    "stops",
    "zombies",
]
