"""Who must follow a change of areas: they know the areas, the areas do not know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from core.policy import Actor


@dataclass(frozen=True)
class Consequence:
    """What a change of areas brings with it elsewhere: a part of a page, and lines of text."""

    template: str
    facts: dict[str, Any]
    lines: tuple[str, ...] = ()


class Follow(Protocol):
    """Does what follows, or with `keep` false only says what it would do."""

    def __call__(
        self, session: Session, *, keep: bool, by: Actor, now: datetime
    ) -> Consequence | None: ...


_following: list[Follow] = []


def after_change(follow: Follow) -> None:
    """Have `follow` called whenever areas were changed; `app.py` names them here."""
    if follow not in _following:
        _following.append(follow)


def consequences(session: Session, *, keep: bool, by: Actor, now: datetime) -> list[Consequence]:
    """Have everybody follow, in the transaction of the change."""
    found = (follow(session, keep=keep, by=by, now=now) for follow in _following)
    return [one for one in found if one is not None]
