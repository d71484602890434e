"""What the map asks: near tiles by the spatial index, those from afar without the register."""

from __future__ import annotations

import pytest

from tests.plans import Crowd, the_one


def test_the_popup_of_a_tower_uses_its_key(crowd: Crowd):
    place = crowd.client.get("/map/places/T-00077.json").json
    asked = crowd.get(f"/map/towers/{place['id']}.json")
    assert "pk_tower" in the_one(asked, "FROM tower").indexes


def test_a_near_tile_uses_the_spatial_index(crowd: Crowd):
    (made,) = [
        one for one in crowd.get("/tiles/towers/14/12993/7711.mvt") if "ST_AsMVT(" in one.sql
    ]
    assert "ix_tower_geom_3857" in made.indexes, made.plan
    assert not made.reads_whole("tower"), made.plan


@pytest.mark.parametrize(
    "filters", [{}, {"condition": "ok"}, {"due_within": 30}, {"commune": "80123"}], ids=str
)
def test_from_afar_no_more_towers_are_read_than_are_shown(crowd: Crowd, filters):
    for path in ("/tiles/towers/8/203/120.mvt", "/tiles/towers/counts.json"):
        for one in crowd.get(path, **filters):
            assert not one.reads_whole("tower"), one.plan


def test_influence_zones_of_a_view_use_the_spatial_index(crowd: Crowd):
    asked = crowd.get("/map/fall-zones.json", bbox="105.5,10.4,105.6,10.5")
    (made,) = [one for one in asked if "host_building_height_m" in one.sql]
    assert "ix_tower_geom_3857" in made.indexes, made.plan
