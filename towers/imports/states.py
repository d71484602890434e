"""From the upload of a list to its end: which state follows which."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    IMPORTING = "importing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


# In these a worker has the batch, or should have it.
AT_WORK = frozenset({State.CHECKING, State.IMPORTING})
# From these its columns may be chosen again, and the list be checked.
OPEN = frozenset({State.UPLOADED, State.CHECKED, State.FAILED, State.CANCELLED})


class DuplicateState(StrEnum):
    OPEN = "open"
    UPDATED = "updated"
    REGISTERED = "registered"
    SKIPPED = "skipped"
