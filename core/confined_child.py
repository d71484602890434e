"""Limit this process, then run a program that reads somebody's file; `core.confined` starts it.

One line of JSON an answer on standard output; the last one is empty or says why not. This module
imports nothing of ours but words, so that such a process begins quickly.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from typing import Any

import orjson

from core.words import N_

TOO_MUCH_MEMORY = N_("The file cannot be read: reading it takes too much memory")
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


class Refused(Exception):
    """Raised by a confined program: the reader gets the domain error with this status."""

    def __init__(self, message: str, *, status: int = 422, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.facts = facts


def confine(limits: dict[str, int]) -> None:
    """Nothing that follows can use more than this, outlive its parent or reach a network."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != limits["parent"]:
        os._exit(1)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # A network of its own has no way out. Some machines forbid even that to everybody but root:
    # there, the settings and drivers of the program are the only wall.
    if libc.unshare(CLONE_NEWNET):
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["written_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def main(arguments: list[str]) -> int:
    """Run the program that the arguments name; returns the exit code."""
    confine(json.loads(arguments[0]))
    try:
        for answer in importlib.import_module(arguments[1]).answers(*arguments[2:]):
            say({"answer": answer})
    except Refused as error:
        say({"refused": [error.message, error.status, error.facts]})
    except MemoryError:
        say({"refused": [TOO_MUCH_MEMORY, 422, {}]})
    else:
        say({})
    return 0


def say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line))
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
