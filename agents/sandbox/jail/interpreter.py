"""What of this machine a program needs to see to run on our interpreter: nothing else is paths."""

import os
import site
import sys
import sysconfig

SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/bin", "/usr/share/zoneinfo", "/nix/store",
    "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/localtime",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def program() -> str:
    """The interpreter itself, without the way through a virtual environment."""
    return os.path.realpath(sys.executable)


def readable() -> list[str]:
    """Paths to show, outer ones first, none twice."""
    own = [
        os.path.dirname(program()),
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        os.path.join(sys.base_prefix, "lib"),
    ]
    paths: list[str] = []
    for path in [*SYSTEM, *map(os.path.realpath, own)]:
        if os.path.lexists(path) and not is_beneath(path, paths):
            paths.append(path)
    return paths


def packages() -> list[str]:
    """Folders of installed packages: our own code and libraries, no business of the program."""
    return [path for path in site.getsitepackages() if os.path.isdir(path)]


def is_beneath(path: str, folders: list[str]) -> bool:
    """Whether one of the folders is, or holds, the path."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
