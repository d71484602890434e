"""Importing a list: every row checked, all or the good ones, the same list twice changes nothing.

Stands between the services and the doors: it uses both registers (towers, organisations).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.db import allow_long_statements
from core.errors import Invalid
from core.geo import Envelope
from core.policy import Actor
from core.words import N_
from towers import services
from towers.coordinates import metres, read_position
from towers.labels import VOCABULARIES
from towers.readers import MAX_CELL, Listing, Row, plain
from towers.rules import Lifecycle, Service, StructureType, code_problem, year_built

MAX_REPORTED = 1_000

STAGING = """
CREATE TEMPORARY TABLE staging (
    line integer NOT NULL, code text COLLATE "C" NOT NULL, name text NOT NULL,
    named boolean NOT NULL,
    structure_type text, height_m numeric, host_building_height_m numeric, services text[],
    address text, built_year smallint, lifecycle text, note text, owner text,
    lon float8 NOT NULL, lat float8 NOT NULL
) ON COMMIT DROP
"""
COLUMNS = (
    "line", "code", "name", "named", "structure_type", "height_m", "host_building_height_m",
    "services", "address", "built_year", "lifecycle", "note", "owner", "lon", "lat",
)  # fmt: skip


@dataclass(frozen=True)
class BadCell:
    """What is wrong with one row: its number, column and value, and why."""

    number: int
    column: str
    value: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """What an import did, or would do."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    bad: int = 0
    problems: list[BadCell] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    sample: list[dict[str, Any]] = field(default_factory=list)
    batch: uuid.UUID = field(default_factory=uuid.uuid4)

    def add(self, problems: list[BadCell]) -> None:
        self.bad += 1
        if len(self.problems) < MAX_REPORTED:
            self.problems.extend(problems)


def import_towers(
    session: Session,
    listing: Listing,
    *,
    good_rows: bool = False,
    source: str,
    by: Actor,
    now: datetime,
) -> Report:
    """Put a list into the register by code: new ones in, known ones brought up to date.

    A column that the list does not have leaves that field as it is. With any bad row nothing is
    written, unless `good_rows`; the report names the bad ones either way. The caller's
    transaction decides whether it stays (a preview rolls back).
    """
    policy.require(by, "tower.import")
    allow_long_statements(session)
    report = Report(ignored=listing.ignored)
    session.execute(text("DROP TABLE IF EXISTS pg_temp.staging"))
    session.execute(text(STAGING))
    _stage(session, listing, store.envelope(session), report)
    if report.bad and not good_rows:
        return report
    if by.communes is not None:
        raise Invalid(N_("Only staff who see the whole register can import lists"))
    session.execute(text("ANALYZE pg_temp.staging"))
    _owners(session)
    _judge(session, report)
    _write(session, source=source, report=report, by=by, now=now)
    audit.record(
        session,
        "tower.import",
        "import",
        report.batch,
        by=by,
        now=now,
        after={
            "source": source,
            "rows": report.rows,
            "new": report.new,
            "changed": report.changed,
            "same": report.same,
            "bad": report.bad,
        },
    ) if report.new or report.changed else None
    session.expire_all()
    return report


def _stage(session: Session, listing: Listing, envelope: Envelope, report: Report) -> None:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    copying = f"COPY staging ({', '.join(COLUMNS)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(copying) as copy:
        for row in _clean_rows(listing, envelope, report):
            copy.write_row(row)


def _clean_rows(listing: Listing, envelope: Envelope, report: Report) -> Iterator[tuple[Any, ...]]:
    codes: dict[str, int] = {}
    made: dict[str, int] = {}
    for row in listing.rows:
        report.rows += 1
        clean, problems = check_row(row, envelope, made)
        code = clean.get("code", "")
        if not problems and code in codes:
            problems = [
                BadCell(
                    row.number,
                    "code",
                    code,
                    N_("This code already stands in row %(other)s"),
                    {"other": codes[code]},
                )
            ]
        if problems:
            report.add(problems)
            continue
        codes[code] = row.number
        if len(report.sample) < 5:
            report.sample.append(clean)
        yield (row.number, *(clean.get(name) for name in COLUMNS[1:]))


def check_row(
    row: Row, envelope: Envelope, made: dict[str, int]
) -> tuple[dict[str, Any], list[BadCell]]:
    """The typed values of a row, or what is wrong with it.

    `made` counts the codes made from call signs so far, so that a second structure at the same
    place gets a number of its own.
    """
    values = row.values
    problems: list[BadCell] = []

    def bad(column: str, message: str, **facts: Any) -> None:
        problems.append(BadCell(row.number, column, values.get(column, "")[:200], message, facts))

    if "_surplus" in values:
        bad("_surplus", N_("The row has more cells than the header"))
    if "_geometry" in values:
        bad("_geometry", N_("The geometry is not a point"))
        return {}, problems
    for column, value in values.items():
        if len(value) > MAX_CELL:
            bad(column, N_("This text is too long"))
    position, wrong = read_position(
        values.get("latitude", ""), values.get("longitude", ""), envelope
    )
    for column, message, facts in wrong:
        bad(column, message, **facts)
    clean: dict[str, Any] = {}
    if position is not None:
        clean["lat"], clean["lon"] = position.latitude, position.longitude
    code = values.get("code", "")
    if not code and position is not None and values.get("call_sign"):
        code = _made_code(values["call_sign"], position.latitude, position.longitude, made)
    if not code:
        bad("code", N_("The code is missing"))
    elif problem := code_problem(code):
        bad("code", problem)
    clean["code"] = code
    name = values.get("name") or values.get("call_sign") or code
    if len(name) > 300:
        bad("name", N_("A name has 1 to 300 characters"))
    clean["name"] = name
    clean["named"] = bool(values.get("name"))
    _optional(values, clean, bad)
    return clean, problems


def _made_code(call_sign: str, latitude: float, longitude: float, made: dict[str, int]) -> str:
    """A code from call sign and place, about 1 m: `KNKN848-38.63708N81.28478W`."""
    north = f"{abs(latitude):.5f}{'N' if latitude >= 0 else 'S'}"
    east = f"{abs(longitude):.5f}{'E' if longitude >= 0 else 'W'}"
    base = f"{''.join(call_sign.split())}-{north}{east}"
    made[base] = made.get(base, 0) + 1
    return base if made[base] == 1 else f"{base}-{made[base]}"


def _by_text(vocabulary: str, keys: type) -> dict[str, str]:
    """Keys of a vocabulary by their own name and their English text."""
    texts = {plain(str(key)): str(key) for key in keys}  # type: ignore[attr-defined]
    texts.update({plain(text): key for key, text in VOCABULARIES[vocabulary].items()})
    return texts


TYPES = _by_text("structure_type", StructureType) | {
    "thap gian tu dung": "lattice_self_support",
    "tu dung": "lattice_self_support",
    "cot day co tren mat dat": "guyed_mast",
    "cot day co": "guyed_mast",
    "day co": "guyed_mast",
    "cot don than (monopole)": "monopole",
    "cot don than": "monopole",
    "cot day co tren mai nha": "rooftop_guyed",
    "cot day co tren mai": "rooftop_guyed",
    "tru, cot ngan tu dung tren mai nha": "rooftop_pole",
    "tru tren mai": "rooftop_pole",
    "cot be tong ly tam": "concrete_pole",
    "chua xac dinh": "unknown",
}
LIFECYCLES = _by_text("lifecycle", Lifecycle)


def _optional(values: dict[str, str], clean: dict[str, Any], bad: Any) -> None:
    """The fields that may be empty; an empty cell leaves a known value as it is."""
    given = values.get("structure_type", "")
    if given:
        kind = TYPES.get(plain(given))
        if kind is None:
            bad("structure_type", N_("This structure type is not known"))
        clean["structure_type"] = kind
    for column in ("height_m", "host_building_height_m"):
        if values.get(column):
            height = metres(values[column])
            if height is None or not (0 if column != "height_m" else 0.05) <= height <= 1000:
                bad(column, N_("A height is a number of metres above 0, at most 1000"))
            clean[column] = height
    if values.get("built_year"):
        clean["built_year"] = year_built(values["built_year"])
        if clean["built_year"] is None:
            bad("built_year", N_("A year lies between 1900 and 2200"))
    if values.get("services"):
        names = [plain(one) for one in re.split(r"[,;|]", values["services"]) if one.strip()]
        if not set(names) <= set(Service):
            bad("services", N_("A service is not known"))
        clean["services"] = sorted(set(names))
    if values.get("lifecycle"):
        state = LIFECYCLES.get(plain(values["lifecycle"]))
        if state is None:
            bad("lifecycle", N_("This life cycle is not known"))
        clean["lifecycle"] = state
    if values.get("owner"):
        if len(values["owner"]) > 300:
            bad("owner", N_("A name has 1 to 300 characters"))
        clean["owner"] = values["owner"]
    for column in ("address", "note"):
        if values.get(column):
            clean[column] = values[column]


def _owners(session: Session) -> None:
    """Organisations for the owners that the list names and nobody knows yet."""
    session.execute(
        text(
            """
            INSERT INTO organisation (id, name, kind)
            SELECT gen_random_uuid(), min(owner), 'owner' FROM staging
            WHERE owner IS NOT NULL GROUP BY lower(owner)
            ON CONFLICT (lower(name)) DO NOTHING
            """
        )
    )


# What a row would make of its tower: empty cells keep what is known.
JUDGED = """
CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
WITH wanted AS (
    SELECT s.line, s.code, t.id, t.version,
        CASE WHEN s.named OR t.id IS NULL THEN s.name ELSE t.name END AS name,
        coalesce(s.structure_type, t.structure_type, 'unknown') AS structure_type,
        coalesce(s.height_m, t.height_m) AS height_m,
        coalesce(s.host_building_height_m, t.host_building_height_m) AS host_building_height_m,
        coalesce(s.services, t.services, '{}') AS services,
        coalesce(s.address, t.address, '') AS address,
        coalesce(s.built_year, t.built_year) AS built_year,
        coalesce(s.lifecycle, t.lifecycle, 'active') AS lifecycle,
        coalesce(s.note, t.note, '') AS note,
        coalesce(o.id, t.owner_id) AS owner_id,
        ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326) AS geom,
        t.geom AS old_geom, t.name AS old_name, t.structure_type AS old_structure_type,
        t.height_m AS old_height_m, t.host_building_height_m AS old_host_building_height_m,
        t.services AS old_services, t.address AS old_address, t.built_year AS old_built_year,
        t.lifecycle AS old_lifecycle, t.note AS old_note, t.owner_id AS old_owner_id
    FROM staging s
    LEFT JOIN tower t ON t.code = s.code
    LEFT JOIN organisation o ON lower(o.name) = lower(s.owner)
)
SELECT *, CASE WHEN id IS NULL THEN 'new'
    WHEN (name, structure_type, height_m, host_building_height_m, services, address,
          built_year, lifecycle, note, owner_id, ST_X(geom), ST_Y(geom))
         IS DISTINCT FROM
         (old_name, old_structure_type, old_height_m, old_host_building_height_m,
          old_services, old_address, old_built_year, old_lifecycle, old_note, old_owner_id,
          ST_X(old_geom), ST_Y(old_geom))
    THEN 'changed' ELSE 'same' END AS verdict
FROM wanted
"""
# The communes look for their towers, not each tower for its commune: a boundary is then read and
# prepared once, which is 20 times faster.
PLACED = """
WITH placed AS MATERIALIZED (
    SELECT DISTINCT ON (j.line) j.line, a.id AS commune_id
    FROM area a JOIN judged j ON ST_Covers(a.geom, j.geom)
    WHERE a.level = 'commune' AND a.valid_to IS NULL AND j.verdict <> 'same'
    ORDER BY j.line, a.code
)
"""


def _judge(session: Session, report: Report) -> None:
    """Say of every row whether it is new, changed or the same, and count them."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.judged"))
    session.execute(text(JUDGED))
    session.execute(text("CREATE INDEX ON pg_temp.judged USING gist (geom)"))
    session.execute(text("ANALYZE pg_temp.judged"))
    for verdict, number in session.execute(
        text("SELECT verdict, count(*) FROM judged GROUP BY verdict")
    ):
        setattr(report, verdict, number)


def _write(
    session: Session,
    *,
    source: str,
    report: Report,
    by: Actor,
    now: datetime,
) -> None:
    """Write new and changed towers and their history, three statements for any number of rows."""
    facts = {
        "now": now,
        "source": source[:300],
        "actor": by.email,
        "actor_id": str(by.id) if by.id else None,
        "batch": str(report.batch),
    }
    if report.changed:
        session.execute(
            text(
                PLACED  # noqa: S608 - our own fixed statement
                + """
                , written AS (
                    UPDATE tower t SET name = j.name, structure_type = j.structure_type,
                        height_m = j.height_m,
                        host_building_height_m = j.host_building_height_m,
                        services = j.services, address = j.address, built_year = j.built_year,
                        lifecycle = j.lifecycle, note = j.note, owner_id = j.owner_id,
                        geom = j.geom,
                        commune_id = CASE WHEN ST_Equals(j.geom, j.old_geom) THEN t.commune_id
                            ELSE p.commune_id END,
                        version = t.version + 1, updated_at = :now
                    FROM judged j LEFT JOIN placed p ON p.line = j.line
                    WHERE j.id = t.id AND j.verdict = 'changed'
                    RETURNING t.id, j.line
                )
                INSERT INTO audit_entry
                    (at, actor_id, actor, action, kind, object_id, before, after)
                SELECT :now, :actor_id, :actor, 'tower.edit', 'tower', w.id::text,
                    jsonb_build_object('name', j.old_name, 'structure_type',
                        j.old_structure_type, 'height_m', j.old_height_m,
                        'host_building_height_m', j.old_host_building_height_m,
                        'latitude', ST_Y(j.old_geom), 'longitude', ST_X(j.old_geom),
                        'owner_id', j.old_owner_id, 'lifecycle', j.old_lifecycle,
                        'services', j.old_services, 'address', j.old_address,
                        'built_year', j.old_built_year, 'note', j.old_note),
                    jsonb_build_object('name', j.name, 'structure_type', j.structure_type,
                        'height_m', j.height_m,
                        'host_building_height_m', j.host_building_height_m,
                        'latitude', ST_Y(j.geom), 'longitude', ST_X(j.geom),
                        'owner_id', j.owner_id, 'lifecycle', j.lifecycle,
                        'services', j.services, 'address', j.address,
                        'built_year', j.built_year, 'note', j.note, 'import', cast(:batch AS text),
                        'source', cast(:source AS text))
                FROM written w JOIN judged j ON j.id = w.id
                """
            ),
            facts,
        )
        retyped = session.scalars(
            text(
                "SELECT id FROM judged WHERE verdict = 'changed'"
                " AND structure_type <> old_structure_type"
            )
        )
        services.was_retyped(session, retyped.all())
    if report.new:
        session.execute(
            text(
                PLACED  # noqa: S608 - our own fixed statement
                + """
                , written AS (
                    INSERT INTO tower (code, name, structure_type, height_m,
                        host_building_height_m, services, address, built_year, lifecycle, note,
                        owner_id, geom, commune_id, source, condition_reason, created_at,
                        updated_at)
                    SELECT j.code, j.name, j.structure_type, j.height_m,
                        j.host_building_height_m, j.services, j.address, j.built_year,
                        j.lifecycle, j.note, j.owner_id, j.geom, p.commune_id, :source, 'never',
                        :now, :now
                    FROM judged j LEFT JOIN placed p ON p.line = j.line
                    WHERE j.verdict = 'new'
                    RETURNING id, code, name, structure_type, height_m, geom, owner_id
                )
                INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, after)
                SELECT :now, :actor_id, :actor, 'tower.create', 'tower', id::text,
                    jsonb_build_object('code', code, 'name', name, 'structure_type',
                        structure_type, 'height_m', height_m, 'latitude', ST_Y(geom),
                        'longitude', ST_X(geom), 'owner_id', owner_id,
                        'import', cast(:batch AS text), 'source', cast(:source AS text))
                FROM written
                """
            ),
            facts,
        )
