"""Making the demo province: rows in Python, written by COPY, consistent with the rules."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import allow_long_statements
from inspections.demo.equipment import FACTS, MANAGERS, OPERATORS, Equipment, Site
from inspections.demo.visits import MadeVisit, made_visit, passing_answer
from inspections.models import ChecklistVersion
from inspections.rules.catalogue import HOW, Catalogue
from inspections.rules.condition import Facts, condition
from inspections.rules.evaluation import Structure
from inspections.rules.violation import SEVERITY_ORDER, deadline_for
from inspections.services.checklists import catalogue_of
from towers.fields import KEPT

OWNERS = (
    "Công ty Hạ tầng Sen Xanh (hư cấu)",
    "Công ty Viễn thông Cánh Cò (hư cấu)",
    "Công ty Trạm phát Bông Súng (hư cấu)",
    "Công ty Cột anten Lúa Vàng (hư cấu)",
    "Công ty Di động Tràm Chim (hư cấu)",
    "Công ty Truyền dẫn Sông Tiền (hư cấu)",
    "Đài Phát thanh Đồng Sen (hư cấu)",
    "Trung tâm Truyền thanh cơ sở (hư cấu)",
)
# Shares of 100: type, least and most height (m), on a roof.
SORTS = (
    ("lattice_self_support", 34, 36, 72, False),
    ("guyed_mast", 22, 24, 60, False),
    ("rooftop_guyed", 20, 9, 24, True),
    ("rooftop_pole", 10, 3, 9, True),
    ("monopole", 8, 18, 42, False),
    ("concrete_pole", 6, 12, 20, False),
)
# The texts of a tower that are never NULL.
TEXTS = frozenset(one.name for one in KEPT if one.empty == "")
POOL = 120
# Above this number of towers only failing answers are written: 50 answers a tower would fill disks.
ALL_ANSWERS_UP_TO = 20_000
BATCH = 50_000
# So many days ago the department began its register; most towers are in it from then on.
REGISTER_DAYS, FROM_THE_BEGINNING = 740, 0.7


@dataclass
class Tables:
    """Rows for COPY, table by table in the order of their references."""

    tower: list[tuple[Any, ...]] = field(default_factory=list)
    guy_anchor: list[tuple[Any, ...]] = field(default_factory=list)
    installation: list[tuple[Any, ...]] = field(default_factory=list)
    antenna: list[tuple[Any, ...]] = field(default_factory=list)
    permit: list[tuple[Any, ...]] = field(default_factory=list)
    inspection: list[tuple[Any, ...]] = field(default_factory=list)
    answer: list[tuple[Any, ...]] = field(default_factory=list)
    violation: list[tuple[Any, ...]] = field(default_factory=list)
    violation_event: list[tuple[Any, ...]] = field(default_factory=list)
    load_assessment: list[tuple[Any, ...]] = field(default_factory=list)


COLUMNS = {
    "tower": "id, code, name, structure_type, services, height_m, host_building_height_m, geom,"
    " commune_id, owner_id, built_year, lifecycle, source, demo, condition, condition_reason,"
    " ok_until, worst_severity, next_deadline, open_violations, last_inspected_on,"
    f" {', '.join(FACTS)}, created_at",
    "guy_anchor": "id, tower_id, number, geom, note",
    "installation": "id, tower_id, operator_id, service, station_code, since, until, note",
    "antenna": "id, installation_id, kind, quantity, height_m, azimuth_deg, wind_area_m2,"
    " weight_kg",
    "permit": "id, tower_id, kind, number, issued_on, expires_on, issuer, organisation_id,"
    " result, note",
    "inspection": "id, tower_id, checklist_version_id, kind, status, structure_type, height_m,"
    " overall_height_m, inspector_id, inspected_on, submitted_at, body_hash, note,"
    " assessment_requested, complete, demo, created_at, methods",
    "answer": "inspection_id, item_key, given, outcome, value, severity",
    "violation": "id, tower_id, item_key, checklist_version_id, legal_basis, severity, deadline,"
    " found_on, state, stage, ended_on",
    "violation_event": "violation_id, kind, at, by_id, inspection_id, severity, deadline, outcome",
    "load_assessment": "id, tower_id, inspection_id, requested_by_id, requested_at, requested_on,"
    " deadline, reason",
}


class Province:
    """Makes towers, visits, violations and re-inspections of two years, the same for a seed."""

    def __init__(
        self,
        session: Session,
        version: ChecklistVersion,
        *,
        inspector: uuid.UUID,
        seed: int,
        towers: int,
        now: datetime,
        zone: ZoneInfo,
    ) -> None:
        self.session = session
        self.version_id = version.id
        self.catalogue: Catalogue = catalogue_of(session, version)
        self.inspector = inspector
        self.random = Random(seed)  # noqa: S311 - a made-up province, not a secret
        self.seed = seed
        # Numbers of its own here too: when each was registered.
        self.registering = Random(seed + 2)  # noqa: S311
        self.number = towers
        self.now = now
        self.today = now.astimezone(zone).date()
        self.zone = zone
        self.all_answers = towers <= ALL_ANSWERS_UP_TO
        self.pools: dict[tuple[str, bool], list[MadeVisit]] = {}
        self.intervals = {
            key: months
            for key, months in session.execute(
                text("SELECT key, interval_months FROM structure_kind")
            )
        }

    def new_id(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def load(self, progress: Callable[[int], None]) -> None:
        """Write everything; `progress` is told the number of towers written so far."""
        allow_long_statements(self.session)
        owners = self._organisations("owner", OWNERS)
        self.equipment = Equipment(
            # Numbers of its own: what is added here leaves towers and visits as they were.
            Random(self.seed + 1),  # noqa: S311
            operators=self._organisations("operator", OPERATORS),
            managers=self._organisations("manager", MANAGERS),
            former_ids=self._former_communes(),
            today=self.today,
            whole=self.all_answers,
        )
        first = (
            self.session.scalar(
                text("SELECT max(substr(code, 4)::int) FROM tower WHERE code ~ '^DT-[0-9]{5,7}$'")
            )
            or 0
        )
        places = self._places()
        done = 0
        while done < self.number:
            tables = Tables()
            for _ in range(min(BATCH, self.number - done)):
                done += 1
                self._tower(tables, next(places), f"DT-{first + done:05d}", owners)
            self._copy(tables)
            progress(done)

    def _organisations(self, kind: str, names: Sequence[str]) -> list[uuid.UUID]:
        facts = {"names": list(names), "kind": kind}
        self.session.execute(
            text(
                "INSERT INTO organisation (id, name, kind, demo, phone, responsible_person,"
                " responsible_phone) SELECT gen_random_uuid(), name, :kind, true,"
                " '0277 000 ' || lpad(place::text, 4, '0'), 'Trực ban (hư cấu)',"
                " '0277 000 ' || lpad((place + 500)::text, 4, '0')"
                " FROM unnest(cast(:names AS text[])) WITH ORDINALITY AS n(name, place)"
                " ON CONFLICT (lower(name)) DO NOTHING"
            ),
            facts,
        )
        rows = self.session.execute(
            text(
                "SELECT o.id FROM unnest(cast(:names AS text[])) WITH ORDINALITY AS n(name, place)"
                " JOIN organisation o ON lower(o.name) = lower(n.name) ORDER BY n.place"
            ),
            facts,
        )
        return [row[0] for row in rows]

    def _former_communes(self) -> dict[str, int]:
        """The communes of before the reform by their codes, as far as they are loaded."""
        rows = self.session.execute(
            text("SELECT code, id FROM area WHERE level = 'commune' AND valid_to IS NOT NULL")
        )
        return {code: key for code, key in rows}

    def _places(self) -> Iterator[tuple[int, str, float, float, str]]:
        """Points inside the communes, as many in each as its share of the area."""
        rows = self.session.execute(
            text(
                """
                WITH shares AS (
                    SELECT id, name, geom, code, ceil(:towers * ST_Area(geom)
                        / sum(ST_Area(geom)) OVER ())::int + 1 AS number
                    FROM area WHERE level = 'commune' AND valid_to IS NULL AND geom IS NOT NULL
                )
                SELECT id, name, ST_X(point.geom), ST_Y(point.geom), code FROM shares,
                    ST_Dump(ST_GeneratePoints(geom, number, :seed)) AS point
                ORDER BY code, point.path
                """
            ),
            {"towers": self.number, "seed": self.seed % 1_000_000 + 1},
        ).all()
        places = [(row[0], row[1], row[2], row[3], row[4]) for row in rows]
        if not places:
            raise RuntimeError("there are no communes: load areas first")
        self.random.shuffle(places)
        return iter(places)

    def _visit(self, kind: str, structure: Structure) -> MadeVisit:
        """One visit of the pool of such structures; the pool is made at its first use."""
        tall = structure.overall_height_m is not None and structure.overall_height_m >= 45
        key = (f"{kind}/{sorted(structure.services)}/{(structure.height_m or 0) >= 10}", tall)
        pool = self.pools.get(key)
        if pool is None:
            size = POOL if self.number >= POOL else max(12, self.number)
            pool = [made_visit(self.catalogue, structure, self.random) for _ in range(size)]
            self.pools[key] = pool
        return self.random.choice(pool)

    def _tower(
        self,
        tables: Tables,
        place: tuple[int, str, float, float, str],
        code: str,
        owners: list[uuid.UUID],
    ) -> None:
        random = self.random
        commune_id, commune, x, y, commune_code = place
        kind, _, least, most, roof = random.choices(SORTS, [sort[1] for sort in SORTS])[0]
        height = Decimal(random.randrange(least * 2, most * 2)) / 2
        building = Decimal(random.randrange(6, 24)) if roof else None
        loudspeaker = kind in {"concrete_pole", "guyed_mast"} and random.random() < 0.3
        services = ["commune_loudspeaker"] if loudspeaker else ["bts"]
        if random.random() < 0.05:
            services.append("microwave")
        tower_id = self.new_id()
        structure = Structure(kind, frozenset(services), height, height + (building or Decimal(0)))
        name = commune.removeprefix("Xã ").removeprefix("Phường ")
        lifecycle = random.choices(
            ("active", "inactive", "abandoned", "dismantled", "planned"), (930, 25, 20, 15, 10)
        )[0]
        state = _TowerState()
        if lifecycle not in {"planned", "dismantled"} and random.random() < 0.88:
            self._visits(tables, tower_id, structure, state)
        if state.last_on and random.random() < 0.022:
            requested = min(self.today, state.last_on + timedelta(days=2))
            state.pending = True
            tables.load_assessment.append(
                (
                    self.new_id(),
                    tower_id,
                    None,
                    None,
                    self._moment(requested),
                    requested,
                    requested + timedelta(days=30),
                    "Cột cũ, lắp thêm thiết bị",
                )
            )
        derived, reason, ok_until = condition(
            Facts(
                open_severities=[severity for severity, _ in state.open],
                assessment_pending=state.pending,
                last_full_inspection_on=state.last_on,
                last_full_complete=state.complete,
                interval_months=self.intervals[kind],
            )
        )
        owner = owners[-1] if loudspeaker else random.choice(owners[:-1])
        built_year = random.randrange(1998, self.today.year + 1)
        site = Site(tower_id, structure, building, commune, commune_code, x, y, built_year)
        facts = self._equipment(tables, site)
        tables.tower.append(
            (
                tower_id,
                code,
                f"{'Đài truyền thanh' if loudspeaker else 'Trạm'} {name} {int(code[3:])}",
                kind,
                services,
                height,
                building,
                f"SRID=4326;POINT({x!r} {y!r})",
                commune_id,
                owner,
                built_year,
                lifecycle,
                "Dữ liệu minh họa, không có thật",
                True,
                derived,
                reason,
                ok_until,
                min((one for one, _ in state.open), key=SEVERITY_ORDER.index, default=None),
                min((deadline for _, deadline in state.open), default=None),
                len(state.open),
                state.last_on,
                *(facts.get(name, "" if name in TEXTS else None) for name in FACTS),
                self._registered(state.first_on),
            )
        )

    def _registered(self, first_on: date | None) -> datetime:
        """When a tower came into the register: before anybody looked at it."""
        began = self.today - timedelta(days=REGISTER_DAYS)
        latest = (first_on or self.today) - timedelta(days=1)
        days = self.registering.randrange(max(1, (latest - began).days + 1))
        if self.registering.random() < FROM_THE_BEGINNING:
            days = 0
        return self._moment(began + timedelta(days=days))

    def _equipment(self, tables: Tables, site: Site) -> dict[str, Any]:
        """What stands at a tower into its tables; returns the columns of the tower itself."""
        facts = self.equipment.facts(site)
        installations, antennas = self.equipment.installations(site)
        tables.guy_anchor.extend(self.equipment.anchors(site, facts))
        tables.installation.extend(installations)
        tables.antenna.extend(antennas)
        tables.permit.extend(self.equipment.permits(site, installations))
        return facts

    def _visits(
        self, tables: Tables, tower_id: uuid.UUID, structure: Structure, state: _TowerState
    ) -> None:
        """One full inspection in the last two years, and re-inspections of what it found."""
        random = self.random
        day = self.today - timedelta(days=int(730 * random.random() ** 1.4))
        visit = self._visit(structure.structure_type, structure)
        inspection_id = self._inspection(
            tables, tower_id, structure, day, "periodic", visit.answers, visit
        )
        state.first_on = state.last_on = day
        state.complete = visit.evaluation.complete
        mended: dict[str, date] = {}
        fixed: list[tuple[str, uuid.UUID]] = []
        for key, judgement in visit.evaluation.failing.items():
            assert judgement.severity is not None and judgement.remedy_days is not None
            deadline = deadline_for(day, judgement.remedy_days)
            violation_id = self.new_id()
            # The older the deadline, the likelier that somebody has looked again.
            waited = (self.today - deadline).days
            chance = 0.2 if waited < 0 else min(0.9, 0.45 + waited / 400)
            again = day + timedelta(days=random.randrange(3, max(4, judgement.remedy_days + 20)))
            if random.random() < chance and again <= self.today:
                mended[key] = again
                fixed.append((key, violation_id))
            else:
                state.open.append((judgement.severity, deadline))
            tables.violation.append(
                (
                    violation_id,
                    tower_id,
                    key,
                    self.version_id,
                    _json(judgement.legal_basis),
                    judgement.severity,
                    deadline,
                    day,
                    "closed" if key in mended else "open",
                    "closed" if key in mended else "found",
                    mended.get(key),
                )
            )
            tables.violation_event.append(
                (
                    violation_id,
                    "found",
                    self._moment(day),
                    self.inspector,
                    inspection_id,
                    judgement.severity,
                    deadline,
                    None,
                )
            )
        if mended:
            self._reinspections(tables, tower_id, structure, mended, fixed)

    def _reinspections(
        self,
        tables: Tables,
        tower_id: uuid.UUID,
        structure: Structure,
        mended: dict[str, date],
        fixed: list[tuple[str, uuid.UUID]],
    ) -> None:
        for day in sorted(set(mended.values())):
            keys = [key for key, when in mended.items() if when == day]
            answers = {key: self._mended_answer(key) for key in keys}
            again = self._inspection(
                tables, tower_id, structure, day, "reinspection", answers, None
            )
            for key, violation_id in fixed:
                if key in keys:
                    tables.violation_event.append(
                        (
                            violation_id,
                            "reinspected",
                            self._moment(day),
                            self.inspector,
                            again,
                            None,
                            None,
                            "fixed",
                        )
                    )

    def _mended_answer(self, key: str) -> dict[str, Any]:
        item = self.catalogue.item(key)
        assert item is not None
        return passing_answer(item, self.random)

    def _inspection(
        self,
        tables: Tables,
        tower_id: uuid.UUID,
        structure: Structure,
        day: date,
        kind: str,
        answers: Any,
        visit: MadeVisit | None,
    ) -> uuid.UUID:
        inspection_id = self.new_id()
        moment = self._moment(day)
        tables.inspection.append(
            (
                inspection_id,
                tower_id,
                self.version_id,
                kind,
                "accepted" if (self.today - day).days > 20 else "submitted",
                structure.structure_type,
                structure.height_m,
                structure.overall_height_m,
                self.inspector,
                day,
                moment,
                hashlib.sha256(inspection_id.bytes).digest(),
                "",
                False,
                visit.evaluation.complete if visit else False,
                True,
                moment,
                list(HOW),
            )
        )
        judged = visit.evaluation.judgements if visit else {}
        for key, given in answers.items():
            judgement = judged.get(key)
            if not self.all_answers and judgement is not None and judgement.severity is None:
                continue
            value = judgement.value if judgement else given.get("value")
            tables.answer.append(
                (
                    inspection_id,
                    key,
                    _json(given),
                    given["outcome"],
                    _json(float(value) if isinstance(value, Decimal) else value),
                    judgement.severity if judgement else None,
                )
            )
        return inspection_id

    def _moment(self, day: date) -> datetime:
        """In the working hours of that day, and never after now."""
        hour = 8 + (day.toordinal() * 7) % 8
        return min(self.now, datetime.combine(day, time(hour, 20), self.zone).astimezone(UTC))

    def _copy(self, tables: Tables) -> None:
        driver = self.session.connection().connection.driver_connection
        assert driver is not None
        for table, columns in COLUMNS.items():
            rows: Iterable[tuple[Any, ...]] = getattr(tables, table)
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)


class _TowerState:
    """What has been found at a tower so far."""

    def __init__(self) -> None:
        self.open: list[tuple[str, date]] = []
        self.pending = False
        self.first_on: date | None = None
        self.last_on: date | None = None
        self.complete = False


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
