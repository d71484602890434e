"""The base map: layers that the department loads, on every map, and the outline of its province."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock
from core.audit import AuditEntry
from core.errors import Invalid
from core.policy import SYSTEM
from core.settings import ROOT
from maps.base_models import MapFeature, MapLayer
from maps.queries import base
from maps.readers import Choice, read_shapes
from maps.rules import LayerKind, Tile
from maps.services.base_layers import Terms, load_layer, remove_layer
from tests import doors, makers
from tests.doors import answered, refused

RIVERS = ROOT.parent / "shared/data/basemap-gshhg-rivers/rivers_mekong_delta_gshhg_f.geojson"
TERMS = Terms(LayerKind.RIVER, "Sông", "Sở", "CC0")
# Where the lines of these tests run.
AT = Tile(9, 406, 241)


@pytest.fixture
def reader(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "inspector"))


def file_of(folder: Path, *features: tuple[str, Any, dict[str, Any]]) -> Path:
    made = folder / "layer.geojson"
    listed = [
        {"type": "Feature", "properties": facts, "geometry": {"type": kind, "coordinates": places}}
        for kind, places, facts in features
    ]
    made.write_text(json.dumps({"type": "FeatureCollection", "features": listed}))
    return made


def load(session: Session, path: Path, terms: Terms = TERMS) -> MapLayer:
    shapes = read_shapes(path, path.name, terms.kind, Choice())
    layer = load_layer(session, shapes, terms, by=SYSTEM, now=clock.now())
    session.commit()
    return layer


def decoded(client: FlaskClient, at: Tile) -> dict[str, list[dict[str, Any]]]:
    answer = client.get(f"/tiles/base/{at.z}/{at.x}/{at.y}.mvt")
    assert answer.status_code == 200
    layers = mapbox_vector_tile.decode(answer.data)
    return {
        name: [one["properties"] for one in layer["features"]] for name, layer in layers.items()
    }


def test_a_loaded_layer_is_in_the_tiles_until_it_is_removed(
    reader: FlaskClient, session: Session, tmp_path: Path
) -> None:
    hostile = "Sông {{7*7}} <b>Tiền</b>"
    long_line = [[105.5 + step / 2000, 10.4 + step / 4000] for step in range(600)]
    surface = [[[105.6, 10.5], [105.62, 10.5], [105.62, 10.52], [105.6, 10.52], [105.6, 10.5]]]
    path = file_of(
        tmp_path,
        ("LineString", long_line, {"ten": hostile}),
        ("LineString", [[105.6, 10.4], [105.60001, 10.4]], {"ten": "Rạch nhỏ"}),
        ("Polygon", surface, {"ten": None}),
    )
    layer = load(session, path)
    said = answered(reader.get("/map/base.json"), 200)
    facts = {"kind": "river", "name": "Sông", "source": "Sở", "licence": "CC0"}
    assert said["layers"] == [{"id": layer.id, **facts}]
    pieces = session.scalar(select(func.count()).where(MapFeature.name.is_(None)))
    assert pieces is not None and pieces > 4, "a long line is in pieces"

    found = decoded(reader, AT)
    assert {one["kind"] for one in found["shapes"]} == {"river"}
    assert [one["name"] for one in found["names"]] == [hostile]
    # From afar nothing of it is left, and near the small one is there too.
    assert decoded(reader, Tile(0, 0, 0)) == {}
    assert len(decoded(reader, Tile(20, 831870, 493828))["shapes"]) == 1

    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "layer.load")).one()
    assert (entry.after or {})["features"] == 3
    remove_layer(session, layer.id, by=SYSTEM, now=clock.now())
    session.commit()
    assert session.scalar(select(func.count()).select_from(MapFeature)) == 0
    assert decoded(reader, AT) == {}
    assert answered(reader.get("/map/base.json"), 200)["layers"] == []


def test_tiles_of_a_version_are_kept_by_the_browser(
    reader: FlaskClient, session: Session, tmp_path: Path
) -> None:
    path = file_of(tmp_path, ("LineString", [[105.5, 10.4], [106, 10.5]], {}))
    load(session, path)
    version = answered(reader.get("/map/base.json"), 200)["version"]
    address = f"/tiles/base/{AT.z}/{AT.x}/{AT.y}.mvt"
    kept = reader.get(f"{address}?v={version}")
    assert kept.cache_control.immutable and kept.cache_control.private
    again = reader.get(address, headers={"If-None-Match": kept.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    load(session, path)
    assert not reader.get(f"{address}?v={version}").cache_control.immutable
    assert reader.get(address, headers={"If-None-Match": kept.headers["ETag"]}).data
    refused(reader.get("/tiles/base/1/2/0.mvt"), 404)


@pytest.mark.parametrize(
    ("kind", "feature", "said"),
    [
        (LayerKind.ROAD, ("Point", [105, 10], {}), "Its geometry is not one"),
        (LayerKind.PLACE, ("LineString", [[105, 10], [106, 10]], {}), "Its geometry is not one"),
        (LayerKind.RIVER, ("LineString", [[605, 10], [606, 10]], {}), "does not lie on earth"),
    ],
)
def test_a_wrong_feature_is_named_and_nothing_is_read(
    tmp_path: Path, kind: LayerKind, feature: tuple[str, Any, dict[str, Any]], said: str
) -> None:
    path = file_of(tmp_path, ("LineString", [[105, 10], [106, 10]], {}), feature)
    with pytest.raises(Invalid) as caught:
        read_shapes(path, path.name, kind, Choice())
    assert said in str(caught.value.fields)


def test_the_outline_of_a_province_is_that_of_its_communes(
    reader: FlaskClient, session: Session
) -> None:
    province = Area(level="province", code="90", name="Tỉnh {{7*7}}", valid_from=date(2025, 7, 1))
    session.add(province)
    session.flush()
    for code, west in (("90001", 105.0), ("90002", 105.5)):
        part = makers.commune(session, code=code, box=(west, 10.0, west + 0.5, 10.5))
        part.parent_id = province.id
    session.commit()
    (outline,) = answered(reader.get("/map/provinces.geojson"), 200)["features"]
    assert outline["properties"]["name"] == "Tỉnh {{7*7}}"
    corners = {tuple(place) for place in outline["geometry"]["coordinates"]}
    # The edge between the two is none of its own.
    assert {(105, 10), (106, 10), (106, 10.5), (105, 10.5)} <= corners
    assert all(x in (105, 106) or y in (10, 10.5) for x, y in corners)


def test_the_rivers_of_a_public_source_are_loaded_by_the_command(
    app: Flask, session: Session, reader: FlaskClient
) -> None:
    if not RIVERS.exists():
        pytest.skip("the public set of rivers is not here")
    line = ["maps", "layer", "load", str(RIVERS), "--kind", "river", "--source", "GSHHG",
            "--name", "Sông ngòi", "--licence", "LGPL-3+", "--from-zoom", "5"]  # fmt: skip
    result = app.test_cli_runner().invoke(args=line)
    assert result.exit_code == 0, result.output
    assert "Sông ngòi (river" in app.test_cli_runner().invoke(args=["maps", "layer", "list"]).output
    lines = decoded(reader, Tile(8, 203, 120))["shapes"]
    assert 5 < len(lines) < base.MOST_PIECES
    assert decoded(reader, Tile(4, 12, 7)) == {}, "it begins at zoom 5"
    wrong = app.test_cli_runner().invoke(args=["maps", "layer", "remove", "4711"])
    assert wrong.exit_code == 1
