"""Settings that the department changes while the service runs: data in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.errors import Invalid
from core.geo import Envelope
from core.i18n import N_
from core.model import Base
from core.policy import Actor


# Settings that are a distance, and the most that each may be.
METRES = {"nearest_commune_m": 100_000, "duplicate_metres": 1_000, "similar_metres": 1_000}


class Setting(Base):
    """A named value; the migrations put the defaults in."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    updated_at: Mapped[datetime | None]
    updated_by: Mapped[str | None]


def value_of(session: Session, key: str) -> Any:
    """The value of a setting, or `None` where nobody set it."""
    setting = session.get(Setting, key)
    return setting.value if setting else None


def envelope(session: Session) -> Envelope:
    """The box (degrees, EPSG:4326) in which every tower of this deployment lies."""
    return Envelope(*value_of(session, "envelope"))


def set_value(session: Session, key: str, value: Any, *, by: Actor, now: datetime) -> None:
    """Change one setting; raises `Invalid` for a value that its kind does not allow."""
    if key == "envelope":
        value = _envelope_value(value)
    elif key in METRES:
        value = _metres_value(value, at_most=METRES[key])
    elif value_of(session, key) is None:
        raise Invalid(N_("There is no setting named “%(key)s”"), key=key)
    before = value_of(session, key)
    session.execute(
        insert(Setting)
        .values(key=key, value=value, updated_at=now, updated_by=by.email)
        .on_conflict_do_update(
            index_elements=["key"], set_={"value": value, "updated_at": now, "updated_by": by.email}
        )
    )
    session.expire_all()
    audit.record(
        session,
        "setting.change",
        "setting",
        key,
        by=by,
        now=now,
        before={"value": before},
        after={"value": value},
    )


def _envelope_value(value: Any) -> list[float]:
    try:
        west, south, east, north = (float(part) for part in value)
    except (TypeError, ValueError):
        west, south, east, north = 0.0, 0.0, 0.0, 0.0
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise Invalid(
            N_("An envelope is west, south, east, north in degrees, for example 102,7,118,24")
        )
    return [west, south, east, north]


def _metres_value(value: Any, *, at_most: float) -> float:
    try:
        metres = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        metres = -1.0
    if not 0 <= metres <= at_most:
        raise Invalid(N_("This is a number of metres from 0 to %(most)s"), most=int(at_most))
    return metres
