"""The documents: the violation map, one tower, one area, some places, a position's picker, an area
to be drawn, and a campaign."""

from __future__ import annotations

from functools import cache

from maps.render.layers import (
    AreaDrawing,
    CampaignTowers,
    Communes,
    FallZones,
    ImportedRows,
    LayerSwitch,
    OneArea,
    OneTower,
    Picker,
    Places,
    Point,
    TakenTowers,
    ThemeSwitch,
    Towers,
)
from maps.render.shell import TakenScripts, finish, new_map
from maps.render.whole import Whole, whole


@cache
def violation_map(language: str) -> tuple[str, str]:
    """The document of the violation map and its policy; the same bytes for every reader."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(Towers())
    drawn.add_child(FallZones())
    drawn.add_child(LayerSwitch())
    drawn.add_child(ThemeSwitch())
    drawn.add_child(Point())
    return finish(drawn, language)


@cache
def tower_map(language: str) -> tuple[str, str]:
    """The document of the small map on a tower's page."""
    drawn = new_map(zoom=13)
    drawn.add_child(Communes())
    drawn.add_child(OneTower())
    return finish(drawn, language)


@cache
def area_map(language: str) -> tuple[str, str]:
    """The document of the small map on an area's page."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(OneArea())
    return finish(drawn, language)


@cache
def places_map(language: str) -> tuple[str, str]:
    """The document that compares places: of proposals, of two towers that may be one."""
    drawn = new_map(zoom=13)
    drawn.add_child(Communes())
    drawn.add_child(Places())
    return finish(drawn, language)


@cache
def picker_map(language: str) -> tuple[str, str]:
    """The document in which a click chooses a position."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(Picker())
    return finish(drawn, language)


@cache
def choose_map(language: str) -> tuple[str, str]:
    """The document in which an area is drawn among the towers that filters find."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(Towers())
    drawn.add_child(AreaDrawing())
    return finish(drawn, language)


@cache
def campaign_map(language: str) -> tuple[str, str]:
    """The document of a campaign's towers by where they stand."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(CampaignTowers())
    return finish(drawn, language)


@cache
def import_map(language: str) -> tuple[str, str]:
    """The document in which the rows of a list are seen before they are imported."""
    drawn = new_map()
    drawn.add_child(Communes())
    drawn.add_child(ImportedRows())
    return finish(drawn, language)


@cache
def taken_map(language: str) -> Whole:
    """The document that holds everything itself, but for the data that are put into it."""
    drawn = new_map(scripts=TakenScripts)
    drawn.add_child(Communes())
    drawn.add_child(TakenTowers())
    drawn.add_child(LayerSwitch())
    html, _ = finish(drawn, language)
    texts = [] if language == "en" else [f"texts.{language}.json"]
    return whole(html, ["land.json", "borders.json", *texts])
