"""Exports: rows a second beside other programs, and memory that does not grow with the rows."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from psycopg import ClientCursor
from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url

from core.cluster import ClusterUrls, programs
from core.db import current_session
from core.geo import SRID
from core.tables import BETWEEN, Kind
from tests.bench.export_run import LISTS
from tests.bench.figures import Figure
from tests.bench.stage import PLANNER, Stage, bare
from towers.queries import Filters

MANY, FEW = 100_000, 10_000
REGISTER = 150_000
MILLION = 1_000_000
NAMES = {"csv": "CSV", "xlsx": "XLSX", "geojson": "GeoJSON", "gpkg": "GeoPackage", "kml": "KML"}
TRIES = 3


def measure(stage: Stage) -> Iterator[Figure]:
    yield from _follow_up(stage)
    yield from _register(stage)


def _follow_up(stage: Stage) -> Iterator[Figure]:
    many, few = stage.province(MANY), stage.province(FEW)
    for way in ("csv", "xlsx", "geojson"):
        large, small = run(stage, many, "follow-up", way), run(stage, few, "follow-up", way)
        yield _rate("A follow-up", way, large)
        if way == "csv":
            floor = psql_seconds(stage, many, "follow-up")
            yield Figure(
                "A follow-up CSV against psql COPY", floor / large["seconds"], "×", least=0.8
            )
        if way == "xlsx":
            yield _against_openpyxl(stage, many, "A follow-up", "follow-up", large)
        yield Figure(
            f"A follow-up {NAMES[way]}, memory that 10 × the rows add",
            (large["peak"] - large["before"]) - (small["peak"] - small["before"]),
            "MB",
            most=6,
        )


def _register(stage: Stage) -> Iterator[Figure]:
    """All fields of 150,000 towers."""
    urls = stage.province(REGISTER)
    made = run(stage, urls, "towers", "csv")
    yield _rate("B export", "csv", made)
    floor = psql_seconds(stage, urls, "towers")
    yield Figure("B export CSV against psql COPY", floor / made["seconds"], "×", least=0.8)
    yield _rate("B export", "geojson", run(stage, urls, "towers", "geojson"))
    yield _rate("B export", "kml", run(stage, urls, "towers", "kml", tries=1))
    yield from _against_ogr2ogr(stage, urls)
    made = run(stage, urls, "towers", "xlsx", tries=1)
    yield _rate("B export", "xlsx", made)
    yield _against_openpyxl(stage, urls, "B export", "towers", made)


def measure_memory(stage: Stage) -> Iterator[Figure]:
    """Peak memory of each export at 10,000 and at a million rows; the follow-up list of these."""
    few, many = stage.province(FEW), stage.province(MILLION)
    for way, name in NAMES.items():
        small = run(stage, few, "towers", way, tries=1)
        large = run(stage, many, "towers", way, tries=1)
        yield Figure(f"B export {name}, memory at {small['rows']:,} rows", small["peak"], "MB")
        yield Figure(f"B export {name}, memory at {large['rows']:,} rows", large["peak"], "MB")
        more = (large["peak"] / small["peak"] - 1) * 100
        yield Figure(f"B export {name}, memory of 100 × the rows", more, "% more", most=20)
    # The open violations of a million towers, about 137,000.
    made = run(stage, many, "follow-up", "xlsx", tries=1)
    yield _rate("C follow-up", "xlsx", made)
    yield _against_openpyxl(stage, many, "C follow-up", "follow-up", made)
    added = made["peak"] - made["before"]
    yield Figure(f"C follow-up XLSX, memory for {made['rows']:,} rows", added, "MB", most=80)
    yield Figure("C follow-up XLSX, memory of the whole program", made["peak"], "MB")


def run(
    stage: Stage, urls: ClusterUrls, name: str, way: str, *, tries: int = TRIES
) -> dict[str, Any]:
    printed = stage.python(urls, "-m", "tests.bench.export_run", name, way, str(tries))
    return json.loads(printed.splitlines()[-1])


def _rate(about: str, way: str, made: dict[str, Any]) -> Figure:
    rate = made["rows"] / made["seconds"]
    return Figure(f"{about} {NAMES[way]}", rate, f"rows/s of {made['rows']:,}")


def _against_openpyxl(
    stage: Stage, urls: ClusterUrls, about: str, name: str, made: dict[str, Any]
) -> Figure:
    other = run(stage, urls, name, "openpyxl", tries=1)
    return Figure(
        f"{about} XLSX against openpyxl write-only",
        other["own"] / made["own"],
        "× by processor time",
        least=1.3,
    )


def _against_ogr2ogr(stage: Stage, urls: ClusterUrls) -> Iterator[Figure]:
    """The same rows as a GeoPackage by ogr2ogr, in turns, the least of each.

    Debian's package gdal-bin has it; where it is not installed there is nothing to compare with.
    """
    about = "B export GeoPackage against ogr2ogr"
    program = shutil.which("ogr2ogr")
    if program is None:
        yield _rate("B export", "gpkg", run(stage, urls, "towers", "gpkg"))
        yield Figure(about, 0, "× (gdal-bin is not installed)")
        return
    sql = as_sql(stage, urls, "towers", layer=True)
    ours, theirs = [], []
    for _ in range(TRIES):
        ours.append(run(stage, urls, "towers", "gpkg", tries=1))
        theirs.append(ogr2ogr_seconds(stage, urls, program, sql))
    quickest = min(ours, key=lambda made: made["seconds"])
    yield _rate("B export", "gpkg", quickest)
    yield Figure(about, min(theirs) / quickest["seconds"], "×", least=1.0)


def as_sql(stage: Stage, urls: ClusterUrls, name: str, *, layer: bool = False) -> str:
    """The statement of an export with its values in it; for a layer with its points."""
    app = stage.app(urls)
    with app.app_context(), app.test_request_context():
        table = LISTS[name](Filters(), "gpkg" if layer else "csv")
        session = current_session()
        statement: Select[Any] = table.statement
        if layer:
            rows = table.statement.subquery("rows")
            point = func.ST_SetSRID(func.ST_MakePoint(rows.c[table.x], rows.c[table.y]), SRID)
            statement = select(
                *(
                    func.array_to_string(rows.c[one.name], BETWEEN).label(one.name)
                    if one.kind is Kind.TEXTS
                    else rows.c[one.name]
                    for one in table.attributes
                ),
                point.label("point"),
            )
        compiled = statement.compile(
            dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True}
        )
        session.rollback()
    with bare(urls.app_url) as connection:
        return ClientCursor(connection).mogrify(str(compiled), compiled.params)


def psql_seconds(stage: Stage, urls: ClusterUrls, name: str) -> float:
    """Seconds in which psql copies the same statement, the least of some tries."""
    sql = as_sql(stage, urls, name)
    parts = make_url(urls.app_url)
    seconds = []
    for _ in range(TRIES):
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


def ogr2ogr_seconds(stage: Stage, urls: ClusterUrls, program: str, sql: str) -> float:
    """Seconds in which ogr2ogr writes the rows of a statement into a new GeoPackage."""
    parts = make_url(urls.app_url)
    path = stage.folder / "ogr2ogr.gpkg"
    path.unlink(missing_ok=True)
    source = (
        f"PG:host={parts.query['host']} dbname={parts.database} user={parts.username}"
        f" password={parts.password}"
    )
    query = stage.folder / "ogr2ogr.sql"
    query.write_text(sql, encoding="utf-8")
    started = perf_counter()
    subprocess.run(
        [program, "-f", "GPKG", str(path), source, "-sql", f"@{query}", "-nln", "towers"],
        check=True,
        capture_output=True,
        env={"PGOPTIONS": PLANNER, "PATH": "/usr/bin:/bin"},
    )
    return perf_counter() - started
