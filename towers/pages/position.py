"""Whether a position can be right, while somebody types it and before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from areas import queries as areas
from areas.models import Area
from areas.rules import Level
from core import store
from core.db import current_session
from core.formats import number
from core.geo import Position
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.words import N_
from towers.coordinate_systems import (
    WGS84,
    NoSuchPlace,
    from_wgs84,
    systems_of_province,
    tm3_zones,
)
from towers.coordinates import Reading
from towers.doors import the_tower
from towers.forms import read_given, shown_reading
from towers.mistakes import MISTAKES, Mistake
from towers.models import Tower
from towers.places import Hint, PlaceCheck, check_place

LONGEST_TEXT = 200
EVIDENCE = {
    "commune_and_tower": N_("then it lies in the stated commune, where a known tower stands"),
    "commune": N_("then it lies in the stated commune"),
    "tower": N_("a known tower stands exactly there"),
    "province": N_("then it lies in the province"),
    "area": N_("then it lies in a commune of the province"),
}


def position_routes(blueprint: Blueprint) -> None:
    """Add the check of a position to the feature's blueprint."""
    blueprint.add_url_rule("/towers/new/position.json", view_func=position)


@dataclass(frozen=True)
class Doubts:
    """Why a position is asked about once more: reasons for the reader, and likely mistakes."""

    reasons: list[str]
    hints: list[dict[str, Any]]

    def __bool__(self) -> bool:
        return bool(self.reasons or self.hints)


def stated_commune(code: str) -> Area | None:
    return areas.area_by_code(current_session(), Level.COMMUNE, code) if code else None


def checked_place(reading: Reading, stated: Area | None, tower: Tower | None) -> PlaceCheck:
    return check_place(
        current_session(), reading, by=current_actor(), stated_commune=stated, but=tower
    )


def doubts_about(check: PlaceCheck, stated: Area | None) -> Doubts:
    """What speaks against a position, in words."""
    reasons: list[str] = []
    if check.far and areas.communes(current_session()):
        reasons.append(translate(N_("The position lies in no commune of the register.")))
    if stated is not None and check.in_stated_commune is False:
        away = number(check.metres_from_stated or 0, 0)
        reasons.append(
            translate(
                N_("The position lies %(away)s m outside %(commune)s, which the papers name."),
                away=away,
                commune=stated.name,
            )
        )
    return Doubts(reasons, [hint_body(one) for one in check.hints])


def hint_body(hint: Hint) -> dict[str, Any]:
    """A likely mistake with the fields that undo it."""
    one = hint.alternative
    return {
        "text": translate(hint.text),
        "why": translate(EVIDENCE[hint.evidence]),
        "system": one.system.name,
        **shown_reading(Reading(one.position, one.system, one.x, one.y)),
    }


def swapped_back(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The hint that undoes two fields that can only be read the other way round."""
    first, second = given["latitude"], given["longitude"]
    reading, _ = read_given(
        {**given, "latitude": second, "longitude": first}, store.envelope(current_session())
    )
    if given["anything"] or reading is None:
        return []
    return [
        {
            "text": translate(MISTAKES[Mistake.SWAPPED]),
            "why": translate(N_("then it lies in the area of this deployment")),
            "system": reading.system.name,
            **shown_reading(reading),
        }
    ]


def confirmation_of(given: dict[str, Any]) -> str:
    """What a confirmation is about: the position as it was typed, and the commune beside it."""
    return "|".join(given[name] for name in ("srid", "latitude", "longitude", "stated_commune"))


def in_vn2000(position: Position, commune: Area | None) -> list[dict[str, str]]:
    """A position in the zones that papers of its province use, northing before easting.

    Where no province is known, in the zone whose central meridian is the nearest.
    """
    systems = systems_of_province(commune.parent.name) if commune and commune.parent else ()
    if not systems:
        zones = tm3_zones()
        systems = (min(zones, key=lambda one: abs((one.meridian or 0) - position.longitude)),)
    found: list[dict[str, str]] = []
    for one in systems:
        try:
            east, north = from_wgs84(position, one)
        except NoSuchPlace:
            continue
        found.append({"system": one.name, "north": f"{north:.2f}", "east": f"{east:.2f}"})
    return found


@guard("tower.view")
def position() -> Response:
    """What is known about a position: where it lies, who is near, and what may be wrong with it.

    Asked while somebody types: `latitude` and `longitude` in the system `srid`, or a pasted `text`;
    `commune` is the one that the papers name, `tower` the code of the tower that is changed.
    """
    given = {
        "srid": request.args.get("srid", str(WGS84.srid))[:10],
        "anything": request.args.get("text", "")[:LONGEST_TEXT],
        "latitude": request.args.get("latitude", "")[:LONGEST_TEXT],
        "longitude": request.args.get("longitude", "")[:LONGEST_TEXT],
    }
    reading, problems = read_given(given, store.envelope(current_session()))
    if reading is None:
        texts = dict.fromkeys(translate(message, **facts) for _, message, facts in problems)
        return jsonify(problems=list(texts), hints=swapped_back(given))
    commune = request.args.get("commune", "").replace("\x00", "")[:20]
    stated = stated_commune(commune)
    changed = request.args.get("tower", "")
    check = checked_place(reading, stated, the_tower(changed) if changed else None)
    doubts = doubts_about(check, stated)
    near = check.nearest
    return jsonify(
        problems=[],
        latitude=reading.position.latitude,
        longitude=reading.position.longitude,
        fields=shown_reading(reading),
        notes=[translate(message, **facts) for message, facts in reading.notes],
        commune=check.commune.name if check.commune else None,
        vn2000=in_vn2000(reading.position, check.commune),
        nearest={"code": near[0].code, "name": near[0].name, "metres": round(near[1])}
        if near
        else None,
        doubts=doubts.reasons,
        hints=doubts.hints,
    )
