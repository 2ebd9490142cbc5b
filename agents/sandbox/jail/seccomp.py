"""A filter of system calls: no sockets, no new privileges, no access to other processes.

Where the program runs as the worker's own user and without namespaces, the kernel itself would let
it change the attributes of that user's files, and Landlock has no word for that. There, changing
attributes succeeds without any effect: `shutil.copy2` and its like go on working.
"""

import ctypes
import errno
import os
import struct

import kernel

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
SECCOMP_MODE_FILTER = 2

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW = 0x7FFF0000
KILL = 0x80000000
ERRNO = 0x00050000
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16
AND = 0x54

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
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190),
    "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "kcmp": (312, 272), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "syslog": (103, 116), "inotify_init1": (294, 26), "inotify_init": (253, None),
    "fanotify_init": (300, 262), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    # Memory that no limit counts.
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
}  # fmt: skip
SIGNALS = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
# Attributes of files, by path or by descriptor.
MODES_AND_TIMES = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
}  # fmt: skip
EXTENDED_ATTRIBUTES = {
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469),
}  # fmt: skip
# They change the process in their first argument, 0 being the caller.
OF_OTHERS = {
    "prlimit64": (302, 261), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}  # fmt: skip
# Their first argument says what the second one means.
PRIORITIES = {"setpriority": ((141, 140), 0), "ioprio_set": ((251, 30), 1)}
CLONE, CLONE3, SOCKETPAIR, FALLOCATE = (56, 220), (435, 435), (53, 199), (285, 47)
SENDMSG, SENDMMSG = (46, 211), (307, 269)
FCNTL, IOCTL, PRCTL = (72, 25), (16, 29), (157, 167)
OPEN, OPENAT, OPENAT2, TRUNCATE = (2, None), (257, 56), (437, 437), (76, 45)
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR = 0x40086602, 0x401C5820
DATAGRAM_BIT = 2
WRITES_OR_TRUNCATES = os.O_ACCMODE | os.O_TRUNC


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def is_known_machine() -> bool:
    """Whether the numbers above hold for this processor."""
    return kernel.MACHINE in AUDIT_ARCH


def install(*, refuse_signals: bool, watched: bool, shares_user: bool, truncates: bool) -> None:
    """Put the filter on this process and all that come from it. It cannot be taken off.

    `watched`: files stay where they can be measured. `shares_user`: attributes of files are left
    as they are. `truncates`: Landlock here lets files be cut that it lets nobody write.
    """
    program = [
        *_native_only(),
        *(op for pair in REFUSED.values() for op in _refuse(pair, errno.EPERM)),
        # glibc falls back to clone, whose flags a filter can see.
        *_refuse(CLONE3, errno.ENOSYS),
        *_refuse_bits(CLONE, 0, NEW_NAMESPACE),
        # To send to a named socket of another program it would take one of this kind.
        *_refuse_bits(SOCKETPAIR, 1, DATAGRAM_BIT),
        *_others_and_priorities(),
        # A signal by way of a descriptor.
        *_refuse_values(FCNTL, 1, (F_SETOWN, F_SETSIG, F_SETOWN_EX)),
        *_refuse_values(IOCTL, 1, (FIOSETOWN, SIOCSPGRP)),
    ]
    if refuse_signals:
        program += [op for pair in SIGNALS.values() for op in _refuse(pair, errno.EPERM)]
    if watched:
        # What a process holds open has to stay visible: not in hiding, and not on its way.
        program += _refuse_values(PRCTL, 0, (kernel.PR_SET_DUMPABLE,))
        program += [*_refuse(SENDMSG, errno.EPERM), *_refuse(SENDMMSG, errno.EPERM)]
        program += _refuse(FALLOCATE, errno.EOPNOTSUPP)
    if shares_user:
        program += [op for pair in MODES_AND_TIMES.values() for op in _refuse(pair, 0)]
        for pair in EXTENDED_ATTRIBUTES.values():
            program += _refuse(pair, errno.EOPNOTSUPP)
        program += _refuse_values(IOCTL, 1, (FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR))
    if truncates:
        program += [*_refuse(TRUNCATE, errno.EPERM), *_refuse(OPENAT2, errno.ENOSYS)]
        program += [*_refuse_cutting(OPEN, 1), *_refuse_cutting(OPENAT, 2)]
    whole = b"".join([*program, _op(RETURN, ALLOW)])
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    installed = _Filter(len(whole) // 8, whole)
    kernel.prctl(kernel.PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(installed))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _native_only() -> list[bytes]:
    """Other calling conventions number the calls differently, and would pass by the lists."""
    checks = [
        _op(LOAD, OFFSET_ARCH),
        _op(JUMP_EQUAL, AUDIT_ARCH[kernel.MACHINE], 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, OFFSET_NUMBER),
    ]
    if kernel.IS_X86:
        checks += [_op(JUMP_AT_LEAST, X32_BIT, 0, 1), _op(RETURN, ERRNO | errno.ENOSYS)]
    return checks


def _others_and_priorities() -> list[bytes]:
    """A process may change itself alone."""
    itself = _op(JUMP_EQUAL, 0, 1, 0)
    program = []
    for pair in OF_OTHERS.values():
        program += _when(pair, [_argument(0), itself, _op(RETURN, ERRNO | errno.EPERM)])
    for pair, of_process in PRIORITIES.values():
        program += _when(
            pair,
            [
                _argument(0),
                _op(JUMP_EQUAL, of_process, 0, 2),
                _argument(1),
                itself,
                _op(RETURN, ERRNO | errno.EPERM),
            ],
        )
    return program


def _when(pair: tuple[int, int | None], judgement: list[bytes]) -> list[bytes]:
    """For one call: a judgement that returns, or falls through to a call that is allowed on."""
    if _number(pair) is None:
        return []
    judgement = [*judgement, _op(LOAD, OFFSET_NUMBER)]
    return [_op(JUMP_EQUAL, _number(pair), 0, len(judgement)), *judgement]


def _argument(place: int) -> bytes:
    """Its low half, which is all that these calls look at."""
    return _op(LOAD, OFFSET_ARGUMENTS + 8 * place)


def _number(pair: tuple[int | None, int | None]) -> int | None:
    return pair[0] if kernel.IS_X86 else pair[1]


def _refuse(pair: tuple[int, int | None], error: int) -> list[bytes]:
    """With the error; 0 says that it was done, though it was not."""
    return _when(pair, [_op(RETURN, ERRNO | error)])


def _refuse_bits(pair: tuple[int, int], place: int, bits: int) -> list[bytes]:
    judgement = [_argument(place), _op(JUMP_ANY_BIT, bits, 0, 1)]
    return _when(pair, [*judgement, _op(RETURN, ERRNO | errno.EPERM)])


def _refuse_values(pair: tuple[int, int], place: int, values: tuple[int, ...]) -> list[bytes]:
    judgement = [_argument(place)]
    for value in values:
        judgement += [_op(JUMP_EQUAL, value, 0, 1), _op(RETURN, ERRNO | errno.EPERM)]
    return _when(pair, judgement)


def _refuse_cutting(pair: tuple[int, int | None], place: int) -> list[bytes]:
    """To open for reading, and cut: what Landlock takes for reading alone."""
    judgement = [
        _argument(place),
        _op(AND, WRITES_OR_TRUNCATES),
        _op(JUMP_EQUAL, os.O_TRUNC, 0, 1),
        _op(RETURN, ERRNO | errno.EPERM),
    ]
    return _when(pair, judgement)
