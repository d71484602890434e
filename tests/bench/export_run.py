"""One export in a process of its own, whose memory is then known: prints JSON.

`python -m tests.bench.export_run follow-up|towers csv|geojson|xlsx|gpkg|kml|openpyxl [tries]`
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import func, select

from app import create_app
from core import clock, layers, tables, workbooks
from core.db import current_session
from core.downloads import FORMS
from core.formats import texts_of
from core.policy import SYSTEM
from core.settings import Settings
from core.tables import Table
from inspections import exports as follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.texts import item_texts
from towers import exports as towers
from towers.exports import Choice
from towers.queries import Filters


def peak_mb() -> float:
    """The most memory this program has held since the last call, in MB.

    Not by getrusage: its peak begins with that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(held.split()[1]) / 1024


def of_follow_up(filters: Filters, way: str) -> Table:
    """The follow-up list as its page exports it."""
    return follow_up.table(
        SYSTEM,
        WorkFilters.of(filters),
        today=clock.today(),
        labels={name: texts_of(name) for name in follow_up.VOCABULARIES},
        items=item_texts(current_session(), "vi"),
        use=follow_up.USES.get(way, follow_up.Use.DATA),
    )


def of_towers(filters: Filters, way: str) -> Table:
    """The register as its page exports it: words in spreadsheets, keys in layers."""
    labelled = way not in FORMS or FORMS[way].spreadsheet
    return towers.table(
        SYSTEM,
        filters,
        Choice(labelled=labelled),
        today=clock.today(),
        texts={name: texts_of(name) for name in towers.vocabularies()},
    )


LISTS: dict[str, Callable[[Filters, str], Table]] = {
    "follow-up": of_follow_up,
    "towers": of_towers,
}


def openpyxl(session: Any, table: Table) -> None:
    """What the XLSX export is compared with: openpyxl's write-only workbook of the same rows."""
    from openpyxl import Workbook

    rows = table.statement.subquery("rows")
    wanted = select(
        *(
            func.array_to_string(rows.c[one.name], tables.BETWEEN)
            if one.kind is tables.Kind.TEXTS
            else rows.c[one.name]
            for one in table.columns
        )
    )
    book = Workbook(write_only=True)
    sheet = book.create_sheet(table.title)
    sheet.append([one.label for one in table.columns])
    for batch in tables.batches(session, wanted, tables.unwatched):
        for row in batch:
            sheet.append(row)
    with tempfile.TemporaryFile() as file:
        book.save(file)


def drained(pieces: Any) -> None:
    for _ in pieces:
        pass


WAYS: dict[str, Callable[[Any, Table], None]] = {
    "csv": lambda session, table: drained(tables.csv(session, table, excel=True)),
    "geojson": lambda session, table: drained(tables.geojson(session, table)),
    "xlsx": lambda session, table: workbooks.xlsx(session, table).close(),
    "gpkg": lambda session, table: layers.geopackage(session, table).close(),
    "kml": lambda session, table: layers.kml(session, table).close(),
    "openpyxl": openpyxl,
}


def main(name: str, way: str, tries: int) -> None:
    app = create_app(Settings.from_environment())
    with app.app_context(), app.test_request_context():
        session = current_session()
        table_of = LISTS[name]
        rows = session.scalar(
            select(func.count()).select_from(table_of(Filters(), way).statement.subquery())
        )
        # A few rows first: what libraries take once is not what a list takes.
        WAYS[way](session, table_of(Filters(structure_type=("concrete_pole",)), way))
        peak_mb()
        before = peak_mb()
        seconds, own = [], []
        for _ in range(tries):
            started, own_started = perf_counter(), process_time()
            WAYS[way](session, table_of(Filters(), way))
            seconds.append(perf_counter() - started)
            own.append(process_time() - own_started)
            session.rollback()
    print(
        json.dumps(
            {
                "rows": rows,
                "seconds": min(seconds),
                "own": min(own),
                "before": before,
                "peak": peak_mb(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
