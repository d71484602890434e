"""The doors of the map: the page, its documents, and the data that they ask for by address."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from areas import queries as areas
from areas.api import boundaries_answer, geojson_answer
from areas.models import Area
from core import clock, store
from core.db import current_session
from core.errors import NotFound
from core.geo import to_position
from core.guard import current_actor
from core.i18n import current_language
from core.policy import guard
from core.slots import Panel
from inspections.queries import campaigns
from maps import queries
from maps.doors import asked_box, asked_then, asked_zoom, document, map_filters
from maps.islands import islands_text
from towers import queries as towers
from towers.api import body
from towers.doors import (
    effective,
    fall_zone_of,
    filter_choices,
    neighbour_metres,
    the_tower,
)
from towers.downloads import export_choices
from towers.models import Tower
from towers.queries import parts

blueprint = Blueprint("maps", __name__, template_folder="templates")
MOST_NEIGHBOURS = 50


def tower_map(tower: Tower) -> dict[str, Any]:
    radius = fall_zone_of(current_session(), tower)
    return {"tower": tower, "radius": radius}


def area_map(area: Area) -> dict[str, Any]:
    return {"area": area}


TOWER_MAP_PANELS = (Panel("maps/_tower_map.html", tower_map, "tower.view"),)
AREA_MAP_PANELS = (Panel("maps/_area_map.html", area_map, "area.view"),)


@blueprint.get("/map")
@guard("tower.view")
def page() -> str:
    """The page around the map: constant in size, whatever the number of towers."""
    session, filters = current_session(), map_filters()
    # A day that cannot be shown is refused here already, with its reason.
    asked_then(filters)
    due_days = int(store.value_of(session, "inspection_soon_days"))
    return render_template(
        "maps/page.html",
        due_days=due_days,
        due_before=clock.today() + timedelta(days=due_days + 1),
        filters=filters,
        campaigns=campaigns.offered(session, current_actor(), filters.campaign),
        **filter_choices(owners=False),
        **export_choices(),
        synthetic=areas.any_synthetic(session),
        query=request.query_string.decode("ascii", "ignore"),
    )


def _drawn(name: str) -> Any:
    """A document in the language of its reader.

    Folium takes half a second to read: whoever first looks at a map waits for it, no command does.
    """
    from maps.render import documents

    return getattr(documents, name)(current_language())


@blueprint.get("/map/document")
@guard("tower.view")
def map_document() -> Response:
    return document(_drawn("violation_map"))


@blueprint.get("/map/picker")
@guard("tower.view")
def picker() -> Response:
    return document(_drawn("picker_map"))


@blueprint.get("/map/import/<uuid:batch_id>")
@guard("import.view")
def import_document(batch_id: uuid.UUID) -> Response:
    return document(_drawn("import_map"))


@blueprint.get("/map/choose")
@guard("campaign.plan")
def choose_document() -> Response:
    """Where an area is drawn; the filters of the towers around it stand in the address."""
    return document(_drawn("choose_map"))


@blueprint.get("/map/campaign/<uuid:campaign_id>")
@guard("campaign.view")
def campaign_document(campaign_id: uuid.UUID) -> Response:
    return document(_drawn("campaign_map"))


@blueprint.get("/map/places")
@guard("tower.view")
def places_document() -> Response:
    """One or more places, numbered, among the towers around them; they stand in the address."""
    return document(_drawn("places_map"))


@blueprint.get("/map/tower/<code>")
@guard("tower.view")
def tower_document(code: str) -> Response:
    return document(_drawn("tower_map"))


@blueprint.get("/map/area/<int:area_id>")
@guard("area.view")
def area_document(area_id: int) -> Response:
    return document(_drawn("area_map"))


@blueprint.get("/map/campaigns/<uuid:campaign_id>.json")
@guard("campaign.view")
def campaign_features(campaign_id: uuid.UUID) -> Response:
    """The towers of a campaign in a box by where they stand, and the box of all of them."""
    session, actor, today = current_session(), current_actor(), clock.today()
    found = campaigns.campaign(session, actor, campaign_id)
    if found is None:
        raise NotFound()
    box, zoom = asked_box(), asked_zoom()
    return jsonify(queries.campaign_features(session, actor, found.id, box, zoom, today=today))


@blueprint.get("/map/extent.json")
@guard("tower.view")
def extent() -> Response:
    """Where to look first: the matching towers, else the areas, else nowhere."""
    session, filters = current_session(), map_filters()
    box = queries.extent(
        session, current_actor(), filters, today=clock.today(), then=asked_then(filters)
    ) or areas.extent(session)
    return jsonify(box=box)


@blueprint.get("/map/communes.geojson")
@guard("area.view")
def communes() -> Response:
    return boundaries_answer("commune")


@blueprint.get("/map/areas/<int:area_id>.geojson")
@guard("area.view")
def area_boundary(area_id: int) -> Response:
    """The boundary of one area, of today or of the past."""
    found = areas.area(current_session(), area_id)
    if found is None:
        raise NotFound()
    return geojson_answer(areas.boundary(current_session(), found.id))


@blueprint.get("/map/islands.json")
@guard("area.view")
def islands() -> Response:
    return Response(islands_text(), content_type="application/json")


@blueprint.get("/map/owners.json")
@guard("tower.view")
def owners() -> Response:
    found = towers.owners_with_towers(current_session(), current_actor())
    return jsonify(owners=[{"id": str(key), "name": name} for key, name in found])


@blueprint.get("/map/towers/<uuid:tower_id>.json")
@guard("tower.view")
def tower_details(tower_id: uuid.UUID) -> Response:
    """What the popup of a tower says."""
    found = towers.by_id(current_session(), current_actor(), tower_id)
    if found is None:
        raise NotFound()
    return jsonify(body(found, clock.today()))


@blueprint.get("/map/places/<code>.json")
@guard("tower.view")
def tower_by_code(code: str) -> Response:
    """The place and condition of one tower, for its small map."""
    return jsonify(body(the_tower(code), clock.today()))


@blueprint.get("/map/surroundings/<code>.json")
@guard("tower.view")
def surroundings(code: str) -> Response:
    """What the small map draws round a tower: where it may fall, anchors, ground, neighbours."""
    session, tower = current_session(), the_tower(code)
    radius = fall_zone_of(session, tower)
    near = towers.nearest(
        session,
        current_actor(),
        to_position(tower.geom),
        metres=neighbour_metres(session),
        limit=MOST_NEIGHBOURS,
        but=tower,
    )
    return jsonify(
        fall_zone=None
        if radius is None
        else {"radius_m": float(radius), "geometry": parts.ring(session, tower.id, float(radius))},
        footprint=parts.footprint(session, tower.id),
        anchors=[
            {
                "number": one.anchor.number,
                "latitude": one.position.latitude,
                "longitude": one.position.longitude,
                "distance_m": round(one.distance_m, 1),
            }
            for one in parts.anchors(session, tower.id)
        ],
        neighbours=[
            {
                "code": other.code,
                **vars(to_position(other.geom)),
                "condition": effective(other, clock.today())[0],
                "metres": round(away),
            }
            for other, away in near
        ],
    )
