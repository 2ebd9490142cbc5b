"""Isolation by namespaces: no network, no other processes, few files."""

import os
import socket

import folder
import interpreter
import kernel

ISOLATED = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)  # fmt: skip
WORK = "/sandbox/work"
SCRATCH = "/sandbox/tmp"
MAX_FILES = 16_384


def leave_host() -> None:
    """Enter fresh namespaces; an ordinary user does it by a user namespace of its own."""
    if os.getuid() == 0:
        kernel.unshare(ISOLATED)
        return
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER | ISOLATED)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def build_root(*, mount_point: str, disk_megabytes: int, owner: int | None) -> None:
    """Replace the file system: system paths read-only, one small writable place in memory."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", mount_point, "tmpfs", kernel.MS_NOSUID, "size=1m,mode=755")
    for path in interpreter.readable():
        _show(path, mount_point)
    for path in interpreter.packages():
        if os.path.isdir(mount_point + path):
            kernel.mount("tmpfs", mount_point + path, "tmpfs", kernel.MS_RDONLY, "size=4k,mode=755")
    for path in interpreter.DEVICES:
        _bind(path, mount_point + path, devices=True)
    # The writable place: a folder for the program's files, and one for temporary ones.
    os.mkdir(mount_point + "/sandbox")
    kernel.mount(
        "tmpfs", mount_point + "/sandbox", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV,
        f"size={disk_megabytes}m,nr_inodes={MAX_FILES},mode=755",
    )  # fmt: skip
    os.mkdir(mount_point + WORK)
    os.mkdir(mount_point + SCRATCH)
    if owner is not None:
        folder.give_away(mount_point + "/sandbox", owner)
    os.symlink(SCRATCH, mount_point + "/tmp")  # noqa: S108  (inside)
    os.symlink(SCRATCH, mount_point + "/dev/shm")  # noqa: S108
    kernel.change_root(mount_point)
    kernel.make_read_only("/", recursive=False, devices=True)
    socket.sethostname("sandbox")


def _write(path: str, text: str) -> None:
    with open(path, "w") as stream:
        stream.write(text)


def _show(path: str, root: str) -> None:
    if os.path.islink(path):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(os.readlink(path), root + path)
    else:
        _bind(path, root + path)


def _bind(source: str, target: str, *, devices: bool = False) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.make_read_only(target, devices=devices)
