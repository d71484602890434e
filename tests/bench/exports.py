"""Exports of the follow-up list: rows a second, and memory that does not grow with the rows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from psycopg import ClientCursor
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url

from core.cluster import ClusterUrls, programs
from core.db import current_session
from tests.bench.export_run import listed
from tests.bench.figures import Figure
from tests.bench.stage import PLANNER, Stage, bare
from towers.queries import Filters

MANY, FEW = 100_000, 10_000


def measure(stage: Stage) -> Iterator[Figure]:
    many, few = stage.province(MANY), stage.province(FEW)
    for way in ("csv", "xlsx", "geojson"):
        large, small = run(stage, many, way), run(stage, few, way)
        rate = large["rows"] / large["seconds"]
        shown = {"csv": "CSV", "xlsx": "XLSX", "geojson": "GeoJSON"}[way]
        yield Figure(f"A follow-up {shown}", rate, f"rows/s of {large['rows']:,}")
        if way == "csv":
            # The least of three on both sides.
            ours = min([large["seconds"], *(run(stage, many, way)["seconds"] for _ in range(2))])
            yield Figure(
                "A follow-up CSV against psql COPY",
                psql_seconds(stage, many) / ours,
                "×",
                least=0.8,
            )
        if way == "xlsx":
            other = run(stage, many, "openpyxl")
            yield Figure(
                "A follow-up XLSX against openpyxl write-only",
                other["own"] / large["own"],
                "× by processor time",
                least=1.3,
            )
        yield Figure(
            f"A follow-up {shown}, memory that 10 × the rows add",
            (large["peak"] - large["before"]) - (small["peak"] - small["before"]),
            "MB",
            most=6,
        )


def run(stage: Stage, urls: ClusterUrls, way: str) -> dict[str, Any]:
    return json.loads(stage.python(urls, "-m", "tests.bench.export_run", way).splitlines()[-1])


def psql_seconds(stage: Stage, urls: ClusterUrls) -> float:
    """Seconds in which psql copies the same statement, the least of three tries."""
    app = stage.app(urls)
    with app.app_context(), app.test_request_context():
        session = current_session()
        compiled = listed(Filters()).compile(
            dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True}
        )
        session.rollback()
    with bare(urls.app_url) as connection:
        sql = ClientCursor(connection).mogrify(str(compiled), compiled.params)
    parts = make_url(urls.app_url)
    seconds = []
    for _ in range(3):
        started = perf_counter()
        subprocess.run(
            [programs() / "psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"],
            input=f"COPY ({sql}) TO STDOUT WITH (FORMAT csv);",
            text=True,
            stdout=subprocess.DEVNULL,
            check=True,
            env={
                "PGHOST": str(parts.query["host"]),
                "PGDATABASE": str(parts.database),
                "PGUSER": str(parts.username),
                "PGPASSWORD": str(parts.password),
                "PGOPTIONS": PLANNER,
            },
        )
        seconds.append(perf_counter() - started)
    return min(seconds)
