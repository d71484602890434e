"""Templates compiled once for all processes of a user, as Python's modules are, and parts of pages
written once for the few values that they are written for.

Each process of a server, each worker and command took some 20 ms for each template at its first
page: three seconds for all of them. The rows of a list and the choices of its filters were a third
of a page's time, and most of them are looked at again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from functools import partial
from threading import Lock
from typing import Any

from cachetools import LRUCache
from flask import Flask
from jinja2.bccache import Bucket, FileSystemBytecodeCache
from jinja2.runtime import Macro

from core.i18n import current_language

# Of some hundred bytes each, but those with all communes or owners.
MOST_KEPT = 3_000


class Compiled(FileSystemBytecodeCache):
    """The library's folder for this user alone; a full disk leaves pages as they were."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def once(kept: LRUCache[Hashable, str], lock: Lock, part: Macro, *given: Any) -> str:
    """What a macro writes for these values, from `kept` where it was written before.

    Only for a macro that hangs on what it is given and on the reader's language, nothing else.
    """
    values = tuple(tuple(one) if isinstance(one, list) else one for one in given)
    # A page that imports a macro makes it anew; its code is the same.
    code = part._func.__code__
    key = (code.co_filename, code, current_language(), values)
    try:
        with lock:
            found = kept.get(key)
    except TypeError:  # a list within a row
        return part(*given)
    if found is None:
        found = part(*given)
        with lock:
            kept[key] = found
    return found


def init_app(app: Flask) -> None:
    """Keep what is compiled, unless there is no safe place for it, and what `once` writes."""
    app.jinja_env.globals["once"] = partial(once, LRUCache(MOST_KEPT), Lock())
    with contextlib.suppress(OSError, RuntimeError):
        app.jinja_env.bytecode_cache = Compiled()
