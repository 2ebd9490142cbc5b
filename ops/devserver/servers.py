"""The two servers together, each only where nobody named another one."""

from ops.devserver.data_dir import DataFolder
from ops.devserver.postgres import Postgres
from ops.devserver.valkey import Valkey

Server = Postgres | Valkey


class LocalServers:
    def __init__(
        self, folder: DataFolder, *, needs: set[str], is_durable: bool = True, extension: str = ""
    ) -> None:
        """`needs` names what to serve: DATABASE_URL, REDIS_URL. The database has `extension`."""
        self.servers: dict[str, Server] = {}
        if "DATABASE_URL" in needs:
            self.servers["DATABASE_URL"] = Postgres(folder, is_durable, extension)
        if "REDIS_URL" in needs:
            self.servers["REDIS_URL"] = Valkey(folder, is_durable)

    def start(self) -> None:
        try:
            for server in self.servers.values():
                server.start()
        except BaseException:
            self.stop()
            raise

    def environment(self) -> dict[str, str]:
        return {key: server.url for key, server in self.servers.items()}

    def stop(self) -> None:
        for server in reversed(self.servers.values()):
            server.stop()
