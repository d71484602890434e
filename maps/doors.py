"""What the doors of the map share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from flask import Response, current_app, request
from sqlalchemy.orm import Session

from core import store
from core.db import current_session
from core.errors import BadRequest
from core.settings import Settings
from core.words import N_
from maps.queries import Box
from towers.doors import asked_filters
from towers.queries import Filters
from towers.schemas import BBOX, envelope_of


def map_filters() -> Filters:
    """The filters in the address; its box is what is looked at, not what is looked for."""
    return replace(asked_filters(), bbox=None)


def asked_box() -> Box:
    """The box that is asked for; raises `BadRequest` for one that is no box on earth."""
    try:
        box = envelope_of(request.args.get("bbox", ""))
    except ValueError as error:
        raise BadRequest(BBOX) from error
    return Box(box.west, box.south, box.east, box.north)


def asked_zoom() -> int:
    zoom = request.args.get("zoom", "")
    if not (zoom.isascii() and zoom.isdigit() and len(zoom) < 3 and int(zoom) <= 24):
        raise BadRequest(N_("zoom is a whole number from 0 to 24"))
    return int(zoom)


def archive_path(layer_id: int) -> Path:
    """Where the file of a layer of pictures lies."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.instance / "maps" / f"{layer_id}.pmtiles"


@dataclass(frozen=True)
class TileServer:
    """The server whose pictures the department allows; `host` stands in policies of documents."""

    url: str
    attribution: str

    @property
    def host(self) -> str:
        return f"https://{urlsplit(self.url).netloc}"


def tile_server(session: Session) -> TileServer | None:
    """The allowed tile server, `None` where there is none: then no other host is ever asked."""
    url = store.value_of(session, "tile_server")
    if not url:
        return None
    server = TileServer(url, store.value_of(session, "tile_attribution") or "")
    return server if server.attribution else replace(server, attribution=server.host)


def document(made: tuple[str, str]) -> Response:
    """A document of the map with its policy, in which the allowed tile server stands too."""
    html, policy = made
    server = tile_server(current_session())
    if server is not None:
        policy = policy.replace("img-src 'self'", f"img-src 'self' {server.host}")
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    return response
