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
    UNDOING = "undoing"
    UNDONE = "undone"


# In these a worker has the batch, or should have it; what a cancelled one becomes.
AT_WORK = {
    State.CHECKING: State.CANCELLED,
    State.IMPORTING: State.CANCELLED,
    State.UNDOING: State.DONE,
}
# From these its columns may be chosen again, and the list be checked.
OPEN = frozenset({State.UPLOADED, State.CHECKED, State.FAILED, State.CANCELLED})


class DuplicateState(StrEnum):
    OPEN = "open"
    UPDATED = "updated"
    REGISTERED = "registered"
    SKIPPED = "skipped"
