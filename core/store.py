"""Settings that the department changes while the service runs: data in the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import event, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from core import audit
from core.errors import Invalid
from core.geo import Envelope
from core.i18n import N_
from core.model import Base
from core.policy import Actor

# Where a session keeps the settings that it has read.
KNOWN = "settings"


class Setting(Base):
    """A named value; the migrations put the defaults in."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    updated_at: Mapped[datetime | None]
    updated_by: Mapped[str | None]


def value_of(session: Session, key: str) -> Any:
    """The value of a setting, or `None` where nobody set it; asked once in a session."""
    known = session.info.setdefault(KNOWN, {})
    if key not in known:
        known[key] = kept_value(session, key)
    return known[key]


def kept_value(session: Session, key: str) -> Any:
    """The value as it stands in the table at this moment."""
    return session.scalar(select(Setting.value).where(Setting.key == key))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _: SessionTransaction) -> None:
    """What was read may have been taken back."""
    session.info.pop(KNOWN, None)


def envelope(session: Session) -> Envelope:
    """The box (degrees, EPSG:4326) in which every tower of this deployment lies."""
    return Envelope(*value_of(session, "envelope"))


def set_value(session: Session, key: str, value: Any, *, by: Actor, now: datetime) -> None:
    """Change one setting; raises `Invalid` for a value that its kind does not allow."""
    before = kept_value(session, key)
    if key in KINDS:
        value = KINDS[key](value)
    elif before is None:
        raise Invalid(N_("There is no setting named “%(key)s”"), key=key)
    session.execute(
        insert(Setting)
        .values(key=key, value=value, updated_at=now, updated_by=by.email)
        .on_conflict_do_update(
            index_elements=["key"], set_={"value": value, "updated_at": now, "updated_by": by.email}
        )
    )
    session.expire_all()
    session.info.pop(KNOWN, None)
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


def _days_value(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST_DAYS:
        raise Invalid(N_("A number of days is a whole number from 1 to %(most)s"), most=MOST_DAYS)
    return value


def _count_value(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST_COUNT:
        raise Invalid(N_("This is a whole number from 1 to %(most)s"), most=MOST_COUNT)
    return value


def _rows_value(value: Any, *, at_most: int) -> int:
    if type(value) is not int or not 1 <= value <= at_most:
        raise Invalid(N_("A number of rows is a whole number from 1 to %(most)s"), most=at_most)
    return value


def _email_value(value: Any) -> str:
    if value == "":
        return value
    if not isinstance(value, str) or len(value) > 254 or not ADDRESS.match(value):
        raise Invalid(N_("This is empty or an e-mail address such as phong-hatang@example.vn"))
    return value


def _name_value(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 300 or not value.isprintable():
        raise Invalid(N_("This is a name of up to 300 letters, or empty"))
    return value.strip()


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(N_("This setting is true or false"))
    return value


def _hours_value(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 720:
        raise Invalid(N_("A number of hours is a whole number from 1 to 720"))
    return value


def _seconds_value(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 86_400:
        raise Invalid(N_("A number of seconds is a whole number from 1 to 86400"))
    return value


def _pixels_value(value: Any) -> int:
    if type(value) is not int or not 400 <= value <= 8_000:
        raise Invalid(N_("A number of pixels is a whole number from 400 to 8000"))
    return value


def _minutes_value(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 1_440:
        raise Invalid(N_("A number of minutes is a whole number from 1 to 1440"))
    return value


def _factor_value(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
        raise Invalid(N_("A factor is a number from 0 to 10"))
    return value


def _address_value(value: Any) -> str:
    wrong = Invalid(
        N_("The address of the service is empty or begins as in https://thap.example.vn")
    )
    if value == "":
        return value
    if not isinstance(value, str) or len(value) > 300 or any(letter.isspace() for letter in value):
        raise wrong
    try:
        parts = urlsplit(value)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise wrong from error
    beside = parts.query or parts.fragment or parts.username is not None
    if parts.scheme not in {"http", "https"} or not known or beside:
        raise wrong
    return value.rstrip("/")


def _tile_server_value(value: Any) -> str:
    wrong = Invalid(
        N_(
            "The address of a tile server is empty or as in"
            " https://tiles.example.vn/{z}/{x}/{y}.png"
        )
    )
    if value == "":
        return value
    if not isinstance(value, str) or len(value) > 300 or not TILE_SERVER.match(value):
        raise wrong
    places = [value.count(one) for one in ("{z}", "{x}", "{y}", "{", "}")]
    if places != [1, 1, 1, 3, 3]:
        raise wrong
    return value


def _text_value(value: Any, *, at_most: int) -> str:
    if not isinstance(value, str) or len(value) > at_most or "\x00" in value or "\n" in value:
        raise Invalid(N_("This setting is a text of one line"))
    return " ".join(value.split())


def _letters_value(value: Any) -> int:
    if type(value) is not int or not 8 <= value <= 64:
        raise Invalid(N_("A length of passwords is a whole number from 8 to 64"))
    return value


def _names_value(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(
        isinstance(one, str) and NAME.match(one) for one in value
    ):
        raise Invalid(N_('This is a list of names, as in ["admin", "staff"]'))
    return sorted(set(value))


def _name_of_each_value(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        isinstance(one, str) and NAME.match(one) for one in value.values()
    ):
        raise Invalid(N_('This says a name for each value, as in {"tower-staff": "staff"}'))
    return value


NAME = re.compile(r"[a-z][a-z_]{0,39}\Z")
MOST_DAYS = 3650
MOST_COUNT = 10_000
ADDRESS = re.compile(r"[^@\s<>\",;:]+@[^@\s<>\",;:]+\Z")
# Only what a policy of browsers can name by its host, and no sign with a meaning of its own there.
TILE_SERVER = re.compile(
    r"https://[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[1-9][0-9]{0,4})?"
    r"/[A-Za-z0-9{}/._~@&=?%+-]+\Z"
)
# What the value of a setting must be: each function gives it as it is kept, or raises `Invalid`.
KINDS: dict[str, Callable[[Any], Any]] = {
    "assessment_days": _days_value,
    "at_tower_m": partial(_metres_value, at_most=5_000),
    "clock_minutes": _minutes_value,
    "clock_skew_s": _seconds_value,
    "device_days": _days_value,
    "due_soon_days": _days_value,
    "export_days": _days_value,
    "export_rows_at_once": partial(_rows_value, at_most=1_000_000),
    "duplicate_metres": partial(_metres_value, at_most=1_000),
    "emergency_hours": _hours_value,
    "envelope": _envelope_value,
    "escalation_address": _email_value,
    "escalation_days": _days_value,
    "escalation_name": _name_value,
    "fall_zone_building_factor": _factor_value,
    "fall_zone_factor": _factor_value,
    "inspection_soon_days": _days_value,
    "invitation_days": _days_value,
    "keep_receipts_days": _days_value,
    "load_safety_critical_days": _days_value,
    "load_safety_major_days": _days_value,
    "moved_metres": partial(_metres_value, at_most=100_000),
    "nearest_commune_m": partial(_metres_value, at_most=100_000),
    "neighbour_m": partial(_metres_value, at_most=20_000),
    "notice_agency": partial(_text_value, at_most=200),
    "notice_authority": partial(_text_value, at_most=200),
    "notice_link_days": _days_value,
    "notice_place": partial(_text_value, at_most=100),
    "notice_symbol": partial(_text_value, at_most=40),
    "notice_two_people": _yes_or_no,
    "openid_claim": partial(_text_value, at_most=100),
    "openid_roles": _name_of_each_value,
    "owner_reminders": _yes_or_no,
    "password_length": _letters_value,
    "password_length_two_factor": _letters_value,
    "partial_upload_days": _days_value,
    "pdf_rows": partial(_rows_value, at_most=5_000),
    "permit_soon_days": _days_value,
    "photo_long_edge_px": _pixels_value,
    "public_url": _address_value,
    "reminder_address": _email_value,
    "required_second_factor": _names_value,
    "reset_link_minutes": _minutes_value,
    "same_place_metres": partial(_metres_value, at_most=1_000),
    "session_days": _days_value,
    "session_hours": _hours_value,
    "sign_in_hourly_failures": _count_value,
    "sign_in_wait_minutes": _minutes_value,
    "retention_export_days": _days_value,
    "retention_message_days": _days_value,
    "retention_session_days": _days_value,
    "retention_token_days": _days_value,
    "similar_metres": partial(_metres_value, at_most=1_000),
    "statistics_least": _count_value,
    "tile_attribution": partial(_text_value, at_most=200),
    "tile_server": _tile_server_value,
    "token_days": _days_value,
    "two_inspectors_days": _days_value,
    "two_people": _yes_or_no,
    "upload_days": _days_value,
    "view_as_minutes": _minutes_value,
}
