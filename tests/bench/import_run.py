"""One import in a process of its own, whose time and memory are then known: prints JSON.

`python -m tests.bench.import_run FILE`
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from app import create_app
from core import clock
from core.db import transaction
from core.policy import SYSTEM
from core.settings import Settings
from tests.bench.export_run import peak_mb
from towers.fields import VOCABULARIES
from towers.imports import batches
from towers.imports.states import State


def main(path: Path) -> None:
    """Upload a list, then import its good rows as the worker does, with the row report."""
    app = create_app(Settings.from_environment())
    with app.app_context(), tempfile.TemporaryDirectory() as folder:
        uploads = Path(folder)
        with transaction() as session, path.open("rb") as stream:
            batch = batches.receive(session, uploads, path.name, stream, by=SYSTEM, now=clock.now())
        peak_mb()
        started = perf_counter()
        with transaction() as session:
            batches.start(
                session,
                uploads,
                batch,
                State.IMPORTING,
                options={"good_rows": True},
                at_once=True,
                by=SYSTEM,
                now=clock.now(),
            )
            batches.work(session, uploads, batch, by=SYSTEM, now=clock.now())
        with batches.outcome_of(uploads, batch).workbook(VOCABULARIES["tower_field"]) as book:
            size = len(book.read())
        seconds = perf_counter() - started
        print(
            json.dumps(
                {
                    "seconds": seconds,
                    "peak": peak_mb(),
                    "report": size,
                    "state": batch.state,
                    **batch.counts,
                }
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
