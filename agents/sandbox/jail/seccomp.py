"""A filter of system calls: no sockets, no new privileges, no access to other processes."""

import ctypes
import errno
import struct

import kernel

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
SECCOMP_MODE_FILTER = 2

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW = 0x7FFF0000
KILL = 0x80000000
ERRNO = 0x00050000
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_FIRST_ARGUMENT = 0, 4, 16

NEW_NAMESPACE = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | 0x02000000
)  # fmt: skip

# name: (x86_64, aarch64). io_uring could open sockets behind the filter's back.
REFUSED = {
    "socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "open_by_handle_at": (304, 265), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
SIGNALS = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
CLONE, CLONE3, PRLIMIT = (56, 220), (435, 435), (302, 261)


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def is_known_machine() -> bool:
    """Whether the numbers above hold for this processor."""
    return kernel.MACHINE in AUDIT_ARCH


def install(*, refuse_signals: bool) -> None:
    """Put the filter on this process and all that come from it. It cannot be taken off."""
    program = b"".join(_program(refuse_signals=refuse_signals))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    installed = _Filter(len(program) // 8, program)
    kernel.prctl(kernel.PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(installed))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _number(pair: tuple[int, int]) -> int:
    return pair[0] if kernel.IS_X86 else pair[1]


def _program(*, refuse_signals: bool) -> list[bytes]:
    refused = [*REFUSED.values(), *(SIGNALS.values() if refuse_signals else ())]
    # Other calling conventions number the calls differently, and would pass by the list.
    native_only = [
        _op(LOAD, OFFSET_ARCH),
        _op(JUMP_EQUAL, AUDIT_ARCH[kernel.MACHINE], 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, OFFSET_NUMBER),
    ]
    if kernel.IS_X86:
        native_only += [_op(JUMP_AT_LEAST, X32_BIT, 0, 1), _op(RETURN, ERRNO | errno.ENOSYS)]
    return [
        *native_only,
        *(op for pair in refused for op in _refuse(pair, errno.EPERM)),
        # glibc falls back to clone, whose flags a filter can see.
        *_refuse(CLONE3, errno.ENOSYS),
        *_refuse_when_argument(CLONE, JUMP_ANY_BIT, NEW_NAMESPACE, refuse_on_match=True),
        *_refuse_when_argument(PRLIMIT, JUMP_EQUAL, 0, refuse_on_match=False),
        _op(RETURN, ALLOW),
    ]


def _refuse(pair: tuple[int, int], error: int) -> list[bytes]:
    return [_op(JUMP_EQUAL, _number(pair), 0, 1), _op(RETURN, ERRNO | error)]


def _refuse_when_argument(
    pair: tuple[int, int], test: int, value: int, *, refuse_on_match: bool
) -> list[bytes]:
    """Judge a call by the low half of its first argument."""
    on_match, otherwise = (0, 1) if refuse_on_match else (1, 0)
    return [
        _op(JUMP_EQUAL, _number(pair), 0, 4),
        _op(LOAD, OFFSET_FIRST_ARGUMENT),
        _op(test, value, on_match, otherwise),
        _op(RETURN, ERRNO | errno.EPERM),
        _op(RETURN, ALLOW),
    ]
