"""Whether a position can be right: its commune, its neighbours, and the mistake that explains it.

Coordinates alone look alike whatever system they are in. The paper's commune tells them apart: the
reading that lands inside it is the one that was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from areas import queries as areas
from areas.models import Area
from areas.places import placement_of
from core import store
from core.policy import Actor
from towers import queries
from towers.coordinate_systems import systems_of_province
from towers.coordinates import Reading
from towers.mistakes import MISTAKES, Alternative, alternatives
from towers.models import Tower

# A position this near to a known tower is that tower, with any receiver of today.
SAME_PLACE_M = 20
# Nearer than this to a known tower, nothing has to be explained.
NEIGHBOUR_M = 100
# How far the nearest tower is looked for.
NEAREST_WITHIN_M = 5_000
MAX_HINTS = 5


class Evidence(StrEnum):
    """Why a mistake is likely, the strongest first: where its undoing lands."""

    COMMUNE_AND_TOWER = "commune_and_tower"
    COMMUNE = "commune"
    TOWER = "tower"
    PROVINCE = "province"
    AREA = "area"


@dataclass(frozen=True)
class Hint:
    """A likely mistake: what it is, and the position (EPSG:4326) once it is undone."""

    alternative: Alternative
    evidence: Evidence

    @property
    def text(self) -> str:
        """The name of the mistake, to be translated."""
        return MISTAKES[self.alternative.mistake]


@dataclass(frozen=True)
class PlaceCheck:
    """What is known about a position; distances in metres.

    `far` says that it lies outside all communes, and too far from each to belong to it.
    `in_stated_commune`, `metres_from_stated` and `in_stated_province` are `None` where the paper
    named none or no boundary is known. `nearest` is a tower that the reader may see.
    """

    inside_envelope: bool
    commune: Area | None
    far: bool
    in_stated_commune: bool | None
    metres_from_stated: float | None
    in_stated_province: bool | None
    nearest: tuple[Tower, float] | None
    hints: tuple[Hint, ...]

    @property
    def plausible(self) -> bool:
        """Nothing speaks against the position."""
        return (
            self.inside_envelope
            and self.in_stated_commune is not False
            and self.in_stated_province is not False
            and not self.hints
        )


def check_place(
    session: Session,
    reading: Reading,
    *,
    by: Actor,
    stated_commune: Area | None = None,
    stated_province: Area | None = None,
    but: Tower | None = None,
) -> PlaceCheck:
    """Compare a position with the commune and province that the paper names, and with the towers.

    `but` is the tower that the position is given for: where it stood proves nothing.

    The hints are the mistakes whose undoing lands in the stated commune; where none does, on a
    known tower, then in the province, then in any commune. A position that is right by all of
    these has hints only when a known tower stands where a mistake would have moved it from.
    """
    envelope = store.envelope(session)
    position = reading.position
    province = stated_province or (stated_commune.parent if stated_commune else None)
    commune = areas.commune_of(session, position)
    away = areas.metres_to(session, stated_commune, position) if stated_commune else None
    in_commune = None if away is None else away == 0
    in_province = areas.province_covers(session, province, [position])[0] if province else None
    near = queries.nearest(session, by, position, metres=NEAREST_WITHIN_M, limit=1, but=but)
    inside = envelope.contains(position)
    if in_commune is not None:
        fits = in_commune
    elif in_province is not None:
        fits = in_province
    else:
        fits = commune is not None
    hints = _hints(
        session,
        [one for one in alternatives(reading) if envelope.contains(one.position)],
        by=by,
        stated_commune=stated_commune,
        province=province,
        fits=inside and fits,
        alone=not near or near[0][1] > NEIGHBOUR_M,
        but=but,
    )
    return PlaceCheck(
        inside_envelope=inside,
        commune=commune,
        far=commune is None and placement_of(session, position).commune is None,
        in_stated_commune=in_commune,
        metres_from_stated=away,
        in_stated_province=in_province,
        nearest=near[0] if near else None,
        hints=hints,
    )


def _hints(
    session: Session,
    others: list[Alternative],
    *,
    by: Actor,
    stated_commune: Area | None,
    province: Area | None,
    fits: bool,
    alone: bool,
    but: Tower | None,
) -> tuple[Hint, ...]:
    positions = [one.position for one in others]
    if alone:
        distances = queries.metres_to_nearest(session, by, positions, metres=SAME_PLACE_M, but=but)
    else:
        distances = [None] * len(positions)
    communes = areas.communes_of(session, positions)
    in_province = [False] * len(positions)
    if province is not None and not fits:
        in_province = areas.province_covers(session, province, positions)
    found: list[Hint] = []
    for one, commune, metres, covered in zip(others, communes, distances, in_province, strict=True):
        stated = (
            stated_commune is not None and commune is not None and commune.id == stated_commune.id
        )
        evidence = _evidence(stated, metres is not None, covered, commune is not None, fits)
        if evidence is not None:
            found.append(Hint(one, evidence))
    if not found:
        return ()
    order = list(Evidence)
    strongest = min(order.index(hint.evidence) for hint in found)
    usual = systems_of_province(province.name) if province else ()
    best = [hint for hint in found if order.index(hint.evidence) == strongest]
    best.sort(key=lambda hint: hint.alternative.system not in usual)
    return tuple(best[:MAX_HINTS])


def _evidence(
    stated: bool, tower: bool, province: bool, commune: bool, fits: bool
) -> Evidence | None:
    if tower:
        return Evidence.COMMUNE_AND_TOWER if stated else Evidence.TOWER
    if fits:
        return None
    if stated:
        return Evidence.COMMUNE
    if province:
        return Evidence.PROVINCE
    return Evidence.AREA if commune else None
