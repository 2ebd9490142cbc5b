"""Django's backend for PostgreSQL, with connections that notice a frozen server."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from core.postgresql.connection import WatchedConnection


class Driver:
    """psycopg, whose connections are ours."""

    connect = staticmethod(WatchedConnection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    Database = Driver()

    @property
    def pool(self) -> Any:
        if options := self.settings_dict["OPTIONS"].get("pool"):
            options["connection_class"] = WatchedConnection
        return super().pool
