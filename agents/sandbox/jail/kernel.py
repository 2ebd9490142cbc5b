"""System calls that Python does not offer. Each raises OSError with the kernel's reason."""

import ctypes
import os
import platform
import struct

MACHINE = platform.machine()
IS_X86 = MACHINE == "x86_64"

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
AT_FDCWD = -100
AT_RECURSIVE = 0x8000

NR_PIVOT_ROOT = 155 if IS_X86 else 41
NR_MOUNT_SETATTR = 442

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: object) -> int:
    """A raw system call; integers are passed as C longs."""
    whole = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *whole))


def prctl(option: int, value: object, *more: object) -> None:
    """prctl(2) with the unused arguments zero, as the kernel demands."""
    padded = [value, *more, 0, 0, 0][:4]
    whole = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded]
    _checked(_libc.prctl(option, *whole))


def unshare(flags: int) -> None:
    """Leave the namespaces named by the flags for fresh ones."""
    _checked(_libc.unshare(flags))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    _checked(
        _libc.mount(
            os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags),
            options.encode(),
        )
    )  # fmt: skip


def make_read_only(target: str, *, devices: bool = False, recursive: bool = True) -> None:
    """Turn a mount (and what is mounted beneath) read-only, without set-user-id programs."""
    flags = MS_RDONLY | MS_NOSUID | (0 if devices else MS_NODEV)
    attributes = struct.pack("<4Q", flags, 0, 0, 0)
    depth = AT_RECURSIVE if recursive else 0
    syscall(NR_MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), depth, attributes, len(attributes))


def change_root(new_root: str) -> None:
    """Make `new_root` the only file system there is; the old one is gone from sight."""
    os.chdir(new_root)
    syscall(NR_PIVOT_ROOT, b".", b".")
    _checked(_libc.umount2(b".", MNT_DETACH))
    os.chdir("/")
