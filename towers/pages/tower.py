"""The page of one tower and the sign for its site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import qrcode
import qrcode.image.svg
from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup

from accounts.models import Organisation
from core import audit, clock
from core.db import current_session
from core.formats import degrees, label, number
from core.geo import to_position
from core.guard import current_actor
from core.i18n import force_locale, translate
from core.pages import service_address
from core.paging import Behind
from core.policy import guard, may
from core.slots import Event, EventSource, panels, timeline
from core.words import N_
from towers import queries
from towers.coordinate_systems import WGS84, UnknownSystem, system
from towers.doors import effective, neighbour_metres, soon_days, the_tower
from towers.fields import FIELDS, Field, Group, Kind
from towers.models import Tower
from towers.queries import history
from towers.queries import parts as part_queries
from towers.rules import permit_state
from towers.texts import Names, value_text
from towers.vocabularies import unusual

LATEST_EVENTS = 14
MOST_NEIGHBOURS = 10
# Shown in the head of the page, or with the people.
ELSEWHERE = {"code", "name", "landowner", "landowner_phone", "latitude", "longitude"}
SIGNS = {"tower.create": "plus", "tower.determine": "inspection"}


def tower_routes(blueprint: Blueprint) -> None:
    """Add the page of a tower and its sign to the feature's blueprint."""
    blueprint.add_url_rule("/towers/<code>", view_func=detail)
    blueprint.add_url_rule("/towers/<code>/sign", view_func=sign)


@guard("tower.view")
def detail(code: str) -> str:
    session, tower, today = current_session(), the_tower(code), clock.today()
    condition, reason = effective(tower, today)
    soon = soon_days(session)
    within = neighbour_metres(session)
    near = queries.nearest(
        session,
        current_actor(),
        to_position(tower.geom),
        metres=within,
        limit=MOST_NEIGHBOURS,
        but=tower,
    )
    return render_template(
        "towers/detail.html",
        tower=tower,
        condition=condition,
        reason=reason,
        today=today,
        groups=filled_groups(tower),
        unfilled=[translate(one.label) for one in FIELDS if not filled(tower, one)],
        unusual=unusual(tower.structure_type, tower.planning_class, tower.bts_category),
        people=people_of(tower),
        installations=part_queries.installations(session, tower.id),
        permits=[
            (one, permit_state(one.expires_on, today=today, soon_days=soon))
            for one in part_queries.permits(session, tower.id)
        ],
        anchors=part_queries.anchors(session, tower.id),
        footprint=part_queries.footprint(session, tower.id),
        neighbours=near,
        within=within,
        timeline=timeline("tower", tower, limit=LATEST_EVENTS, cursor=request.args.get("timeline")),
        panels=panels("tower", tower),
        map_panels=panels("tower_map", tower),
        interval=queries.intervals(session).get(tower.structure_type),
    )


# Facts


def filled(tower: Tower, one: Field) -> bool:
    if one.kind is Kind.COORDINATE:
        return True
    return getattr(tower, one.name) not in (None, "", [])


def filled_groups(tower: Tower) -> list[tuple[str, list[tuple[str, str]]]]:
    """By group the label and text of each field that is filled in; no group is empty."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for group in Group:
        facts = [
            (translate(one.label), value_text(one, getattr(tower, one.name)))
            for one in FIELDS
            if one.group is group
            and one.name not in ELSEWHERE
            and one.kind is not Kind.ORGANISATION
            and filled(tower, one)
        ]
        if group is Group.PLACE:
            facts = [*place_facts(tower), *facts]
        if group is Group.STRUCTURE and tower.overall_height_m is not None:
            overall = translate(N_("Overall height above ground (m)"))
            facts.insert(0, (overall, number(tower.overall_height_m)))
        if facts:
            groups.append((group, facts))
    return groups


def place_facts(tower: Tower) -> list[tuple[str, str]]:
    """Where a tower stands: its commune, WGS 84, and the original coordinates where others."""
    position = to_position(tower.geom)
    facts = [
        (
            translate(N_("Coordinates (WGS 84)")),
            f"{degrees(position.latitude)}, {degrees(position.longitude)}",
        )
    ]
    if tower.source_srid in (None, WGS84.srid) or tower.source_x is None or tower.source_y is None:
        return facts
    try:
        of = system(tower.source_srid)
    except UnknownSystem:
        return facts
    digits = 2 if of.metric else 6
    north, east = f"{tower.source_y:.{digits}f}", f"{tower.source_x:.{digits}f}"
    named = translate(N_("Original coordinates: %(system)s"), system=of.name)
    return [*facts, (named, f"X (N) {north} · Y (E) {east}")]


@dataclass(frozen=True)
class Person:
    """Somebody to ask about a tower."""

    role: str
    name: str
    organisation: Organisation | None = None
    contact: str = ""
    phones: Sequence[str] = ()
    email: str = ""


def people_of(tower: Tower) -> list[Person]:
    """The owner, the manager and the owner of the land, with their phones."""
    found = [
        _office(translate(role), one)
        for role, one in ((N_("Owner"), tower.owner), (N_("Manager"), tower.manager))
        if one is not None
    ]
    if tower.landowner or tower.landowner_phone:
        found.append(
            Person(
                translate(N_("Owner of the land or house")),
                tower.landowner,
                phones=[tower.landowner_phone] if tower.landowner_phone else [],
            )
        )
    return found


def _office(role: str, one: Organisation) -> Person:
    # Who has no need of its people's addresses reads that of the office.
    knows = may(current_actor(), "organisation.contacts", one)
    phones = dict.fromkeys(filter(None, (one.responsible_phone, one.phone)))
    return Person(
        role,
        one.name,
        one,
        one.responsible_person,
        list(phones),
        (knows and one.responsible_email) or one.email,
    )


# Timeline


def register_events(tower: Tower, limit: int, behind: Behind) -> list[Event]:
    """What history says of the register: each change with the names of what it changed."""
    rows = history.behind(current_session(), tower, behind, limit=limit)
    return [
        Event(
            entry.at,
            label(entry.action, "audit_action"),
            f"{changed_names(entry)} · {entry.actor}".removeprefix(" · "),
            url_for("towers.history", code=tower.code) + f"#e{entry.id}",
            SIGNS.get(entry.action, "edit"),
            key=audit.key_of(entry),
        )
        for entry in rows
    ]


def changed_names(entry: Any) -> str:
    """What an edit changed, by its labels; nothing for a new tower, of which everything is new."""
    if not entry.before or ":" in next(iter(entry.before), ""):
        return ""
    nobody = Names({}, {})
    labels = [nobody.change(*one).name for one in history.changes(entry)]
    return ", ".join(labels[:6]) + (" …" if len(labels) > 6 else "")


TOWER_EVENTS = EventSource(register_events, "tower.view", "register")


# Sign


@guard("tower.view")
def sign(code: str) -> str:
    """A page to print and fix at the site: what it is, whose it is, and the code that opens it."""
    tower = the_tower(code)
    address = service_address(current_session()) + url_for("towers.detail", code=tower.code)
    # What hangs at the site speaks Vietnamese, whoever prints it.
    with force_locale("vi"):
        words = {name: translate(text) for name, text in ON_SIGNS.items()}
        height = number(tower.height_m)
    return render_template(
        "towers/sign.html",
        tower=tower,
        address=address,
        code=qr_code(address),
        words=words,
        height=height,
    )


ON_SIGNS = {
    "owner": N_("Owner"),
    "phone": N_("Phone"),
    "height": N_("Height (m)"),
    "commune": N_("Commune"),
    "danger": N_(
        "Danger: do not climb. Report damage by the phone number above or to the commune."
    ),
}


def qr_code(text: str) -> Markup:
    """A QR code as a drawing inside the page, with room for dirt on it (level Q)."""
    drawn = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_Q, border=2)
    drawn.add_data(text)
    drawn.make(fit=True)
    image = drawn.make_image(image_factory=qrcode.image.svg.SvgPathImage)
    # Its only content are the squares: no text of a tower stands in it.
    return Markup(image.to_string(encoding="unicode"))  # noqa: S704
