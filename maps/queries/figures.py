"""What the statistics count of each commune as of today: kept where nothing has changed since,
else counted anew by the very statement of the statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from areas.models import Area
from core.policy import Actor
from inspections.queries.statistics import Scope, towers_on
from inspections.rules.statistics import COMMUNE_FIGURES, Numbers
from maps.models import commune_change, commune_figure
from towers.models import Tower
from towers.policy import counted
from towers.queries import Filters

COUNTED = tuple(commune_figure.c[name] for name in COMMUNE_FIGURES)


@dataclass(frozen=True)
class Figures:
    """The numbers of communes with towers, by code, and of the towers that stand in none."""

    communes: Sequence[tuple[Area, Numbers]]
    outside: Numbers

    @property
    def whole(self) -> Numbers:
        every = [self.outside, *(numbers for _, numbers in self.communes)]
        return Numbers(
            **{name: sum(getattr(one, name) for one in every) for name in COMMUNE_FIGURES}
        )


def which_towers(filters: Filters) -> Filters:
    """The filters without those that ask for a state.

    A share of the towers in some state among the towers in that state would say nothing; and which
    towers stand is a matter of the statistics.
    """
    return replace(
        filters,
        condition=(),
        severity=(),
        overdue=False,
        due_within=None,
        lifecycle=(),
        include_dismantled=False,
        inspection_due_before=None,
    )


def by_commune(
    session: Session, actor: Actor, filters: Filters, *, today: date, zone: ZoneInfo
) -> Figures:
    """The numbers of the towers that the reader may see, as of today."""
    wanted = which_towers(filters)
    if wanted == Filters():
        found = dict(_kept_or_counted(session, actor, today, zone))
    else:
        found = dict(_counted(session, Scope(actor, wanted, today, zone)))
    outside = found.pop(None, Numbers())
    areas = session.scalars(select(Area).where(Area.id.in_(found)).order_by(Area.code, Area.id))
    return Figures([(area, found[area.id]) for area in areas if found[area.id].towers], outside)


def _kept_or_counted(
    session: Session, actor: Actor, today: date, zone: ZoneInfo
) -> Iterator[tuple[int | None, Numbers]]:
    changed = outdated(session, today)
    mine = counted(actor, commune_figure.c.commune_id)
    for key, *numbers in session.execute(select(commune_figure.c.commune_id, *COUNTED).where(mine)):
        if key not in changed:
            yield key, _numbers(numbers)
    yield from count(session, actor, changed, today=today, zone=zone)


def outdated(session: Session, today: date) -> set[int | None]:
    """The communes whose kept figures do not count: changed since, or of another day.

    What is found here is counted after it, so it may be newer, never older.
    """
    other_days = select(commune_figure.c.commune_id).where(commune_figure.c.day != today)
    changed = select(commune_change.c.commune_id)
    return set(session.scalars(changed.union(other_days)))


def count(
    session: Session, actor: Actor, communes: set[int | None], *, today: date, zone: ZoneInfo
) -> Iterator[tuple[int | None, Numbers]]:
    """The numbers of some communes, as the statistics count them; nothing of one without towers."""
    if not communes:
        return
    numbered = sorted(one for one in communes if one is not None)
    places: list[ColumnElement[bool]] = [Tower.commune_id.in_(numbered)]
    if None in communes:
        places.append(Tower.commune_id.is_(None))
    yield from _counted(session, Scope(actor, Filters(), today, zone, (or_(*places),)))


def _counted(session: Session, scope: Scope) -> Iterator[tuple[int | None, Numbers]]:
    each = towers_on(scope, scope.today, Tower.commune_id).subquery("each")
    numbers = [each.c[name] for name in COMMUNE_FIGURES]
    for key, *found in session.execute(select(each.c.key, *numbers).where(~each.c.whole)):
        yield key, _numbers(found)


def _numbers(found: Sequence[Any]) -> Numbers:
    return Numbers(**{name: int(one) for name, one in zip(COMMUNE_FIGURES, found, strict=True)})
