"""Tables on paper: a list as a PDF with its filters, and its number on each page."""

from __future__ import annotations

import tempfile
from typing import IO, Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import documents
from core.formats import day
from core.i18n import current_language
from core.tables import Kind, Table, Watch, batches, unwatched


def pdf(session: Session, table: Table, watch: Watch = unwatched) -> IO[bytes]:
    """The table in a temporary file, at its start; the caller closes it.

    Laying it out takes about 15 ms a row and holds all of them: whoever asks limits their number.
    """
    rows = table.statement.subquery("rows")
    wanted = select(*(rows.c[one.name] for one in table.columns))
    lines = [
        [_shown(value, one.kind) for value, one in zip(row, table.columns, strict=True)]
        for batch in batches(session, wanted, watch)
        for row in batch
    ]
    # Without the values that pages have: nobody reads a page here.
    html = current_app.jinja_env.get_template("core/print.html").render(
        table=table, lines=lines, language=current_language()
    )
    file: IO[bytes] = tempfile.TemporaryFile(prefix=f"{table.name}-", suffix=".pdf")  # noqa: SIM115
    file.write(documents.pdf(html))
    file.seek(0)
    return file


def _shown(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    return day(value) if kind is Kind.DAY else str(value)
