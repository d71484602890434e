"""What a notice can be, and what may be done with it at which state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

MOST_VIOLATIONS = 60


class NoticeState(StrEnum):
    DRAFT = "draft"
    ISSUED = "issued"
    WITHDRAWN = "withdrawn"
    DISCARDED = "discarded"


class NoticeStep(StrEnum):
    CHANGE = "change"
    DISCARD = "discard"
    ISSUE = "issue"
    SERVE = "serve"
    DECIDE = "decide"
    LINK = "link"
    WITHDRAW = "withdraw"


class DocumentForm(StrEnum):
    DOCX = "docx"
    PDF = "pdf"


class ReplyKind(StrEnum):
    CLAIM = "claim"
    EXTENSION = "extension"


_ISSUED = frozenset({NoticeStep.DECIDE, NoticeStep.LINK, NoticeStep.WITHDRAW})
# What can be done with a notice; service is recorded once.
STEPS: Mapping[NoticeState, frozenset[NoticeStep]] = {
    NoticeState.DRAFT: frozenset({NoticeStep.CHANGE, NoticeStep.DISCARD, NoticeStep.ISSUE}),
    NoticeState.ISSUED: _ISSUED | {NoticeStep.SERVE},
    NoticeState.WITHDRAWN: frozenset(),
    NoticeState.DISCARDED: frozenset(),
}


def possible(state: NoticeState, *, served: bool) -> frozenset[NoticeStep]:
    """What can be done with a notice now."""
    return STEPS[state] - ({NoticeStep.SERVE} if served else set())


def reference(number: int, symbol: str) -> str:
    """The number as Vietnamese offices write it: two digits at least, then the symbol."""
    return f"{number:02d}/{symbol}" if symbol else f"{number:02d}"


def written_day(day: date) -> str:
    """A day as it stands at the head of an official document (Nghị định 30/2020/NĐ-CP)."""
    month = f"{day.month:02d}" if day.month < 3 else str(day.month)
    return f"ngày {day.day:02d} tháng {month} năm {day.year}"
