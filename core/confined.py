"""Programs that read other people's files, each in a process of its own with limits.

A file can be made to eat memory, to turn for ever or to crash a library. Then its process ends
and the reader gets a sentence; the service goes on. Such a program has a function `answers` that
yields JSON values; `core.confined_child` sets the limits before it is called.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import orjson
import structlog

from core.confined_child import TOO_MUCH_MEMORY
from core.errors import BY_STATUS, DomainError, Invalid
from core.settings import ROOT
from core.words import N_

MEMORY_BYTES = 1_200_000_000
CPU_SECONDS = 300
# How long one answer may take; a reader that is slow itself does not count.
PATIENCE_SECONDS = 120.0
# One answer is a batch of rows or one large geometry.
MAX_ANSWER_BYTES = 100_000_000

CRASHED = N_("The file cannot be read: it is damaged, or made to do harm")
TOO_LONG = N_("The file cannot be read: reading it takes too long")

START = "import sys; from core.confined_child import main; sys.exit(main(sys.argv[1:]))"


def answers(
    program: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    written_bytes: int = 100_000,
    cpu_seconds: int = CPU_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
    reads: Iterable[Path | str] = (),
    writes: Iterable[Path | str] = (),
) -> Generator[Any]:
    """What the module `program` answers, one by one, as it comes; the process ends with them.

    Raises the `DomainError` that the program refuses with, and `Invalid` where it crashes, takes
    too long or too much memory. `written_bytes` is how large a file it may write. It knows
    nothing of our environment but `environment`, opens no socket and no files but its libraries,
    `reads` and `writes` (files, or folders with all that they hold), and ends when this process
    does.
    """
    limits = {
        "parent": os.getpid(),
        "memory_bytes": memory_bytes,
        "written_bytes": written_bytes,
        "cpu_seconds": cpu_seconds,
        "reads": [str(one) for one in reads],
        "writes": [str(one) for one in writes],
    }
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", START, json.dumps(limits), program, *arguments],
            cwd=ROOT,
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
                # Each thread of theirs would ask for memory of its own.
                "OPENBLAS_NUM_THREADS": "1",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        try:
            assert process.stdout is not None
            for line in _lines(process.stdout, patience_seconds):
                answer = orjson.loads(line)
                if "answer" in answer:
                    yield answer["answer"]
                elif "refused" in answer:
                    message, status, facts = answer["refused"]
                    kind: type[DomainError] = BY_STATUS[status]
                    raise kind(message, **facts)
                else:
                    return
            process.wait(timeout=10)
            raise Invalid(_why(process, said))
        except subprocess.TimeoutExpired as error:
            raise Invalid(TOO_LONG) from error
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _lines(pipe: IO[bytes], patience: float) -> Iterator[bytes]:
    """The lines of a pipe; raises `Invalid` when one is late or has no end."""
    parts: list[bytes] = []
    waiting = 0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        deadline = time.monotonic() + patience
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise Invalid(TOO_LONG)
            part = os.read(pipe.fileno(), 1 << 20)
            if not part:
                return
            *whole, rest = part.split(b"\n")
            if whole:
                parts.append(whole[0])
                yield b"".join(parts)
                yield from whole[1:]
                parts, waiting = [], 0
                deadline = time.monotonic() + patience
            parts.append(rest)
            waiting += len(rest)
            if waiting > MAX_ANSWER_BYTES:
                raise Invalid(TOO_MUCH_MEMORY)


def _why(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 2000))
    last = said.read().decode(errors="replace")
    structlog.get_logger().warning(
        "confined program ended", program=process.args, code=process.returncode, said=last
    )
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return TOO_LONG
    return CRASHED
