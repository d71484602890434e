"""Tables as answers: which forms there are, and how each leaves.

CSV and GeoJSON leave while the database makes them; workbooks and layers are written to a
temporary file first. Nobody's list is made on after they left.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from flask import Response, request, send_file, stream_with_context
from sqlalchemy.orm import Session

from core import layers, tables, workbooks
from core.errors import DomainError, Invalid
from core.tables import Table, Watch
from core.words import N_


@dataclass(frozen=True)
class Form:
    """A format: its file's ending and media type, and who takes it.

    A `spreadsheet` is for people, the others are for programs; `any_system` says whether its
    points may be in another system than WGS 84.
    """

    ending: str
    name: str
    media_type: str
    spreadsheet: bool = False
    any_system: bool = False


FORMS = {
    form.ending: form
    for form in (
        Form("csv", "CSV", "text/csv; charset=utf-8", spreadsheet=True, any_system=True),
        Form(
            "xlsx",
            "Excel",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            spreadsheet=True,
            any_system=True,
        ),
        Form("geojson", "GeoJSON", "application/geo+json"),
        Form("gpkg", "GeoPackage", "application/geopackage+sqlite3", any_system=True),
        Form("kml", "KML", "application/vnd.google-earth.kml+xml"),
    )
}
FILES: dict[str, Callable[[Session, Table, Watch], IO[bytes]]] = {
    "xlsx": workbooks.xlsx,
    "gpkg": layers.geopackage,
    "kml": layers.kml,
}


class Gone(DomainError):
    """Nobody waits for the answer any more; nobody reads this either."""

    status, code, title = 499, "gone", N_("The reader left")


def form_of(ending: str) -> Form:
    """The form with this ending; raises `Invalid` for another."""
    if ending not in FORMS:
        message = N_("Choose one of the formats: %(formats)s")
        raise Invalid(message, fields={"format": [message]}, formats=", ".join(FORMS))
    return FORMS[ending]


def download(session: Session, table: Table, form: Form, *, name: str, day: date) -> Response:
    """The table as a file named after `name` and the day; `?plain=1`: CSV without Excel's mark."""
    filename = f"{name}-{day.isoformat()}.{form.ending}"
    if form.ending in FILES:
        return send_file(
            FILES[form.ending](session, table, watch_reader),
            mimetype=form.media_type,
            as_attachment=True,
            download_name=filename,
        )
    pieces: Iterator[bytes]
    if form.ending == "csv":
        pieces = tables.csv(session, table, excel=request.args.get("plain") != "1")
    else:
        pieces = tables.geojson(session, table)
    response = Response(stream_with_context(pieces), content_type=form.media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def watch_reader() -> None:
    """Raise `Gone` when the reader of this request has left; a server that cannot tell says no."""
    connection: Any = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket) and _left(connection):
        raise Gone()


def _left(connection: socket.socket) -> bool:
    """Whether the other end has closed; what it may still have sent stays to be read."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
