"""Templates compiled once for all processes of a user, as Python's modules are.

Each process of a server, each worker and command took some 20 ms for each template at its first
page: three seconds for all of them.
"""

from __future__ import annotations

import contextlib

from flask import Flask
from jinja2.bccache import Bucket, FileSystemBytecodeCache


class Compiled(FileSystemBytecodeCache):
    """The library's folder for this user alone; a full disk leaves pages as they were."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def init_app(app: Flask) -> None:
    """Keep what is compiled, unless there is no safe place for it."""
    with contextlib.suppress(OSError, RuntimeError):
        app.jinja_env.bytecode_cache = Compiled()
