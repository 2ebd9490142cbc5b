"""Files by permission list (Landlock), for hosts that allow no namespaces."""

import os
import stat
import struct

import kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
READING = EXECUTE | READ_FILE | READ_DIR
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
# Rights known by version of the interface: 13 at first, then one by one.
RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
TCP = 3
FOREIGN_SOCKETS_AND_SIGNALS = 3
KNOWS_TRUNCATE, SCOPES_TCP, SCOPES_SIGNALS = 3, 4, 6


def version() -> int:
    """The kernel's Landlock version, 0 without one."""
    try:
        return kernel.syscall(CREATE_RULESET, None, 0, VERSION_FLAG)
    except OSError:
        return 0


def restrict(*, readable: list[str], writable: list[str]) -> None:
    """Deny this process and its descendants every file outside of the lists."""
    offered = version()
    handled = (1 << RIGHTS_BY_VERSION[min(offered, 5)]) - 1
    words = [handled]
    words += [TCP] if offered >= SCOPES_TCP else []
    words += [FOREIGN_SOCKETS_AND_SIGNALS] if offered >= SCOPES_SIGNALS else []
    attributes = struct.pack(f"<{len(words)}Q", *words)
    ruleset = kernel.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    for path in readable:
        _allow(ruleset, path, READING & handled)
    for path in writable:
        _allow(ruleset, path, handled & ~IOCTL)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not stat.S_ISDIR(os.fstat(opened).st_mode):
        rights &= FILE_RIGHTS
    kernel.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, struct.pack("<Qi", rights, opened), 0)
    os.close(opened)
