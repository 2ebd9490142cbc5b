"""Each module has the cases of one kind; importing them puts them into the book."""

from chaos.cases import deaths, jobs, news, servers, stops, zombies

__all__ = ["deaths", "jobs", "news", "servers", "stops", "zombies"]
