"""Campaigns: their states, where an assignment stands on a day, and who gets which communes."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """Why towers are inspected; an inspection has the same words."""

    PERIODIC = "periodic"
    CAMPAIGN = "campaign"
    COMPLAINT = "complaint"
    AFTER_STORM = "after_storm"
    REINSPECTION = "reinspection"


class State(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    CLOSED = "closed"
    CANCELLED = "cancelled"


# What may follow a state. A closed campaign may go on; a cancelled one is over.
NEXT: Mapping[State, tuple[State, ...]] = {
    State.PLANNED: (State.RUNNING, State.CANCELLED),
    State.RUNNING: (State.CLOSED, State.CANCELLED),
    State.CLOSED: (State.RUNNING,),
    State.CANCELLED: (),
}
# While a campaign is one of these, its towers and inspectors may change.
OPEN = frozenset({State.PLANNED, State.RUNNING})


class Standing(StrEnum):
    """Where an assignment stands on a day."""

    UNASSIGNED = "unassigned"
    ASSIGNED = "assigned"
    OVERDUE = "overdue"
    DONE = "done"


OPEN_STANDINGS = (Standing.OVERDUE, Standing.ASSIGNED, Standing.UNASSIGNED)


class Ending(StrEnum):
    """Why a tower no longer stands in a campaign, or an inspector no longer has it."""

    REASSIGNED = "reassigned"
    REMOVED = "removed"
    CANCELLED = "cancelled"
    MERGED = "merged"


class Work(StrEnum):
    """What is done to so many towers of a campaign at once that the worker does it."""

    ADD = "add"
    SHARE = "share"
    EDIT = "edit"
    CANCEL = "cancel"


def standing(*, done: bool, assigned: bool, due_on: date, today: date) -> Standing:
    """The day on which it is due is still in time; whom nobody has can be late too."""
    if done:
        return Standing.DONE
    if due_on < today:
        return Standing.OVERDUE
    return Standing.ASSIGNED if assigned else Standing.UNASSIGNED


@dataclass(frozen=True)
class Worker:
    """An inspector among whom towers are shared out.

    `communes` is the territory as area ids, `None` for everywhere; `load` is how many open
    assignments there are already.
    """

    id: uuid.UUID
    communes: Collection[int] | None
    load: int = 0

    def reaches(self, commune: int | None) -> bool:
        return self.communes is None or commune in self.communes


def shared_out(
    towers: Mapping[int | None, int], workers: Sequence[Worker]
) -> tuple[dict[int | None, uuid.UUID], list[int | None]]:
    """Who gets the towers of which commune, as evenly as whole communes allow.

    `towers` says how many towers each commune has. The largest goes first, each to whoever has
    the fewest by then, of those whose territory it is; of several, whoever reaches the fewest of
    all, since others can take elsewhere. Also returns the communes that nobody of them reaches.
    """
    loads = {worker.id: worker.load for worker in workers}
    reach = {
        one.id: sum(number for at, number in towers.items() if one.reaches(at)) for one in workers
    }
    shares: dict[int | None, uuid.UUID] = {}
    beyond: list[int | None] = []
    for commune, number in sorted(towers.items(), key=lambda one: (-one[1], one[0] or 0)):
        near = [worker for worker in workers if worker.reaches(commune)]
        if not near:
            beyond.append(commune)
            continue
        chosen = min(near, key=lambda worker: (loads[worker.id], reach[worker.id], str(worker.id)))
        shares[commune] = chosen.id
        loads[chosen.id] += number
    return shares, beyond
