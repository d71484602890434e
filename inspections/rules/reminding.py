"""What somebody is reminded of, how a message stands, and when it is tried again."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

# A message that was put off is tried again after these minutes, then every six hours: three days.
PAUSES = (1, 2, 5, 15, 60, 180)
LAST_PAUSE = 360
MOST_ATTEMPTS = 16


class ReminderKind(StrEnum):
    """An emergency is told of when its hours have run out, the others by the calendar."""

    EMERGENCY = "emergency"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    ESCALATED = "escalated"


class Audience(StrEnum):
    """Whom a message is written for."""

    DEPARTMENT = "department"
    OWNER = "owner"


class ReminderState(StrEnum):
    """Obsolete is what nobody needs to hear any more: it was mended, or has another deadline."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    OBSOLETE = "obsolete"


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts that failed."""
    minutes = PAUSES[attempts - 1] if 1 <= attempts <= len(PAUSES) else LAST_PAUSE
    return timedelta(minutes=minutes)
