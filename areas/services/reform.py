"""The reform of July 2025: the communes, districts and provinces of before, and who followed them.

They have no boundary here. The pairs stand in `areas/data`, with their source in its first lines.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from areas.models import Area, AreaSuccession
from areas.queries import valid_on
from areas.rules import REFORM, Level
from areas.services.following import Consequence, consequences
from core import audit, policy
from core.errors import Invalid
from core.policy import Actor
from core.words import N_

REFORM_FILE = Path(__file__).resolve().parents[1] / "data" / "dong-thap-reform-2025.csv"
SOURCE = "1663/NQ-UBTVQH15"
LAST_DAY = REFORM - timedelta(days=1)


@dataclass(frozen=True)
class ReformReport:
    """What was loaded, and how many pairs were left out since their source confuses names."""

    communes: int
    districts: int
    provinces: int
    pairs: int
    doubtful: int
    consequences: tuple[Consequence, ...] = ()


def reform_pairs(path: Path = REFORM_FILE) -> list[dict[str, str]]:
    """The pairs of old and new communes as they stand in the file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def load_reform(
    session: Session, pairs: Sequence[Mapping[str, str]], *, by: Actor, now: datetime
) -> ReformReport:
    """Put in the areas that ended with 30 June 2025 and their heirs; a second time does nothing.

    Raises `Invalid` where a new commune is not loaded yet.
    """
    policy.require(by, "area.load")
    sure = [pair for pair in pairs if not pair["doubt"]]
    heirs = _heirs(session, {pair["new_code"] for pair in sure})
    provinces = _ended(
        session,
        Level.PROVINCE,
        ((pair["old_province_code"], pair["old_province"], None) for pair in sure),
    )
    districts = _ended(
        session,
        Level.DISTRICT,
        (
            (pair["old_district_code"], pair["old_district"], provinces[pair["old_province_code"]])
            for pair in sure
        ),
    )
    communes = _ended(
        session,
        Level.COMMUNE,
        (
            (pair["old_code"], pair["old_name"], districts[pair["old_district_code"]])
            for pair in sure
        ),
    )
    rows = [
        {
            "old_id": communes[pair["old_code"]],
            "new_id": heirs[pair["new_code"]].id,
            "whole": pair["goes"] == "whole",
            "main": pair["main"] == "yes",
        }
        for pair in sure
    ]
    new_provinces = {heir.parent_id for heir in heirs.values() if heir.parent_id}
    rows += [
        {"old_id": old, "new_id": new, "whole": True, "main": True}
        for old in provinces.values()
        for new in new_provinces
    ]
    made = session.scalars(
        insert(AreaSuccession)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(AreaSuccession.old_id)
    ).all()
    counts = {
        "communes": len(communes),
        "districts": len(districts),
        "provinces": len(provinces),
        "pairs": len(sure),
        "doubtful": len(pairs) - len(sure),
    }
    if made:
        audit.record(
            session, "area.reform", "area", REFORM.isoformat(), by=by, now=now, after=counts
        )
    session.expire_all()
    return ReformReport(
        **counts, consequences=tuple(consequences(session, keep=True, by=by, now=now))
    )


def _heirs(session: Session, codes: set[str]) -> dict[str, Area]:
    found = {
        area.code: area
        for area in session.scalars(
            select(Area).where(Area.level == Level.COMMUNE, Area.code.in_(codes), valid_on(REFORM))
        )
    }
    missing = sorted(codes - set(found))
    if missing:
        raise Invalid(
            N_(
                "Load the communes that exist since 1 July 2025 first:"
                " %(number)s are missing (%(codes)s)"
            ),
            number=len(missing),
            codes=", ".join(missing[:5]),
        )
    return found


def _ended(
    session: Session, level: Level, wanted: Iterable[tuple[str, str, int | None]]
) -> dict[str, int]:
    """The ids by code of areas that ended with the reform, made where they are missing."""
    named = {code: (name, parent) for code, name, parent in wanted}
    known = {
        area.code: area
        for area in session.scalars(
            select(Area).where(Area.level == level, Area.code.in_(named), Area.valid_to == LAST_DAY)
        )
    }
    for code, (name, parent) in named.items():
        if code not in known:
            known[code] = Area(
                level=level,
                code=code,
                name=name,
                parent_id=parent,
                valid_to=LAST_DAY,
                source=SOURCE,
            )
            session.add(known[code])
    session.flush()
    return {code: area.id for code, area in known.items()}
