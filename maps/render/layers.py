"""Our layers as Folium elements: each calls one function of our script with constants."""

from __future__ import annotations

from folium.map import Layer, MacroElement
from folium.template import Template


class _Call(MacroElement):
    """An element that calls `thapCanh.<function>(map)`."""

    function = ""
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        thapCanh.{{ this.function }}({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self) -> None:
        super().__init__()
        self._name = type(self).__name__


class Scale(_Call):
    """A scale in metres."""

    function = "addScale"


class Islands(_Call):
    """Hoàng Sa and Trường Sa with their names, and those of countries and seas."""

    function = "addIslands"


class LayerSwitch(_Call):
    """The control that shows and hides layers; their names are texts of our script."""

    function = "addLayerSwitch"


class ThemeSwitch(_Call):
    """A button for a dark or a light map; the choice stays in the browser, for every map."""

    function = "addThemeSwitch"


class Point(_Call):
    """A click with the other button, or a long touch, says the place as papers have it."""

    function = "addPoint"


class Picker(_Call):
    """A click gives a position to the page around the map."""

    function = "addPicker"


class OneTower(_Call):
    """The tower whose code stands in the address of the document."""

    function = "addOneTower"


class OneArea(_Call):
    """The boundary of the area whose number stands in the address of the document."""

    function = "addOneArea"


class ImportedRows(_Call):
    """The rows of the list whose number stands in the address of the document."""

    function = "addImportedRows"


class AreaDrawing(_Call):
    """Taps and clicks draw an area that the page around the map takes."""

    function = "addAreaDrawing"


class Places(_Call):
    """The places that stand in the address of the document, among the towers around them."""

    function = "addPlaces"


class _DataLayer(Layer):
    """A layer that our script fills from an address of ours; not `shown` until somebody asks."""

    function = ""
    shown = True
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = thapCanh.{{ this.function }}({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self) -> None:
        super().__init__(name=self.function, overlay=True, control=False, show=self.shown)
        self._name = type(self).__name__


class Land(_DataLayer):
    """Land against sea, from a small-scale outline without borders."""

    function = "addLand"


class Borders(_DataLayer):
    """Borders of the countries around, and the outline of the province with its name."""

    function = "addBorders"


class BaseLayers(_DataLayer):
    """The rivers, roads, borders and places that the department has loaded."""

    function = "addBaseLayers"


class Communes(_DataLayer):
    """Boundaries of communes with their names when near."""

    function = "addCommunes"


class CampaignTowers(_DataLayer):
    """The towers of the campaign whose number stands in the address, by where they stand."""

    function = "addCampaignTowers"


class TakenTowers(_DataLayer):
    """The towers that stand in the document itself, and what it says of them."""

    function = "addTakenTowers"


class FallZones(_DataLayer):
    """Where towers are expected to fall when near; hidden until somebody asks for it."""

    function = "addFallZones"
    shown = False


class Towers(_DataLayer):
    """Towers by condition: clusters from afar, signs when near."""

    function = "addTowers"
