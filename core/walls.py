"""What a process may no longer do once it says so: open sockets, and files but those it names.

Two means of Linux that need no rights and that nobody can take back: a filter of system calls
(seccomp) and Landlock, which kernels have since 5.13 (Debian 12 and Ubuntu 22.04 do). They hold
in containers and under systemd, where namespaces may be forbidden. Numbers are those of
`linux/seccomp.h`, `linux/filter.h`, `linux/audit.h` and `linux/landlock.h`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x80000000
# What `uname -m` says: its number in audit.h, and the calls that make a socket or do it unseen:
# socket, io_uring_setup.
CALLS = {"x86_64": (0xC000003E, (41, 425)), "aarch64": (0xC00000B7, (198, 425))}
# On x86_64 a second set of numbers begins here.
X32 = 0x40000000
LOAD, EQUAL, NOT_BELOW, RETURN = 0x20, 0x15, 0x35, 0x06

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
READ = 1 << 2 | 1 << 3
# All but the rights to execute, to make devices, sockets and pipes.
WRITE = READ | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 14
FILE_ONLY = 1 << 1 | 1 << 2 | 1 << 14

# A path.
Place = os.PathLike[str] | str

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def forbid_sockets() -> bool:
    """Refuse this process and its children every new socket; whether the machine can do that."""
    known = CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known
    # Each jump says how many lines are left out where the comparison holds, and where not.
    lines = [
        (LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0), (NOT_BELOW, len(calls), 0, X32),
        *((EQUAL, len(calls) - place - 1, int(place == len(calls) - 1), call)
          for place, call in enumerate(calls)),
        (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    packed = b"".join(struct.pack("HBBI", *line) for line in lines)
    text = ctypes.create_string_buffer(packed)
    program = ctypes.create_string_buffer(struct.pack("HL", len(lines), ctypes.addressof(text)))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0)


def landlock_version() -> int:
    """Which Landlock the kernel has, 0 for none."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def open_only(reads: Iterable[Place], writes: Iterable[Place] = ()) -> bool:
    """Refuse this process and its children all files but these, and those below these folders.

    Whoever holds a file open keeps it. Returns whether the machine can do that; raises `OSError`
    where it can and refuses.
    """
    version = landlock_version()
    if version == 0:
        return False
    # Moving between folders came with version 2, truncating with 3.
    known = (1 << {1: 13, 2: 14}.get(version, 15)) - 1
    rules = _called(CREATE_RULESET, struct.pack("Q", known), ctypes.c_size_t(8), 0)
    try:
        for right, paths in ((READ, reads), (WRITE, writes)):
            for path in paths:
                # Not every machine has every folder that is named.
                with contextlib.suppress(FileNotFoundError):
                    _open(rules, Path(path), right & known)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _called(RESTRICT_SELF, ctypes.c_int(rules), 0)
    finally:
        os.close(rules)
    return True


def _open(rules: int, path: Path, right: int) -> None:
    held = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        right = right if path.is_dir() else right & FILE_ONLY
        _called(ADD_RULE, ctypes.c_int(rules), 1, struct.pack("=Qi", right, held), 0)
    finally:
        os.close(held)


def _called(number: int, *arguments: object) -> int:
    answer = int(libc.syscall(number, *arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer
