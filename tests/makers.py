"""Plain functions that make objects for tests: real rows, sensible defaults."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime

from geoalchemy2 import WKTElement
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.models import Organisation, Role, User
from accounts.security import actor_of
from areas.models import Area
from core.geo import Position, to_point, to_position
from core.policy import SYSTEM, Actor
from towers.models import Antenna, GuyAnchor, Installation, Permit, Tower

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
CANARY = "{{31337*31337}}"
HOSTILE = "{{31337*31337}} ${alert(1)} {% x %} {# <script>alert('x')</script> \" ' ` \u202etower"

_numbers = itertools.count(1)


def user(
    session: Session,
    role: str,
    *,
    email: str | None = None,
    name: str = "",
    everywhere: bool = True,
    territories: Sequence[Area] = (),
    organisation: Organisation | None = None,
    password: str | None = None,
) -> User:
    number = next(_numbers)
    made = User(
        id=uuid.uuid4(),
        email=email or f"{role}{number}@example.org",
        name=name or f"{role} {number}",
        password=password,
        fs_uniquifier=uuid.uuid4().hex,
        active=True,
        everywhere=everywhere and not territories,
        territories=list(territories),
        organisation=organisation,
        roles=[session.scalars(select(Role).where(Role.name == role)).one()],
    )
    session.add(made)
    session.flush()
    return made


def actor(session: Session, role: str, **facts) -> Actor:
    return actor_of(session, user(session, role, **facts))


def token(session: Session, person: User) -> str:
    return tokens.issue(session, person, name="test", by=SYSTEM, now=NOW)


def organisation(session: Session, name: str | None = None, kind: str = "owner") -> Organisation:
    made = Organisation(id=uuid.uuid4(), name=name or f"Owner {next(_numbers)}", kind=kind)
    session.add(made)
    session.flush()
    return made


def commune(
    session: Session,
    *,
    code: str | None = None,
    name: str = "Xã Thử Nghiệm",
    box: tuple[float, float, float, float] = (105.0, 10.0, 106.0, 11.0),
) -> Area:
    """A square commune: west, south, east, north in degrees of EPSG:4326."""
    west, south, east, north = box
    made = Area(
        level="commune",
        code=code or f"9{next(_numbers):04d}",
        name=name,
        valid_from=date(2025, 7, 1),
        synthetic=True,
        source="test",
        geom=WKTElement(
            f"MULTIPOLYGON((({west} {south},{east} {south},{east} {north},"
            f"{west} {north},{west} {south})))",
            srid=4326,
        ),
    )
    session.add(made)
    session.flush()
    return made


def tower(
    session: Session,
    *,
    code: str | None = None,
    name: str = "Trạm Thử Nghiệm",
    structure_type: str = "lattice_self_support",
    latitude: float = 10.46,
    longitude: float = 105.63,
    height_m: float | None = 42,
    services: Sequence[str] = ("bts",),
    commune: Area | None = None,
    owner: Organisation | None = None,
    **columns,
) -> Tower:
    made = Tower(
        id=uuid.uuid4(),
        code=code or f"DT-{next(_numbers):04d}",
        name=name,
        structure_type=structure_type,
        services=list(services),
        height_m=height_m,
        geom=to_point(Position(latitude=latitude, longitude=longitude)),
        commune_id=commune.id if commune else None,
        owner_id=owner.id if owner else None,
        **{"condition": "unchecked", "condition_reason": "never", **columns},
    )
    session.add(made)
    session.flush()
    return made


def installation(
    session: Session, tower: Tower, operator: Organisation, *, kind: str = "Panel", **columns
) -> Installation:
    """One service of an operator with one row of antennas."""
    made = Installation(
        id=uuid.uuid4(),
        tower_id=tower.id,
        operator=operator,
        **{"service": "bts", "antennas": [Antenna(kind=kind, quantity=3)], **columns},
    )
    session.add(made)
    session.flush()
    return made


def permit(session: Session, tower: Tower, **columns) -> Permit:
    """A certificate that ended with the year 2020."""
    facts = {"kind": "bts_certificate", "expires_on": date(2020, 12, 31), **columns}
    made = Permit(id=uuid.uuid4(), tower_id=tower.id, **facts)
    session.add(made)
    session.flush()
    return made


def anchor(session: Session, tower: Tower, *, number: int = 1, **columns) -> GuyAnchor:
    """An anchor about 22 m north of the mast."""
    mast = to_position(tower.geom)
    place = to_point(Position(mast.latitude + 0.0002, mast.longitude))
    made = GuyAnchor(id=uuid.uuid4(), tower_id=tower.id, number=number, geom=place, **columns)
    session.add(made)
    session.flush()
    return made


def square(x: float, y: float, half: float = 0.0001) -> list[tuple[float, float]]:
    """The ring of a square round a point, about 20 m wide: longitude before latitude."""
    return [
        (x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half),
        (x - half, y - half),
    ]  # fmt: skip


def metres_between(tower: Tower, x: float, y: float):
    """A statement that asks the database how far a point lies from a tower, on the ellipsoid."""
    there = func.ST_SetSRID(func.ST_MakePoint(x, y), 4326)
    distance = func.ST_Distance(func.geography(Tower.geom), func.geography(there))
    return select(distance).where(Tower.id == tower.id)


def born(tower: Tower, moment: str):
    """A statement that says since when a tower is in the register."""
    return update(Tower).where(Tower.id == tower.id).values(created_at=moment)
