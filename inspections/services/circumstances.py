"""What a visit says beside its answers: who was there, when, in which weather, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from core.errors import FieldText, Invalid
from core.geo import metres_between, to_position
from core.i18n import N_
from inspections.models import Inspection
from inspections.rules.evidence import Verdict, Weather
from towers.models import Tower

MOST_PEOPLE = 20
MOST_INSTRUMENTS = 20
LONGEST_NAME = 200
LONGEST_REPRESENTATIVE = 300
LONGEST_SERIAL = 100


@dataclass(frozen=True)
class Instrument:
    """What was measured with, and until which day its calibration holds."""

    name: str
    serial: str = ""
    calibrated_until: date | None = None

    def as_json(self) -> dict[str, Any]:
        day = self.calibrated_until
        return {
            "name": self.name,
            "serial": self.serial,
            "calibrated_until": day.isoformat() if day else None,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Instrument:
        day = kept["calibrated_until"]
        return cls(kept["name"], kept["serial"], date.fromisoformat(day) if day else None)


@dataclass(frozen=True)
class Circumstances:
    """All of it may be unknown. Moments are by the clock of the device; `device_at` is when it
    sent this, which is no part of what was said."""

    team: tuple[str, ...] = ()
    representative: str = ""
    weather: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    instruments: tuple[Instrument, ...] = ()
    verdict: str | None = None
    device_at: datetime | None = None


def write(inspection: Inspection, said: Circumstances, tower: Tower, *, now: datetime) -> None:
    """Write the circumstances into a visit's row, with its distance to the tower in metres.

    Raises `Invalid` with a text for each field that is not right.
    """
    team = tuple(name.strip() for name in said.team if name.strip())
    instruments = [one for one in said.instruments if one.name.strip()]
    _check(said, team, instruments)
    inspection.team = list(team)
    inspection.representative = said.representative.strip()
    inspection.weather = said.weather
    inspection.started_at = said.started_at
    inspection.ended_at = said.ended_at
    inspection.instruments = [one.as_json() for one in instruments]
    inspection.verdict = said.verdict
    inspection.device_at = said.device_at
    inspection.received_at = now
    inspection.distance_m = None
    if inspection.position is not None:
        metres = metres_between(to_position(inspection.position), to_position(tower.geom))
        inspection.distance_m = round(Decimal(metres), 1)


def _check(said: Circumstances, team: tuple[str, ...], instruments: list[Instrument]) -> None:
    wrong: dict[str, list[FieldText]] = {}
    if len(team) > MOST_PEOPLE or any(len(name) > LONGEST_NAME for name in team):
        wrong["team"] = [N_("A team has at most 20 people, each name at most 200 characters")]
    if len(said.representative) > LONGEST_REPRESENTATIVE:
        wrong["representative"] = [N_("This text is too long")]
    if said.weather is not None and said.weather not in set(Weather):
        wrong["weather"] = [N_("Choose one of the answers")]
    if said.verdict is not None and said.verdict not in set(Verdict):
        wrong["verdict"] = [N_("Choose one of the answers")]
    if said.started_at and said.ended_at and said.ended_at < said.started_at:
        wrong["ended_at"] = [N_("The visit ends before it starts")]
    if len(instruments) > MOST_INSTRUMENTS or any(
        len(one.name) > LONGEST_NAME or len(one.serial) > LONGEST_SERIAL for one in instruments
    ):
        wrong["instruments"] = [N_("There are too many instruments, or a name is too long")]
    if wrong:
        raise Invalid(fields=wrong)
