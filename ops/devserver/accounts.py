"""As root the embedded servers run as a system user, for PostgreSQL refuses to be root."""

import os
import pwd
from dataclasses import dataclass

from ops.devserver import LocalError

# initdb wants a name for its uid, so a free number will not do. Least shared first.
CANDIDATES = ("postgres", "daemon", "nobody")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def ids(self) -> tuple[int, int]:
        return self.uid, self.gid


def server_account() -> Account | None:
    """None means: run the servers as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalError(
        "PostgreSQL refuses to run as root, and this machine has none of the users "
        f"{', '.join(CANDIDATES)} to run it as. Start as an ordinary user, or set DATABASE_URL."
    )
