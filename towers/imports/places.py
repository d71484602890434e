"""Positions that cannot be right: outside every commune, in another one than the list says, or far
from where the register has the tower.

The mistake is named whose undoing lands where the list or the register says, as for a single tower.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from areas import queries as areas
from areas.models import Area
from areas.names import match_area
from areas.rules import Level
from core import store
from core.geo import from_xy, metres_between
from core.words import N_
from towers.coordinate_systems import system
from towers.coordinates import Reading
from towers.fields import BY_NAME
from towers.former import former_commune_id
from towers.imports.rows import FORMER, RowReader
from towers.imports.shifts import MOVED, find_shifts
from towers.mistakes import MISTAKES, Alternative, alternatives
from towers.places import SAME_PLACE_M

DISTRICT = BY_NAME["former_district"]
# So many different communes of a list are looked up, and the mistakes of so many rows named.
MAX_STATED = 3_000
MAX_HINTED = 500

NOWHERE = N_("The position lies in no commune of this deployment, and near none")
ELSEWHERE = N_("The position lies in %(found)s, the list says %(stated)s")
AS_OTHER = N_("Read as %(system)s the position lies in %(commune)s")
WITHOUT_IT = N_("Without this mistake the position lies in %(commune)s")
NOT_THERE = N_("The position lies in no commune, the list says %(stated)s")
STAYS_AS = N_("Read as %(system)s the position is that of the register")
STAYS = N_("Without this mistake the position is that of the register")


def suspect(session: Session, reader: RowReader) -> int:
    """Fill `doubted` with the rows whose position is doubtful, and why; returns how many."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.doubted"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE doubted"
            " (line integer PRIMARY KEY, reasons jsonb, misplaced boolean NOT NULL DEFAULT false,"
            " ids integer[]) ON COMMIT DROP"
        )
    )
    stated = look_up_stated(session, reader)
    if session.scalar(text("SELECT EXISTS (SELECT FROM area WHERE level = 'commune')")):
        if stated:
            session.execute(text(_elsewhere(reader)), {"else": ELSEWHERE, "none": NOT_THERE})
        session.execute(text(IN_NONE), {"nowhere": NOWHERE})
    find_shifts(session)
    _name_mistakes(session, reader)
    return session.scalar(text("SELECT count(*) FROM doubted")) or 0


IN_NONE = """
    INSERT INTO doubted
    SELECT j.line, jsonb_build_array(jsonb_build_object('column', 'latitude',
        'value', s.lat || ', ' || s.lon, 'message', cast(:nowhere AS text),
        'facts', '{}'::jsonb)), true, NULL
    FROM judged j JOIN staging s ON s.line = j.line
    WHERE j.geom IS NOT NULL AND j.verdict IN ('new', 'changed')
        AND NOT EXISTS (SELECT FROM located l WHERE l.line = j.line)
    ON CONFLICT (line) DO NOTHING
"""


def look_up_stated(session: Session, reader: RowReader) -> bool:
    """`stated`: the communes that the list names, which of today each may be, and which of before
    the reform it is; returns whether there are any."""
    if FORMER not in reader.given:
        return False
    commune, around = stated_of(reader)
    named = session.execute(
        text(
            f"""
            SELECT DISTINCT n.commune, n.around
            FROM staging s JOIN judged j ON j.line = s.line CROSS JOIN LATERAL (
                VALUES ({commune}, {around}), (s.former_commune, {district(reader)})
            ) AS n(commune, around)
            WHERE n.commune IS NOT NULL AND j.verdict IN ('new', 'changed')
            LIMIT :limit
            """  # noqa: S608 - our own columns
        ),
        {"limit": MAX_STATED},
    ).all()
    session.execute(text("DROP TABLE IF EXISTS pg_temp.stated"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE stated (commune text, around text, ids integer[],"
            " former_id integer) ON COMMIT DROP"
        )
    )
    found = [
        {
            "commune": commune,
            "around": around,
            "ids": commune_ids(session, commune, around),
            "former_id": former_commune_id(session, commune, around or ""),
        }
        for commune, around in named
    ]
    if found:
        values = "(:commune, :around, :ids, :former_id)"
        session.execute(text(f"INSERT INTO stated VALUES {values}"), found)  # noqa: S608
    session.execute(text("ANALYZE pg_temp.stated"))
    return bool(found)


def district(reader: RowReader) -> str:
    """What lies around the former commune of a row."""
    return "s.former_district" if DISTRICT in reader.given else "NULL::text"


def stated_of(reader: RowReader) -> tuple[str, str]:
    """The commune in which a row says it lies, and what lies around that one.

    Beside a column of former communes the other one has those of today, which have no district.
    """
    if reader.stated_at is None:
        return "s.former_commune", district(reader)
    if FORMER not in reader.written:
        return "s.stated_commune", district(reader)
    return (
        "coalesce(s.stated_commune, s.former_commune)",
        f"CASE WHEN s.stated_commune IS NULL THEN {district(reader)} END",
    )


def joined_stated(commune: str, around: str) -> str:
    return (
        f"LEFT JOIN stated st ON st.commune = {commune} AND st.around IS NOT DISTINCT FROM {around}"
    )


def joined_former(reader: RowReader) -> str:
    return joined_stated("s.former_commune", district(reader))


def derive_former(session: Session, reader: RowReader) -> None:
    """Take a stated commune for the former one of its row where it can be no other: beside a
    district, which there are none of since the reform, or by a name that only ended ones bear."""
    if reader.stated_at is None or FORMER in reader.written:
        return
    if DISTRICT in reader.given:
        session.execute(
            text(
                "UPDATE staging SET former_commune = stated_commune"
                " WHERE former_district IS NOT NULL"
            )
        )
    named = session.scalars(
        text(
            "SELECT DISTINCT stated_commune FROM staging"
            " WHERE stated_commune IS NOT NULL AND former_commune IS NULL LIMIT :limit"
        ),
        {"limit": MAX_STATED},
    ).all()
    ended = [name for name in named if _only_ended(session, name)]
    if ended:
        session.execute(
            text(
                "UPDATE staging SET former_commune = stated_commune"
                " WHERE former_commune IS NULL AND stated_commune = ANY(:ended)"
            ),
            {"ended": ended},
        )


def _only_ended(session: Session, name: str) -> bool:
    found = match_area(session, name, level=Level.COMMUNE).areas
    return bool(found) and all(area.valid_to is not None for area in found)


def commune_ids(session: Session, name: str, around: str | None) -> list[int]:
    """The communes of today that a text of a list may mean: itself, or who has its land."""
    match = match_area(session, name, level=Level.COMMUNE, within=around or None)
    ids: set[int] = set()
    for area in match.areas:
        if area.valid_to is None:
            ids.add(area.id)
        else:
            ids.update(heir.area.id for heir in areas.successors(session, area))
    return sorted(ids)


def _elsewhere(reader: RowReader) -> str:
    commune, around = stated_of(reader)
    column = "former_commune" if reader.stated_at is None else "stated_commune"
    return f"""
    INSERT INTO doubted
    SELECT j.line, jsonb_build_array(jsonb_build_object('column', '{column}',
        'value', {commune},
        'message', CASE WHEN a.id IS NULL THEN cast(:none AS text) ELSE :else END,
        'facts', jsonb_build_object('found', a.name, 'stated', {commune}))), true, st.ids
    FROM judged j JOIN staging s ON s.line = j.line {joined_stated(commune, around)}
        LEFT JOIN located l ON l.line = j.line LEFT JOIN area a ON a.id = l.commune_id
    WHERE j.geom IS NOT NULL AND j.verdict IN ('new', 'changed') AND st.ids <> '{{}}'
        AND (l.commune_id = ANY (st.ids)) IS NOT TRUE
    """  # noqa: S608 - our own columns


def _name_mistakes(session: Session, reader: RowReader) -> None:
    """Add the likely mistake to the first doubtful rows, those with a stated commune first.

    A tower that a mistake moves is doubted by it, also where it moves less far than is doubted.
    """
    place = "s.srid, s.x, s.y" if reader.placed else "4326 AS srid, s.lon AS x, s.lat AS y"
    rows = session.execute(
        text(
            f"""
            SELECT line, d.ids, coalesce(d.misplaced, false) AS misplaced, s.lon, s.lat, {place},
                m.code, m.metres, m.lon AS old_lon, m.lat AS old_lat
            FROM staging s LEFT JOIN doubted d USING (line) LEFT JOIN shifted m USING (line)
            WHERE line IN (SELECT line FROM doubted UNION SELECT line FROM shifted)
            ORDER BY d.line IS NULL, d.ids IS NULL, line LIMIT :limit
            """  # noqa: S608 - our own columns
        ),
        {"limit": MAX_HINTED},
    ).all()
    envelope = store.envelope(session)
    owners: list[int] = []
    others: list[Alternative] = []
    hints: dict[int, list[dict[str, Any]]] = {}
    for at, row in enumerate(rows):
        reading = Reading(from_xy(row.lon, row.lat), system(row.srid), row.x, row.y)
        known = None if row.code is None else from_xy(row.old_lon, row.old_lat)
        for one in alternatives(reading):
            if not envelope.contains(one.position):
                continue
            if known is not None and metres_between(one.position, known) <= SAME_PLACE_M:
                hints.setdefault(at, _hint(one, None, row.srid))
            elif row.misplaced:
                owners.append(at)
                others.append(one)
    communes = areas.communes_of(session, [one.position for one in others])
    for at, one, commune in zip(owners, others, communes, strict=True):
        if commune is not None and (rows[at].ids is None or commune.id in rows[at].ids):
            hints.setdefault(at, _hint(one, commune, rows[at].srid))
    if hints:
        added = [
            {
                "line": row.line,
                "reasons": hint,
                "alone": [_reason(MOVED, code=row.code, metres=round(row.metres or 0)), *hint],
            }
            for row, hint in ((rows[at], hint) for at, hint in hints.items())
        ]
        statement = text(
            "INSERT INTO doubted (line, reasons) VALUES (:line, :alone)"
            " ON CONFLICT (line) DO UPDATE SET reasons = doubted.reasons || :reasons"
        )
        as_json = (bindparam(name, type_=JSONB) for name in ("reasons", "alone"))
        session.execute(statement.bindparams(*as_json), added)


def _hint(one: Alternative, commune: Area | None, srid: int) -> list[dict[str, Any]]:
    """The mistake, and where the position lies without it: where it was, or in a commune."""
    other = one.system.srid != srid
    if commune is None:
        where = _reason(STAYS_AS, system=one.system.name) if other else _reason(STAYS)
    elif other:
        where = _reason(AS_OTHER, system=one.system.name, commune=commune.name)
    else:
        where = _reason(WITHOUT_IT, commune=commune.name)
    return [_reason(MISTAKES[one.mistake]), where]


def _reason(message: str, **facts: Any) -> dict[str, Any]:
    return {"column": "", "value": "", "message": message, "facts": facts}
