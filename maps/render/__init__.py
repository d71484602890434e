"""The only rooms where Folium is: documents made of constants, never of data.

Folium renders its output a second time as a Jinja template and puts texts into JavaScript
template literals, so no value from the database or a request may ever reach it.
"""

from __future__ import annotations

import folium

from core.dist import DIST

# Folium's own assets come from other hosts: ours replace them once, here.
LEAFLET_JS = [("leaflet", f"{DIST}/vendor/leaflet/leaflet.js")]
LEAFLET_CSS = [("leaflet_css", f"{DIST}/vendor/leaflet/leaflet.css")]
folium.Map.default_js = LEAFLET_JS
folium.Map.default_css = LEAFLET_CSS
folium.folium._default_js = LEAFLET_JS
folium.folium._default_css = LEAFLET_CSS
