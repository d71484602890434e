"""Loading administrative areas: all of a file or nothing of it, and what follows from it.

A known code gets its new boundary in place where the file says the same beginning; a later one
ends the known area the day before, and another begins. Whoever depends on boundaries is told in
the same transaction: the register re-assigns its towers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from geoalchemy2.elements import WKBElement
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from areas.models import Area, AreaSuccession
from areas.queries import valid_on
from areas.rules import Boundary, Fate, Level, Validity, fate
from areas.services.following import Consequence, consequences
from core import audit, policy
from core.db import allow_long_statements
from core.errors import FieldText, Invalid
from core.geo import SRID
from core.policy import Actor
from core.words import N_

LOADING_LOCK = 7_210_417


@dataclass(frozen=True)
class Terms:
    """What is said of all areas of a file.

    `complete`: the file has every area of its level in the province (or, of provinces, in the
    country), so that one of today which is not in it ends.
    """

    level: str
    validity: Validity
    province_code: str = ""
    province_name: str = ""
    synthetic: bool = False
    source: str = ""
    complete: bool = False


@dataclass
class Change:
    """What a file changed, or would change: full names by code, without what stays the same."""

    new: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    followed: list[tuple[str, str]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    same: int = 0
    consequences: list[Consequence] = field(default_factory=list)

    @property
    def areas(self) -> int:
        """How many areas the file has."""
        return len(self.new) + len(self.changed) + len(self.followed) + self.same

    @property
    def anything(self) -> bool:
        return bool(self.new or self.changed or self.followed or self.ended)


def load_areas(
    session: Session,
    boundaries: Sequence[Boundary],
    terms: Terms,
    *,
    keep: bool = True,
    today: date,
    by: Actor,
    now: datetime,
) -> Change:
    """Put the areas of a file in and say what changed.

    With `keep` false the caller rolls back, and those who follow only say what they would do.
    Raises `Invalid` where the terms or an area do not fit what is known; then nothing stays.
    """
    policy.require(by, "area.load")
    _check(terms, today)
    allow_long_statements(session)
    # One change of areas after the other: each looks at what is there before it writes.
    session.execute(select(func.pg_advisory_xact_lock(LOADING_LOCK)))
    province = None if terms.level == Level.PROVINCE else _province(session, terms)
    known = _known(session, terms, {one.code for one in boundaries})
    change = Change()
    wrong: dict[str, list[FieldText]] = {}
    for one in boundaries:
        problem = _put(session, one, known.get(one.code, []), terms, province, change)
        if problem:
            wrong[f"feature {one.number} ({one.name})"] = [problem]
    if terms.complete:
        wrong.update(_end_missing(session, boundaries, terms, province, change))
    if wrong:
        raise Invalid(N_("Some areas of the file are not right; nothing was loaded"), fields=wrong)
    session.flush()
    _record_heirs(session)
    if province is not None and terms.level == Level.COMMUNE and terms.validity.until is None:
        _draw_union(session, province)
    if change.anything:
        audit.record(
            session,
            "area.load",
            "area",
            terms.province_code or terms.level,
            by=by,
            now=now,
            after={
                "level": terms.level,
                "areas": change.areas,
                "new": len(change.new),
                "changed": len(change.changed) + len(change.followed),
                "ended": len(change.ended),
                "source": terms.source,
                "synthetic": terms.synthetic,
            },
        )
    session.expire_all()
    change.consequences = consequences(session, keep=keep, by=by, now=now)
    return change


def _check(terms: Terms, today: date) -> None:
    since, until = terms.validity.since, terms.validity.until
    wrong: dict[str, list[FieldText]] = {}
    if terms.level != Level.PROVINCE:
        for name in ("province_code", "province_name"):
            if not getattr(terms, name).strip():
                wrong[name] = [N_("Name the province and its code")]
    if since is not None and since > today:
        wrong["valid_from"] = [N_("Areas that begin later are loaded on that day")]
    if until is not None and until >= today:
        wrong["valid_to"] = [N_("Only areas that have ended already have an end")]
    if since is None and until is None:
        wrong["valid_from"] = [N_("Say since when the areas exist")]
    if since is not None and until is not None and until < since:
        wrong["valid_to"] = [N_("The end lies before the beginning")]
    if terms.complete and until is not None:
        wrong["complete"] = [N_("A file of the past ends nothing")]
    for name in ("province_code", "province_name", "source"):
        if "\x00" in getattr(terms, name):
            wrong[name] = [N_("A text has a character that cannot be stored")]
    if wrong:
        raise Invalid(fields=wrong)


def _province(session: Session, terms: Terms) -> Area:
    """The province of the time of the file, made where it is not known."""
    code, name = terms.province_code.strip(), terms.province_name.strip()
    until = terms.validity.until
    carriers = session.scalars(
        select(Area).where(Area.level == Level.PROVINCE, Area.code == code)
    ).all()
    province = next((one for one in carriers if _is_around(one.validity, terms.validity)), None)
    if province is None:
        for one in carriers:
            if one.validity.overlaps(terms.validity):
                message = N_("At that time %(code)s was the code of %(name)s")
                facts = {"code": code, "name": one.name}
                raise Invalid(message, fields={"province_code": [(message, facts)]}, **facts)
        province = Area(
            level=Level.PROVINCE,
            code=code,
            valid_from=terms.validity.since,
            valid_to=until,
            name=name,
        )
        session.add(province)
    if until is None:
        province.name = name
        province.synthetic, province.source = terms.synthetic, terms.source
    session.flush()
    return province


def _is_around(province: Validity, areas: Validity) -> bool:
    """Whether a province was there when these areas were; of today's only the end counts."""
    if areas.until is None:
        return province.until is None
    days = [day for day in (areas.since, areas.until) if day is not None]
    return all(province.holds_on(day) for day in days)


Known = dict[str, list[tuple[Area, bytes | None]]]


def _known(session: Session, terms: Terms, codes: set[str]) -> Known:
    """All areas of the level that ever carried one of the codes, with their boundaries."""
    found: Known = {}
    statement = select(Area, func.ST_AsBinary(Area.geom, "NDR"))
    for area, geom in session.execute(
        statement.where(Area.level == terms.level, Area.code.in_(codes)).order_by(Area.valid_from)
    ):
        found.setdefault(area.code, []).append((area, geom))
    return found


def _is_as(area: Area, geom: bytes | None, one: Boundary, terms: Terms) -> bool:
    """Whether an area is already what the file says of it."""
    return (area.name, area.synthetic, geom) == (one.name, terms.synthetic, one.geom)


def _put(
    session: Session,
    one: Boundary,
    known: list[tuple[Area, bytes | None]],
    terms: Terms,
    province: Area | None,
    change: Change,
) -> FieldText | None:
    """Give an area what the file says of it, or say why that cannot be."""
    for area, geom in known:
        kind = fate(area.validity, terms.validity)
        if kind is Fate.CLASH:
            return (
                N_("The code %(code)s belongs to %(name)s at that time (%(since)s to %(until)s)"),
                {
                    "code": one.code,
                    "name": area.name,
                    "since": _day(area.valid_from),
                    "until": _day(area.valid_to),
                },
            )
        as_it_is = _is_as(area, geom, one, terms)
        if kind is Fate.SAME or (kind is Fate.FOLLOWED and as_it_is):
            # Also where a later day was said: nothing about it is new, so it goes on.
            change.same += as_it_is
            if not as_it_is:
                change.changed.append((one.code, one.name))
            area.valid_from = area.valid_from or terms.validity.since
            _describe(area, one, terms, province)
            return None
        if kind is Fate.FOLLOWED:
            change.followed.append((one.code, one.name))
            _end(area, terms)
            session.flush()
            heir = _begin(session, one, terms, area.parent or province)
            if geom is None:
                session.flush()
                session.add(AreaSuccession(old_id=area.id, new_id=heir.id, whole=True, main=True))
            return None
    change.new.append((one.code, one.name))
    _begin(session, one, terms, province)
    return None


def _begin(session: Session, one: Boundary, terms: Terms, parent: Area | None) -> Area:
    area = Area(
        level=terms.level,
        code=one.code,
        valid_from=terms.validity.since,
        valid_to=terms.validity.until,
    )
    session.add(area)
    _describe(area, one, terms, parent)
    return area


def _describe(area: Area, one: Boundary, terms: Terms, parent: Area | None) -> None:
    area.name = one.name
    area.geom = WKBElement(one.geom, srid=SRID)
    area.synthetic, area.source = terms.synthetic, terms.source
    if one.area_km2 is not None:
        area.area_km2 = Decimal(one.area_km2).quantize(Decimal("0.01"))
    if area.parent_id is None and parent is not None:
        area.parent_id = parent.id


def _end(area: Area, terms: Terms) -> None:
    assert terms.validity.since is not None
    area.valid_to = terms.validity.since - timedelta(days=1)


def _end_missing(
    session: Session,
    boundaries: Sequence[Boundary],
    terms: Terms,
    province: Area | None,
    change: Change,
) -> dict[str, list[FieldText]]:
    """End what the file does not have any more, or say what had not begun by then."""
    statement = select(Area).where(
        Area.level == terms.level,
        valid_on(None),
        Area.code.not_in([one.code for one in boundaries]),
    )
    if province is not None:
        statement = statement.where(Area.parent_id == province.id)
    wrong: dict[str, list[FieldText]] = {}
    for area in session.scalars(statement.order_by(Area.code)):
        if not area.validity.begins_before(terms.validity):
            message = N_("%(name)s is not in the file, and cannot end before it began (%(since)s)")
            facts = {"name": area.name, "since": _day(area.valid_from)}
            wrong[f"{area.code} ({area.name})"] = [(message, facts)]
            continue
        _end(area, terms)
        change.ended.append((area.code, area.name))
    return wrong


def _day(day: date | None) -> str:
    return day.strftime("%d/%m/%Y") if day else "…"


# An heir of less than this share is a boundary that was drawn a little otherwise.
LEAST_SHARE = 0.01


def _record_heirs(session: Session) -> None:
    """Say of every area with a boundary that ended and has no heirs yet who has its land now."""
    session.execute(
        text(
            """
            INSERT INTO area_succession (old_id, new_id, whole, main)
            SELECT old_id, new_id, share >= 1 - :least,
                row_number() OVER (PARTITION BY old_id ORDER BY share DESC, new_id) = 1
            FROM (
                SELECT old.id AS old_id, heir.id AS new_id,
                    ST_Area(ST_Intersection(old.geom, heir.geom)) / ST_Area(old.geom) AS share
                FROM area old
                JOIN area heir ON heir.level = old.level AND heir.valid_to IS NULL
                    AND ST_Intersects(old.geom, heir.geom)
                WHERE old.valid_to IS NOT NULL
                    AND NOT EXISTS (SELECT FROM area_succession s WHERE s.old_id = old.id)
            ) shares
            WHERE share >= :least
            """
        ),
        {"least": LEAST_SHARE},
    )


def _draw_union(session: Session, province: Area) -> None:
    """A province is the union of its communes of today."""
    session.execute(
        update(Area)
        .where(Area.id == province.id)
        .values(
            geom=select(func.ST_Multi(func.ST_Union(Area.geom)))
            .where(Area.parent_id == province.id, valid_on(None))
            .correlate(None)
            .scalar_subquery()
        )
        .execution_options(synchronize_session=False)
    )
