"""What stands at the made-up towers: papers, people, guys, installations, permits; plausible rows.

Everything follows from the structure and a random number; nobody in it exists.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from areas.services.reform import reform_pairs
from core.geo import Position, to_point
from inspections.rules.evaluation import Structure
from towers.coordinate_systems import from_wgs84, system
from towers.rules import ROOFTOP
from towers.vocabularies import standards

OPERATORS = (
    "Di động Hoa Sen (hư cấu)",
    "Mạng Phù Sa (hư cấu)",
    "Viễn thông Gò Tháp (hư cấu)",
)
MANAGERS = (
    "Trung tâm Vận hành trạm Đồng Sen (hư cấu)",
    "Ban quản lý Đài truyền thanh (hư cấu)",
)
# The TM-3 zones of the two parts of the province, west and east of about this longitude.
ZONES = ((105.9, 5897), (180.0, 9210))
FOUNDATIONS = {
    "lattice_self_support": ("pile", "pad"),
    "guyed_mast": ("pad", "pile"),
    "monopole": ("pile", "raft"),
    "concrete_pole": ("pier", "pad"),
    "rooftop_guyed": ("roof_beam", "roof_slab"),
    "rooftop_pole": ("roof_slab", "roof_beam"),
}
BASE_WIDTHS = {"lattice_self_support": (250, 700), "guyed_mast": (40, 90), "monopole": (90, 180)}
USES = ("nhà ở", "bưu điện", "trụ sở cơ quan", "khách sạn", "trường học", "chợ")
FAMILIES = ("Nguyễn Văn", "Trần Thị", "Lê Hữu", "Phạm Thị", "Huỳnh Văn", "Võ Thị")
GIVEN = ("Sen", "Lúa", "Tràm", "Súng", "Cò", "Điên Điển")
# The columns of `tower` that `facts` fills in.
FACTS = (
    "planning_class", "bts_category", "managing_department", "hardened", "manager_id",
    "lifecycle_since", "landowner", "landowner_phone", "land_contract_end", "source_srid",
    "source_x", "source_y", "coord_source", "coord_accuracy_m", "elevation_m", "address",
    "former_commune", "former_district", "former_commune_id", "host_building_use",
    "host_building_floors",
    "foundation_type", "base_width_m", "guy_levels", "anchor_count", "anchor_radius_m",
    "design_standard", "design_wind_kn_m2", "last_reinforced_on", "obstruction_light",
)  # fmt: skip


@cache
def former_places() -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """By the code of a commune of today the old communes in it: code, name and district."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for pair in reform_pairs():
        if not pair["doubt"]:
            places = found.setdefault(pair["new_code"], [])
            places.append((pair["old_code"], pair["old_name"], pair["old_district"]))
    return found


@dataclass(frozen=True)
class Site:
    """A made-up tower, as far as what stands at it depends on it."""

    tower_id: uuid.UUID
    structure: Structure
    building_m: Decimal | None
    commune: str
    commune_code: str
    x: float
    y: float
    built_year: int

    @property
    def roof(self) -> bool:
        return self.structure.structure_type in ROOFTOP

    @property
    def guyed(self) -> bool:
        return self.structure.structure_type in {"guyed_mast", "rooftop_guyed"}


class Equipment:
    """Makes the rows of one province; `whole` leaves nothing out, else the rarer rows are."""

    def __init__(
        self,
        random: Random,
        *,
        operators: Sequence[uuid.UUID],
        managers: Sequence[uuid.UUID],
        former_ids: Mapping[str, int],
        today: date,
        whole: bool,
    ) -> None:
        self.random = random
        self.operators = operators
        self.managers = managers
        self.former_ids = former_ids
        self.today = today
        self.whole = whole

    def new_id(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def day_in(self, year: int) -> date:
        day = date(year, 1, 1) + timedelta(days=self.random.randrange(365))
        return min(day, self.today)

    # The tower itself

    def facts(self, site: Site) -> dict[str, Any]:
        """The columns of `FACTS` that are filled in for a tower."""
        found: dict[str, Any] = {}
        for part in (self._classes, self._people, self._place, self._build, self._guys):
            found |= part(site)
        return found

    def _classes(self, site: Site) -> dict[str, Any]:
        usual = standards("structure_type")[site.structure.structure_type]
        bts = "bts" in site.structure.services
        classes = usual["tt14"]
        found: dict[str, Any] = {
            "planning_class": classes[-1] if self.chance(0.1) else classes[0],
            "managing_department": "science_technology"
            if bts
            else self.random.choice(("culture_sports_tourism", "commune")),
        }
        if bts:
            found["bts_category"] = usual["ttlt12"]
            if self.chance(0.01):
                found["bts_category"] = "2" if usual["ttlt12"] == "1" else "1"
        if self.chance(0.3):
            found["hardened"] = self.chance(0.25)
        return found

    def _people(self, site: Site) -> dict[str, Any]:
        random = self.random
        loudspeaker = "commune_loudspeaker" in site.structure.services
        found: dict[str, Any] = {}
        if loudspeaker or self.chance(0.4):
            found["manager_id"] = self.managers[1 if loudspeaker else 0]
        if self.chance(0.35):
            found["landowner"] = f"{random.choice(FAMILIES)} {random.choice(GIVEN)} (hư cấu)"
            found["landowner_phone"] = f"0277 000 {random.randrange(10_000):04d}"
            found["land_contract_end"] = self.today + timedelta(days=random.randrange(-200, 3000))
        return found

    def _place(self, site: Site) -> dict[str, Any]:
        random = self.random
        found: dict[str, Any] = {"elevation_m": Decimal(random.randrange(6, 34)) / 10}
        former = former_places().get(site.commune_code)
        if former and self.chance(0.6):
            code, found["former_commune"], found["former_district"] = random.choice(former)
            found["former_commune_id"] = self.former_ids.get(code)
        if self.chance(0.6):
            found["address"] = f"Ấp {random.randrange(1, 9)}, {site.commune}"
        if self.chance(0.3 if self.whole else 0.03):
            srid = next(srid for east, srid in ZONES if site.x < east)
            east, north = from_wgs84(Position(latitude=site.y, longitude=site.x), system(srid))
            found |= {
                "source_srid": srid,
                "source_x": round(east, 3),
                "source_y": round(north, 3),
                "coord_source": random.choice(("dossier", "survey")),
                "coord_accuracy_m": Decimal("0.5"),
            }
        elif self.chance(0.7):
            found["coord_source"] = random.choice(("gps", "gps", "map"))
            found["coord_accuracy_m"] = Decimal(random.randrange(3, 16))
        return found

    def _build(self, site: Site) -> dict[str, Any]:
        random = self.random
        kind = site.structure.structure_type
        found: dict[str, Any] = {"foundation_type": random.choice(FOUNDATIONS[kind])}
        if kind in BASE_WIDTHS:
            least, most = BASE_WIDTHS[kind]
            found["base_width_m"] = Decimal(random.randrange(least, most, 5)) / 100
        if site.roof and site.building_m is not None:
            found["host_building_use"] = random.choice(USES)
            found["host_building_floors"] = max(1, round(float(site.building_m) / 3.6))
        if self.chance(0.7):
            found["design_standard"] = (
                "TCVN 2737:1995" if site.built_year < 2023 else "TCVN 2737:2023"
            )
            found["design_wind_kn_m2"] = Decimal("0.83") if site.x > 105.9 else Decimal("0.55")
        if site.built_year < self.today.year - 10 and self.chance(0.3):
            year = random.randrange(site.built_year + 5, self.today.year + 1)
            found["last_reinforced_on"] = self.day_in(year)
        if (site.structure.height_m or 0) >= 45:
            found["obstruction_light"] = self.chance(0.85)
        found["lifecycle_since"] = self.day_in(site.built_year) if self.chance(0.5) else None
        return found

    def _guys(self, site: Site) -> dict[str, Any]:
        if not site.guyed:
            return {}
        height = site.structure.height_m or Decimal(20)
        number = self.random.choice((3, 3, 4))
        radius = self.random.randrange(30, 70) if site.roof else int(height * 6)
        return {
            "guy_levels": max(1, min(7, round(float(height) / 9))),
            "anchor_count": number,
            "anchor_radius_m": Decimal(radius) / 10,
        }

    # What stands at it

    def anchors(self, site: Site, facts: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The guy anchors round a mast, evenly from a random direction on."""
        if not site.guyed or not (self.whole or self.chance(0.05)):
            return []
        number, radius = facts["anchor_count"], float(facts["anchor_radius_m"])
        first = self.random.random() * 360
        rows: list[tuple[Any, ...]] = []
        for place in range(number):
            turn = math.radians(first + place * 360 / number)
            away = radius * (0.97 + 0.06 * self.random.random())
            # Degrees of some metres; at such distances the curvature is no matter.
            north = site.y + away * math.cos(turn) / 110_600
            east = site.x + away * math.sin(turn) / (111_320 * math.cos(math.radians(site.y)))
            point = to_point(Position(latitude=north, longitude=east))
            rows.append((self.new_id(), site.tower_id, place + 1, f"SRID=4326;{point.data}", ""))
        return rows

    def installations(self, site: Site) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Installations and their antennas."""
        random = self.random
        services = sorted(site.structure.services)
        rows: list[tuple[Any, ...]] = []
        antennas: list[tuple[Any, ...]] = []
        for service in services:
            shared = service == "bts" and self.whole
            number = random.choices((1, 2, 3), (60, 30, 10))[0] if shared else 1
            operators = (
                [self.managers[1]]
                if service == "commune_loudspeaker"
                else random.sample(self.operators, number)
            )
            for operator in operators:
                installation = self.new_id()
                year = random.randrange(site.built_year, self.today.year + 1)
                code = f"{service[:2].upper()}{random.randrange(100_000):05d}"
                since = self.day_in(year)
                rows.append((installation, site.tower_id, operator, service, code, since, None, ""))
                if self.whole:
                    antennas.extend(self._antennas(site, installation, service))
        return rows, antennas

    def _antennas(self, site: Site, installation: uuid.UUID, service: str) -> list[tuple[Any, ...]]:
        random = self.random
        top = (site.structure.height_m or Decimal(12)) + (site.building_m or Decimal(0))
        height = top - Decimal(random.randrange(0, 8)) / 2
        if service == "bts":
            first = random.randrange(0, 120)
            return [
                (self.new_id(), installation, "Panel 3 băng tần", 1, max(height, Decimal(2)),
                 Decimal(first + turn), Decimal("0.62"), Decimal("38.0"))
                for turn in (0, 120, 240)
            ]  # fmt: skip
        if service == "microwave":
            return [
                (self.new_id(), installation, "Parabol 0,6 m", 1, max(height, Decimal(2)),
                 Decimal(random.randrange(360)), Decimal("0.30"), Decimal("15.0"))
            ]  # fmt: skip
        return [
            (self.new_id(), installation, "Loa phóng thanh", 4, Decimal(10), None,
             Decimal("0.15"), Decimal("6.5"))
        ]  # fmt: skip

    def permits(
        self, site: Site, installations: Sequence[tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        """The papers of a tower; a few are over, a few soon will be."""
        rows: list[tuple[Any, ...]] = []

        def paper(
            kind: str, issued: date, years: int, issuer: str, holder: uuid.UUID | None = None
        ) -> None:
            ends = issued + timedelta(days=365 * years) if years else None
            number = f"{self.random.randrange(1, 900)}/{issued.year}"
            rows.append(
                (self.new_id(), site.tower_id, kind, number, issued, ends, issuer, holder,
                 "Đạt" if kind in {"emf_result", "structural_assessment"} else "", "")
            )  # fmt: skip

        for one in installations:
            if one[3] == "bts":
                # A certificate lasts five years; few are renewed late.
                issued = self.today - timedelta(days=self.random.randrange(1860))
                paper("bts_certificate", issued, 5, "Tổ chức kiểm định (hư cấu)", one[2])
        if not self.whole:
            return rows
        built = self.day_in(site.built_year)
        if self.chance(0.85):
            paper("building_permit", built, 0, "Cơ quan cấp phép (hư cấu)")
        if (site.structure.overall_height_m or 0) >= 45 and self.chance(0.9):
            paper("height_approval", built, 0, "Cơ quan chấp thuận độ cao (hư cấu)")
        if self.chance(0.5):
            paper("maintenance_procedure", self.day_in(max(site.built_year, 2017)), 0, "Chủ sở hữu")
        if self.chance(0.4):
            years = 3 if site.guyed else 5
            issued = self.today - timedelta(days=self.random.randrange(365 * years + 60))
            paper("structural_assessment", issued, years, "Đơn vị kiểm định (hư cấu)")
        return rows
