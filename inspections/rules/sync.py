"""What becomes of the operations that a phone sends, and in which order they are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo


class OperationKind(StrEnum):
    INSPECTION = "inspection"
    PROPOSAL = "proposal"
    DISCARD = "discard"


class Verdict(StrEnum):
    """`known` was sent before; `refused` and `retry` leave the phone with its copy."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    REFUSED = "refused"
    REVIEW = "review"
    QUARANTINED = "quarantined"
    RETRY = "retry"


class Reason(StrEnum):
    """Why something from the field waits for staff."""

    DIFFERENT_BODY = "different_body"
    TWO_INSPECTORS = "two_inspectors"
    VIOLATION_ENDED = "violation_ended"
    CHANGED_MEANWHILE = "changed_meanwhile"
    REVOKED_DEVICE = "revoked_device"
    DISABLED_ACCOUNT = "disabled_account"


QUARANTINE = frozenset({Reason.REVOKED_DEVICE, Reason.DISABLED_ACCOUNT})


class ItemState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    KEPT_OTHER = "kept_other"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Clock:
    """A device's clock beside ours: what it said when it sent, and what it was then."""

    device_at: datetime | None
    received_at: datetime

    @property
    def offset_s(self) -> int | None:
        """Seconds by which the device's clock is ahead of ours; `None` where it says nothing."""
        if self.device_at is None:
            return None
        return round((self.device_at - self.received_at).total_seconds())

    def is_skewed(self, limit_s: int) -> bool:
        offset = self.offset_s
        return offset is not None and abs(offset) > limit_s

    def day(self, said: date, zone: ZoneInfo) -> date:
        """The day that a device meant by one of its own, by our clock.

        A day is taken at its noon, so that an offset of some minutes moves none.
        """
        noon = datetime.combine(said, time(12), tzinfo=zone)
        try:
            moved = noon - timedelta(seconds=self.offset_s or 0)
            return moved.astimezone(zone).date()
        except OverflowError:
            return said


def in_order(operations: Sequence[Any]) -> list[Any]:
    """Operations (`made_at`, `id`) as they were made, whatever the order in which they came."""
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(operations, key=lambda one: (one.made_at or last, one.id))


@dataclass(frozen=True)
class Difference:
    """One thing that two bodies of an inspection say differently; an answer where `item` is set.

    `None` is what one of them does not say.
    """

    field: str
    before: Any
    after: Any
    item: str = ""


# What belongs to the sending, and is not said of the tower.
OF_SENDING = frozenset({"id", "answers", "photos", "based_on", "violations", "submit"})


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What differs between two bodies of one inspection: fields, then answers, then photos."""
    names = sorted((before.keys() | after.keys()) - OF_SENDING)
    found = [
        Difference(name, before.get(name), after.get(name))
        for name in names
        if _said(before.get(name)) != _said(after.get(name))
    ]
    old, new = _mapping(before.get("answers")), _mapping(after.get("answers"))
    found += [
        Difference("answers", old.get(key), new.get(key), key)
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    here, there = _photos(before), _photos(after)
    if there - here:
        found.append(Difference("photos", None, len(there - here)))
    return found


def _said(value: Any) -> Any:
    """Nothing, an empty text and an empty list say the same; so do false and nothing."""
    return value or None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _photos(body: Mapping[str, Any]) -> set[str]:
    named = body.get("photos")
    return {
        str(one.get("id"))
        for one in (named if isinstance(named, list) else ())
        if isinstance(one, Mapping)
    }
