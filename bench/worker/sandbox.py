"""Closes a process that runs foreign code: no network, no writing outside one folder, no reach into other processes.

It calls the kernel itself, since it runs before any library is loaded and in interpreters that have none: Landlock for files,
signals and other processes' memory, seccomp for what Landlock does not know. What is closed stays closed for whatever the
process starts. It must never stop where the kernel lacks something: what is left open is told, not hidden.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import NamedTuple

DEVICES = ("/dev/null", "/dev/zero", "/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/accel")
"""What may be written to beside the folder; all but the first two are accelerators."""
CACHES = (
    "TMPDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUPY_CACHE_DIR",
    "CUDA_CACHE_PATH",
)  # fmt: skip
"""Variables that name the folder in which a library keeps what it has compiled, or anybody a temporary file."""

SET_NO_NEW_PRIVILEGES = 38  # <linux/prctl.h>
CAPABILITIES = 0x20080522  # <linux/capability.h>: the third version of its structures
DAC_OVERRIDE = 1 << 1
"""By which root reads what belongs to others; it writes nothing where Landlock forbids it."""

ABI_VERSION, BENEATH = 1, 1  # <linux/landlock.h>
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every architecture
WRITE, MAKE_AND_REMOVE, LINK_AND_RENAME, TRUNCATE, CONTROL = 1 << 1, 0b1_1111_1111 << 4, 1 << 13, 1 << 14, 1 << 15
SIGNALS = 1 << 1

SET_FILTER, KEEP_SPECULATION = 1, 4  # <linux/seccomp.h>; without the second, older kernels slow down every store
ALLOW, REFUSE, IGNORE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050000, 0x00050026  # EPERM, success without effect, ENOSYS
LOAD, MASK, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # <linux/filter.h>
INSTRUCTION = struct.Struct("=HBBI")  # its code, how many to pass over if a test holds and if not, its constant
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # struct seccomp_data
X32 = 0x40000000
"""From here on x86-64 counts its system calls a second time."""


class Architecture(NamedTuple):
    """What a filter has to know of one; `column` is that of its numbers below."""

    audit: int
    seccomp: int
    capset: int
    column: int


ARCHITECTURES = {"x86_64": Architecture(0xC000003E, 317, 126, 0), "aarch64": Architecture(0xC00000B7, 277, 91, 1)}


class Only(NamedTuple):
    """The values that an argument may have, of its bits in `mask`."""

    argument: int
    values: tuple[int, ...] = (0,)
    mask: int = 0xFFFFFFFF


REFUSED = {
    "connect": (42, 203), "io_uring_setup": (425, 425),  # the latter opens sockets past any filter
    "setsid": (112, 157), "setpgid": (109, 154),  # by its process group it is ended
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),  # memory and queues that are no files
}  # fmt: skip
IGNORED = {
    "sched_setaffinity": (203, 122),  # Intel's OpenMP gives each thread the CPUs that it has, and ends the process on an error
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "fchown": (93, 55), "fchownat": (260, 54),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
    "chmod": (90,), "chown": (92,), "lchown": (94,), "utime": (132,), "utimes": (235,), "futimesat": (261,),  # not on aarch64
}  # fmt: skip
"""Answered as if done. Modes, owners, times and attributes of any file: who copies one sets them, and needs none."""
OWN = {"prlimit64": (302, 261), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274)}
SOCKETS = {"socket": (41, 198), "socketpair": (53, 199)}
LIMITED = {
    **{numbers: (Only(0),) for numbers in OWN.values()},  # which process: 0 is the caller's
    **{numbers: (Only(0, (1,)), Only(1, (1, 5), 0xF)) for numbers in SOCKETS.values()},  # local, between two ends: see below
    (141, 140): (Only(0), Only(1)),  # setpriority
    (251, 30): (Only(0, (1,)), Only(1)),  # ioprio_set
}
"""Refused unless its arguments are these. CUDA's driver opens local sockets; datagrams could name another program's."""


def environment(writable: str) -> dict[str, str]:
    """Variables for a process that is to `enter(writable)`; they are read when it and its libraries start."""
    return dict.fromkeys(CACHES, writable)


def enter(writable: str) -> list[str]:
    """Closes this process for good, and whatever it starts; a phrase for each thing that could not be closed.

    Only the thread that calls it is closed, so it comes before anything that starts one.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    architecture = ARCHITECTURES.get(platform.machine())
    return [
        *_drop_capabilities(libc, architecture),
        *_restrict(libc, writable),
        *_filter(libc, architecture),
        *(["threads that were started before"] if len(os.listdir("/proc/self/task")) > 1 else []),
    ]


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """The result of a system call. Raises `OSError`."""
    result = libc.syscall(*(ctypes.c_long(each) if isinstance(each, int) else each for each in (number, *arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def _drop_capabilities(libc: ctypes.CDLL, architecture: Architecture | None) -> Iterator[str]:
    """Root could set the clock, raise its own limits again, and read what other processes have in memory."""
    held = int(Path("/proc/self/status").read_text().split("CapPrm:")[1].split()[0], 16)
    kept = held & DAC_OVERRIDE
    if held == kept:
        return
    try:
        number = _known(architecture).capset
        _call(libc, number, struct.pack("=Ii", CAPABILITIES, 0), struct.pack("=6I", kept, kept, 0, 0, 0, 0))
    except OSError as error:
        yield f"what only root may do (capset: {error.strerror})"


def _restrict(libc: ctypes.CDLL, writable: str) -> Iterator[str]:
    try:
        abi = _call(libc, CREATE_RULESET, None, 0, ABI_VERSION)
        writing = WRITE | MAKE_AND_REMOVE
        for since, right in ((2, LINK_AND_RENAME), (3, TRUNCATE), (5, CONTROL)):
            writing |= right if abi >= since else 0
        attributes = struct.pack("=3Q", writing, 0, SIGNALS if abi >= 6 else 0)  # sockets are left to seccomp
        ruleset = _call(libc, CREATE_RULESET, attributes, len(attributes), 0)
        try:
            _allow(libc, ruleset, writing, writable)
            for device in (name for pattern in DEVICES for name in glob(pattern)):
                _allow(libc, ruleset, writing & (WRITE | CONTROL), device)
            _call(libc, RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)
    except OSError as error:
        yield f"writing outside its folder, other processes' memory and signals (Landlock: {error.strerror})"
        return
    if abi < 3:
        yield "emptying files outside its folder (needs Linux 6.2)"
    if abi < 6:
        yield "signals to other processes (needs Linux 6.12)"


def _allow(libc: ctypes.CDLL, ruleset: int, rights: int, path: str) -> None:
    place = os.open(path, os.O_PATH)
    try:
        _call(libc, ADD_RULE, ruleset, BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _filter(libc: ctypes.CDLL, architecture: Architecture | None) -> Iterator[str]:
    try:
        program = b"".join(_program(_known(architecture)))
        text = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("@HP", len(program) // INSTRUCTION.size, ctypes.addressof(text))
        _call(libc, _known(architecture).seccomp, SET_FILTER, KEEP_SPECULATION, header)
    except OSError as error:
        yield f"the network, its CPUs and process group, others' limits and priorities (seccomp: {error.strerror})"


def _known(architecture: Architecture | None) -> Architecture:
    if architecture is None:
        raise OSError(0, f"its numbers on {platform.machine()} are not known here")
    return architecture


def _program(architecture: Architecture) -> Iterator[bytes]:
    """Tests of a system call's number, one after the other; each ends in an answer or goes on behind it."""
    column, pack = architecture.column, INSTRUCTION.pack
    yield pack(LOAD, 0, 0, ARCHITECTURE_AT) + pack(EQUAL, 1, 0, architecture.audit) + pack(RETURN, 0, 0, UNKNOWN)
    yield pack(LOAD, 0, 0, NUMBER_AT) + pack(AT_LEAST, 0, 1, X32) + pack(RETURN, 0, 0, UNKNOWN)
    for calls, answer in ((REFUSED, REFUSE), (IGNORED, IGNORE)):
        for numbers in calls.values():
            for number in numbers[column : column + 1]:
                yield pack(EQUAL, 0, 1, number) + pack(RETURN, 0, 0, answer)
    for numbers, conditions in LIMITED.items():
        checked = b"".join(map(_unless, conditions)) + pack(RETURN, 0, 0, ALLOW)
        yield pack(EQUAL, 0, len(checked) // INSTRUCTION.size, numbers[column]) + checked
    yield pack(RETURN, 0, 0, ALLOW)


def _unless(only: Only) -> bytes:
    """Refuses the call unless the condition holds; of these arguments the kernel, too, reads the lower half alone."""
    pack = INSTRUCTION.pack
    tests = [pack(EQUAL, left, 0, value) for left, value in zip(range(len(only.values), 0, -1), only.values, strict=True)]
    loaded = pack(LOAD, 0, 0, ARGUMENTS_AT + 8 * only.argument) + pack(MASK, 0, 0, only.mask)
    return loaded + b"".join(tests) + pack(RETURN, 0, 0, REFUSE)
