"""The embedded PostgreSQL and Redis, each only where no other server is configured."""

import time
from collections.abc import Callable

from ops.devserver.data_dir import DataDir
from ops.devserver.postgres import Postgres
from ops.devserver.valkey import Valkey


class EmbeddedServers:
    def __init__(
        self, data_dir: DataDir, *, needs: set[str], is_durable: bool = True, extension: str = ""
    ) -> None:
        """`needs` names what to serve: DATABASE_URL, REDIS_URL. The database has `extension`."""
        self.servers: dict[str, Postgres | Valkey] = {}
        if "DATABASE_URL" in needs:
            self.servers["DATABASE_URL"] = Postgres(
                data_dir, is_durable=is_durable, extension=extension
            )
        if "REDIS_URL" in needs:
            self.servers["REDIS_URL"] = Valkey(data_dir, is_durable=is_durable)

    def start(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Returns when both answer; what `pause` raises ends the wait."""
        try:
            for server in self.servers.values():
                server.start_and_wait(pause)
        except BaseException:
            self.stop()
            raise

    def environment(self) -> dict[str, str]:
        return {key: server.url for key, server in self.servers.items()}

    def of_the_owner(self) -> dict[str, str]:
        """What only those get who migrate; nothing where the database is another server's."""
        postgres = self.servers.get("DATABASE_URL")
        return {"MIGRATION_DATABASE_URL": postgres.owner_url} if postgres else {}

    def stop(self) -> None:
        for server in reversed(self.servers.values()):
            server.stop()
