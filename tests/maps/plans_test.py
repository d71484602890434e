"""What the map asks: signs and clusters of a box by the spatial index."""

from __future__ import annotations

import pytest

from tests.plans import Crowd, the_one

NEAR = "105.50,10.50,105.54,10.54"


@pytest.mark.parametrize("zoom", [13, 18])
def test_the_signs_of_a_box_use_the_spatial_index(crowd: Crowd, zoom):
    asked = crowd.get("/map/towers.json", bbox=NEAR, zoom=zoom)
    signs = the_one(asked, "&&", "ORDER BY tower.code")
    counted = the_one(asked, "&&", "count(*)")
    for one in (signs, counted):
        assert "ix_tower_geom_3857" in one.indexes, one.plan
        assert not one.reads_whole("tower")


def test_clusters_of_a_part_use_the_spatial_index(crowd: Crowd):
    asked = crowd.get("/map/towers.json", bbox="105.2,10.2,105.5,10.5", zoom=9)
    clusters = the_one(asked, "&&", "GROUP BY")
    assert "ix_tower_geom_3857" in clusters.indexes, clusters.plan


@pytest.mark.parametrize("filters", [{"condition": "dangerous"}, {"commune": "80123"}], ids=str)
def test_a_filtered_box_reads_no_whole_table(crowd: Crowd, filters):
    asked = crowd.get("/map/towers.json", bbox=NEAR, zoom=13, **filters)
    signs = the_one(asked, "&&", "ORDER BY tower.code")
    assert not signs.reads_whole("tower"), signs.plan


def test_the_popup_of_a_tower_uses_its_key(crowd: Crowd):
    place = crowd.client.get("/map/places/T-00077.json").json
    asked = crowd.get(f"/map/towers/{place['id']}.json")
    assert "pk_tower" in the_one(asked, "FROM tower").indexes


def test_the_statements_of_a_feed_do_not_grow_with_its_towers(crowd: Crowd):
    few = crowd.get("/map/towers.json", bbox="105.50,10.50,105.51,10.51", zoom=18)
    many = crowd.get("/map/towers.json", bbox="105.2,10.2,105.5,10.5", zoom=18)
    assert len(few) == len(many)


def test_a_near_tile_uses_the_spatial_index(crowd: Crowd):
    (made,) = [
        one for one in crowd.get("/tiles/towers/14/12993/7711.mvt") if "ST_AsMVT(" in one.sql
    ]
    assert "ix_tower_geom_3857" in made.indexes, made.plan
    assert not made.reads_whole("tower"), made.plan


@pytest.mark.parametrize(
    "filters", [{}, {"condition": "ok"}, {"due_within": 30}, {"commune": "80123"}], ids=str
)
def test_a_tile_from_afar_reads_no_tower(crowd: Crowd, filters):
    for path in ("/tiles/towers/8/203/120.mvt", "/tiles/towers/counts.json"):
        for one in crowd.get(path, **filters):
            assert "FROM tower " not in one.sql, one.sql
