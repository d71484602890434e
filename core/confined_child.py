"""Limit this process, then run a program that reads somebody's file; `core.confined` starts it.

One line of JSON an answer on standard output; the last one is empty or says why not. This module
imports next to nothing of ours, so that such a process begins quickly.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mimetypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import orjson

from core import walls
from core.words import N_

TOO_MUCH_MEMORY = N_("The file cannot be read: reading it takes too much memory")
PR_SET_PDEATHSIG = 1
# Where libraries and what they look up are, beside the path of Python itself.
LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share",
    "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", *mimetypes.knownfiles,
)  # fmt: skip


class Refused(Exception):
    """Raised by a confined program: the reader gets the domain error with this status."""

    def __init__(self, message: str, *, status: int = 422, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.facts = facts


def confine(limits: dict[str, Any]) -> None:
    """Nothing that follows can use more than this, outlive its parent, reach a network or a file.

    A kernel may be too old for the last two: `core.serve` says so when it starts.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != limits["parent"]:
        os._exit(1)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["written_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    walls.forbid_sockets()
    # The folder of the project, which is the empty path, may hold the instance too.
    libraries = [*filter(None, sys.path), *LIBRARIES, str(Path(__file__).parent)]
    walls.open_only([*libraries, *limits["reads"]], ["/dev/null", *limits["writes"]])


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
