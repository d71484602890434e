"""Tables as answers: which forms there are, and how each leaves.

CSV and GeoJSON leave while the database makes them; workbooks and layers are written to a
temporary file first. Nobody's list is made on after they left.
"""

from __future__ import annotations

import select as sockets
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from flask import Response, request, send_file, stream_with_context
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from core import layers, prints, store, tables, workbooks
from core.errors import DomainError, Invalid, TooLarge
from core.tables import Table, Watch, unwatched
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
    "pdf": prints.pdf,
}


class Gone(DomainError):
    """Nobody waits for the answer any more; nobody reads this either."""

    status, code, title = 499, "gone", N_("The reader left")


# How a map can be had.
HTML = Form("html", "HTML", "text/html; charset=utf-8")
PNG = Form("png", "PNG", "image/png")
PDF = Form("pdf", "PDF", "application/pdf", spreadsheet=True)
# What a list for people can be had as; the register has too many columns for paper.
PRINTED_FORMS = {**FORMS, PDF.ending: PDF}
KNOWN_FORMS = {**PRINTED_FORMS, HTML.ending: HTML, PNG.ending: PNG}
# A list on paper takes long to lay out: the job does more than so many rows.
PRINTED_AT_ONCE = 100


class Counter:
    """A watch that knows how many rows were written, and tells another one."""

    def __init__(self, watch: Watch) -> None:
        self.rows = 0
        self._watch = watch

    def __call__(self, rows: int) -> None:
        self.rows += rows
        self._watch(rows)


def form_of(ending: str, forms: Mapping[str, Form] = FORMS) -> Form:
    """The form with this ending; raises `Invalid` for another."""
    if ending not in forms:
        message = N_("Choose one of the formats: %(formats)s")
        raise Invalid(message, fields={"format": [message]}, formats=", ".join(forms))
    return forms[ending]


def is_long(session: Session, table: Table, form: Form) -> bool:
    """Whether a list in this form is for a job: what streams never is, however many rows.

    Raises `TooLarge` for more rows than are put on paper.
    """
    if form.ending not in FILES:
        return False
    at_once = int(store.value_of(session, "export_rows_at_once"))
    if form is PDF:
        most = int(store.value_of(session, "pdf_rows"))
        if _more_than(session, table, most):
            raise TooLarge(
                N_("A PDF holds at most %(most)s rows: narrow the list, or take Excel"), most=most
            )
        at_once = min(at_once, PRINTED_AT_ONCE)
    return _more_than(session, table, at_once)


def _more_than(session: Session, table: Table, rows: int) -> bool:
    bare = table.statement.with_only_columns(literal(1), maintain_column_froms=True)
    some = bare.order_by(None).limit(rows + 1)
    return (session.scalar(select(func.count()).select_from(some.subquery())) or 0) > rows


def download(
    session: Session,
    table: Table,
    form: Form,
    *,
    name: str,
    day: date,
    done: Callable[[int], None] = unwatched,
) -> Response:
    """The table as a file named after `name` and the day; `?plain=1`: CSV without Excel's mark.

    `done` is told the number of rows once all of them have left or lie in the file.
    """
    filename = f"{name}-{day.isoformat()}.{form.ending}"
    counter = Counter(watch_reader)
    if form.ending in FILES:
        file = FILES[form.ending](session, table, counter)
        done(counter.rows)
        response = send_file(
            file, mimetype=form.media_type, as_attachment=True, download_name=filename
        )
    else:
        plain = request.args.get("plain") == "1"

        def pieces() -> Iterator[bytes]:
            if form.ending == "csv":
                yield from tables.csv(session, table, excel=not plain, watch=counter)
            else:
                yield from tables.geojson(session, table, counter)
            done(counter.rows)

        response = Response(stream_with_context(pieces()), content_type=form.media_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    if table.number:
        response.headers["Export-Id"] = table.number
    return response


def watch_reader(rows: int) -> None:
    """Raise `Gone` when the reader of this request has left; a server that cannot tell says no."""
    connection: Any = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket) and _left(connection):
        raise Gone()


def _left(connection: socket.socket) -> bool:
    """Whether the other end has closed; what it may still have sent stays to be read."""
    readable, _, _ = sockets.select([connection], [], [], 0)
    if not readable:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
