"""Positions that cannot be right: outside every commune, or in another one than the list says.

The mistake is named whose undoing lands where the list says, as for a single tower.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from areas import queries as areas
from areas.models import Area
from areas.names import match_area
from areas.rules import Level
from core import store
from core.geo import from_xy
from core.words import N_
from towers.coordinate_systems import system
from towers.coordinates import Reading
from towers.fields import BY_NAME
from towers.former import former_commune_id
from towers.imports.rows import RowReader
from towers.mistakes import MISTAKES, Alternative, alternatives

# So many different communes of a list are looked up, and the mistakes of so many rows named.
MAX_STATED = 3_000
MAX_HINTED = 500

NOWHERE = N_("The position lies in no commune of this deployment, and near none")
ELSEWHERE = N_("The position lies in %(found)s, the list says %(stated)s")
AS_OTHER = N_("Read as %(system)s the position lies in %(commune)s")
WITHOUT_IT = N_("Without this mistake the position lies in %(commune)s")
NOT_THERE = N_("The position lies in no commune, the list says %(stated)s")


def suspect(session: Session, reader: RowReader) -> int:
    """Fill `doubted` with the rows whose position is doubtful, and why; returns how many."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.doubted"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE doubted"
            " (line integer PRIMARY KEY, reasons jsonb, ids integer[]) ON COMMIT DROP"
        )
    )
    stated = look_up_stated(session, reader)
    if not session.scalar(text("SELECT EXISTS (SELECT FROM area WHERE level = 'commune')")):
        return 0
    if stated:
        session.execute(text(_elsewhere(reader)), {"else": ELSEWHERE, "none": NOT_THERE})
    session.execute(
        text(
            """
            INSERT INTO doubted
            SELECT j.line, jsonb_build_array(jsonb_build_object('column', 'latitude',
                'value', s.lat || ', ' || s.lon, 'message', cast(:nowhere AS text),
                'facts', '{}'::jsonb)), NULL
            FROM judged j JOIN staging s ON s.line = j.line
            WHERE j.geom IS NOT NULL AND j.verdict IN ('new', 'changed')
                AND NOT EXISTS (SELECT FROM located l WHERE l.line = j.line)
            ON CONFLICT (line) DO NOTHING
            """
        ),
        {"nowhere": NOWHERE},
    )
    number = session.scalar(text("SELECT count(*) FROM doubted")) or 0
    if number:
        _name_mistakes(session, reader)
    return number


def look_up_stated(session: Session, reader: RowReader) -> bool:
    """`stated`: the communes that the list names, which of today each may be, and which of before
    the reform it is; returns whether there are any."""
    if BY_NAME["former_commune"] not in reader.given:
        return False
    named = session.execute(
        text(
            f"""
            SELECT DISTINCT s.former_commune, {around(reader)}
            FROM staging s JOIN judged j ON j.line = s.line
            WHERE s.former_commune IS NOT NULL AND j.verdict IN ('new', 'changed')
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
            "around": district,
            "ids": commune_ids(session, commune, district),
            "former_id": former_commune_id(session, commune, district or ""),
        }
        for commune, district in named
    ]
    if found:
        values = "(:commune, :around, :ids, :former_id)"
        session.execute(text(f"INSERT INTO stated VALUES {values}"), found)  # noqa: S608
    session.execute(text("ANALYZE pg_temp.stated"))
    return bool(found)


def around(reader: RowReader) -> str:
    """What lies around the stated commune of a row."""
    return "s.former_district" if BY_NAME["former_district"] in reader.given else "NULL::text"


def joined_stated(reader: RowReader) -> str:
    return (
        "LEFT JOIN stated st ON st.commune = s.former_commune"
        f" AND st.around IS NOT DISTINCT FROM {around(reader)}"
    )


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
    return f"""
    INSERT INTO doubted
    SELECT j.line, jsonb_build_array(jsonb_build_object('column', 'former_commune',
        'value', s.former_commune,
        'message', CASE WHEN a.id IS NULL THEN cast(:none AS text) ELSE :else END,
        'facts', jsonb_build_object('found', a.name, 'stated', s.former_commune))), st.ids
    FROM judged j JOIN staging s ON s.line = j.line {joined_stated(reader)}
        LEFT JOIN located l ON l.line = j.line LEFT JOIN area a ON a.id = l.commune_id
    WHERE j.geom IS NOT NULL AND j.verdict IN ('new', 'changed') AND st.ids <> '{{}}'
        AND (l.commune_id = ANY (st.ids)) IS NOT TRUE
    """  # noqa: S608 - our own columns


def _name_mistakes(session: Session, reader: RowReader) -> None:
    """Add the likely mistake to the first doubtful rows, those with a stated commune first."""
    place = "s.srid, s.x, s.y" if reader.placed else "4326 AS srid, s.lon AS x, s.lat AS y"
    rows = session.execute(
        text(
            f"""
            SELECT d.line, d.ids, s.lon, s.lat, {place}
            FROM doubted d JOIN staging s ON s.line = d.line
            ORDER BY d.ids IS NULL, d.line LIMIT :limit
            """  # noqa: S608 - our own columns
        ),
        {"limit": MAX_HINTED},
    ).all()
    envelope = store.envelope(session)
    owners: list[int] = []
    others = []
    for at, (_line, _ids, lon, lat, srid, x, y) in enumerate(rows):
        reading = Reading(from_xy(lon, lat), system(srid), x, y)
        for one in alternatives(reading):
            if envelope.contains(one.position):
                owners.append(at)
                others.append(one)
    communes = areas.communes_of(session, [one.position for one in others])
    by_row: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
    for at, one, commune in zip(owners, others, communes, strict=True):
        if commune is not None:
            by_row[at].append((one, commune))
    hints = []
    for at, row in enumerate(rows):
        for one, commune in by_row.get(at, ()):
            if row.ids is None or commune.id in row.ids:
                hints.append({"line": row.line, "reasons": _hint(one, commune, row.srid)})
                break
    if hints:
        statement = text("UPDATE doubted SET reasons = reasons || :reasons WHERE line = :line")
        session.execute(statement.bindparams(bindparam("reasons", type_=JSONB)), hints)


def _hint(one: Alternative, commune: Area, srid: int) -> list[dict[str, Any]]:
    """The mistake, and where the position lies without it."""
    texts: list[tuple[str, dict[str, Any]]] = [(MISTAKES[one.mistake], {})]
    if one.system.srid != srid:
        texts.append((AS_OTHER, {"system": one.system.name, "commune": commune.name}))
    else:
        texts.append((WITHOUT_IT, {"commune": commune.name}))
    return [{"column": "", "value": "", "message": text, "facts": facts} for text, facts in texts]
