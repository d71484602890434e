"""Which area a text of a list means: by code, or by name with and without marks and type word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from areas.models import Area
from areas.naming import code_forms, likeness, rank, readings, split_context, unmarked
from areas.queries import valid_on
from areas.rules import AROUND

MAX_TEXT = 300


@dataclass(frozen=True)
class Match:
    """The areas that a text may mean: one, several (it is ambiguous) or none.

    `exact` is false where marks or the type word had to be overlooked to find them.
    """

    areas: tuple[Area, ...] = ()
    exact: bool = True

    @property
    def one(self) -> Area | None:
        return self.areas[0] if len(self.areas) == 1 else None

    @property
    def ambiguous(self) -> bool:
        return len(self.areas) > 1


def match_area(
    session: Session,
    text: str,
    *,
    level: str,
    day: date | None = None,
    within: Area | str | None = None,
) -> Match:
    """The areas of a level that a text means on a day, or on any day without one.

    `within` is what lies around it: an area, or a text such as `huyện Châu Thành, Tiền Giang`. The
    text itself may go on with it behind a comma. A code without a day may have been carried by
    different areas, and then all of them are returned.
    """
    name, behind = split_context(text[:MAX_TEXT])
    found = _by_code(session, name, level, day)
    if not found.areas:
        found = _by_name(session, name, level, day)
    for context in (behind, within):
        if context:
            found = Match(
                tuple(area for area in found.areas if lies_within(area, context)), found.exact
            )
    return found


def lies_within(area: Area, context: Area | str) -> bool:
    """Whether everything that a context names lies around an area; a code names it too."""
    if isinstance(context, Area):
        return context.id in {one.id for one in area.ancestors}
    parts = [part for part in context.split(",") if part.strip()]
    return all(
        any(
            one.code in code_forms(part, one.level)
            or likeness(part, one.name, one.level) is not None
            for one in area.ancestors
        )
        for part in parts
    )


def _by_code(session: Session, text: str, level: str, day: date | None) -> Match:
    codes = code_forms(text, level)
    if not codes:
        return Match()
    return Match(tuple(_found(session, level, day, Area.code.in_(codes))))


def _by_name(session: Session, text: str, level: str, day: date | None) -> Match:
    # The database narrows it down without marks; the rules decide.
    ends = {unmarked(reading.name) for reading in readings(text, level)} - {""}
    if not ends:
        return Match()
    last_words = {end.split()[-1] for end in ends}
    candidates = _found(
        session,
        level,
        day,
        or_(*(func.strpos(func.search_form(Area.name), word) > 0 for word in last_words)),
    )
    likely = [(area, likeness(text, area.name, level)) for area in candidates]
    named = [(area, one) for area, one in likely if one is not None]
    if not named:
        return Match()
    best = min((one for _, one in named), key=rank)
    return Match(tuple(area for area, one in named if one == best), best.exact)


def _found(session: Session, level: str, day: date | None, wanted) -> Sequence[Area]:
    statement = select(Area).where(Area.level == level, wanted)
    if day is not None:
        statement = statement.where(valid_on(day))
    if AROUND[level]:
        statement = statement.options(joinedload(Area.parent).joinedload(Area.parent))
    return session.scalars(statement.order_by(Area.code, Area.valid_from, Area.id)).all()
