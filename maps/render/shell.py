"""The shell of every map: Folium's page around our own layers, with a policy of its own."""

from __future__ import annotations

import base64
import hashlib
import re

import folium
from folium.elements import JSCSSMixin

import maps.render  # noqa: F401 - points Folium's assets at our own files
from core.dist import DIST
from maps.render.layers import BaseLayers, Borders, Islands, Land, LayerSwitch, Scale

INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Đồng Tháp: where a map looks before its data say where they are.
CENTRE = (10.45, 105.95)


class Scripts(JSCSSMixin, folium.map.MacroElement):
    """Our bundle: the functions that the elements call."""

    default_js = [("thap_canh", f"{DIST}/maps-map.js")]  # noqa: RUF012
    default_css = [("thap_canh_css", f"{DIST}/maps-map.css")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._name = "Scripts"


class TakenScripts(JSCSSMixin, folium.map.MacroElement):
    """The bundle of the document that somebody takes along."""

    default_js = [("thap_canh", f"{DIST}/maps-taken.js")]  # noqa: RUF012
    default_css = [  # noqa: RUF012
        ("thap_canh_css", f"{DIST}/maps-map.css"),
        ("taken_css", f"{DIST}/maps-taken.css"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._name = "Scripts"


def new_map(*, zoom: int = 9, scripts: type[folium.map.MacroElement] = Scripts) -> folium.Map:
    """An empty map that asks no other host for anything; what the department has loaded below it
    is not there where nobody can be asked."""
    drawn = folium.Map(
        location=CENTRE,
        zoom_start=zoom,
        tiles=None,
        control_scale=False,
        prefer_canvas=False,
        zoom_control="topright",
        max_bounds=False,
        world_copy_jump=True,
    )
    drawn.options["max_zoom"] = 20
    drawn.options["attribution_control"] = False
    drawn.add_child(scripts())
    drawn.add_child(Land())
    drawn.add_child(Islands())
    drawn.add_child(Borders())
    if scripts is Scripts:
        drawn.add_child(BaseLayers())
    return drawn


def finish(drawn: folium.Map, language: str) -> tuple[str, str]:
    """The document of a map and the Content-Security-Policy that fits it."""
    drawn.add_child(Scale())
    html = drawn.get_root().render()
    html = html.replace("<html>", f'<html lang="{language}">', 1)
    html = _mended(html)
    return html, policy(html)


def _mended(html: str) -> str:
    """Folium's page head names hosts of its own choice in comments and scripts: take them out."""
    html = re.sub(r"<link[^>]+(?:cdn|netdna|googleapis)[^>]*/?>\s*", "", html)
    return re.sub(r"<script src=\"https?://[^>]*></script>\s*", "", html)


def policy(html: str) -> str:
    """A policy that allows the document's own inline scripts by their hashes, and our files."""
    return (
        f"default-src 'none'; script-src 'self' {hashes(html)}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
        "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )


def hashes(html: str) -> str:
    """The document's own scripts as sources of a policy."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in INLINE.findall(html)
    )


__all__ = ["LayerSwitch", "TakenScripts", "finish", "hashes", "new_map", "policy"]
