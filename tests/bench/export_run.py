"""One export in a process of its own, whose memory is then known: prints JSON.

`python -m tests.bench.export_run csv|geojson|xlsx|openpyxl`
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from app import create_app
from core import clock
from core.db import current_session
from core.policy import SYSTEM
from core.settings import Settings
from inspections import exports
from inspections.labels import VOCABULARIES
from inspections.queries import follow_up
from inspections.texts import item_texts
from towers.labels import VOCABULARIES as TOWER_VOCABULARIES
from towers.queries import Filters


def peak_mb() -> float:
    """The most memory this program has held since the last call, in MB.

    Not by getrusage: its peak begins with that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(held.split()[1]) / 1024


def listed(filters: Filters) -> Any:
    """The statement of the export page."""
    vocabularies = {**VOCABULARIES, **TOWER_VOCABULARIES}
    return exports.statement(
        SYSTEM,
        filters,
        today=clock.today(),
        labels={
            name: {key: str(label) for key, label in vocabularies[name].items()}
            for name in ("condition", "severity", "structure_type")
        },
        items=item_texts(current_session(), "vi"),
    )


def openpyxl(session: Any, statement: Any) -> None:
    """What the XLSX export is compared with: openpyxl's write-only workbook of the same rows."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Follow-up")
    sheet.append(exports.headings())
    for row in session.execute(statement, execution_options={"yield_per": 1000}):
        sheet.append(list(row))
    with tempfile.TemporaryFile() as file:
        book.save(file)


def drained(pieces: Any) -> None:
    for _ in pieces:
        pass


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "csv": lambda session, statement: drained(exports.csv(session, statement, excel=True)),
    "geojson": lambda session, statement: drained(exports.geojson(session, statement)),
    "xlsx": lambda session, statement: exports.xlsx(session, statement).close(),
    "openpyxl": openpyxl,
}


def main(way: str) -> None:
    app = create_app(Settings.from_environment())
    with app.app_context(), app.test_request_context():
        session, today = current_session(), clock.today()
        rows = follow_up.count(session, SYSTEM, Filters(), today=today)
        # A few rows first: what libraries take once is not what a list takes.
        WAYS[way](session, listed(Filters(q="a 11")))
        peak_mb()
        before = peak_mb()
        seconds, own = [], []
        for _ in range(3 if way in {"csv", "geojson"} else 2):
            started, own_started = perf_counter(), process_time()
            WAYS[way](session, listed(Filters()))
            seconds.append(perf_counter() - started)
            own.append(process_time() - own_started)
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
    main(sys.argv[1])
