"""Importing a list with everything that belongs to it, against a bare COPY of the same rows."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url

from core.cluster import ClusterUrls
from tests.bench.figures import Figure
from tests.bench.stage import Stage, bare

ROWS = 100_000
FEW, MANY = 10_000, 1_000_000
# Every hundredth row is wrong and goes to the row report.
WRONG = 100
NO_TYPE = "Thang máy"
ROUNDS = 2
TYPES = ("lattice_self_support", "guyed_mast", "rooftop_guyed", "monopole")
HEADER = ("code", "name", "structure_type", "height_m", "latitude", "longitude", "owner")
# What an import writes of these rows.
WRITTEN = (
    "id, code, name, structure_type, height_m, owner_id, source, geom, source_srid, source_x,"
    " source_y, commune_id, commune_distance_m, condition_reason, created_at, updated_at"
)
BARE = "CREATE TABLE bare_tower (LIKE tower INCLUDING ALL)"


def measure(stage: Stage) -> Iterator[Figure]:
    urls = stage.empty("import")
    stage.flask(urls, "areas", "demo")
    path = write_list(stage, urls, ROWS)
    ours = run(stage, urls, path)
    assert (ours["rows"], ours["bad"]) == (ROWS, ROWS // WRONG), ours
    assert ours["new"] == ours["rows"] - ours["bad"] - ours["duplicate"] > ROWS * 0.98
    written = rows_of(urls)
    again = run(stage, urls, path)
    assert again["same"] == ours["new"] + ours["duplicate"], again
    ogr = ogr_seconds(urls, path)
    # In turns, and the least of each: other work on the machine can only add to a time.
    imports, same, without = [ours["seconds"]], [], []
    for _ in range(ROUNDS):
        same.append(copy_seconds(urls, "tower", written))
        without.append(copy_seconds(urls, "bare_tower", written))
        empty(stage, urls)
        imports.append(run(stage, urls, path)["seconds"])
    empty(stage, urls)
    command = stage.flask(urls, "towers", "import", str(path), "--good-rows")
    found = f"rows/s, {ours['bad']:,} wrong and {ours['duplicate']} duplicates found"
    yield Figure("B import 100,000 rows", ROWS / min(imports), found)
    yield Figure("B import 100,000 rows by command, its start included", ROWS / command, "rows/s")
    yield Figure("B import 100,000 rows a second time", ROWS / again["seconds"], "rows/s")
    yield Figure("B import 100,000 rows, plain COPY into the register", ROWS / min(same), "rows/s")
    yield Figure(
        "B import 100,000 rows against that COPY", min(same) / min(imports), "×", least=0.5
    )
    yield Figure(
        "B import 100,000 rows, COPY into a table without foreign keys and triggers",
        ROWS / min(without),
        "rows/s",
    )
    yield Figure("B import 100,000 rows against that bare COPY", min(without) / min(imports), "×")
    if ogr is not None:
        yield Figure("B import 100,000 rows, ogr2ogr into that bare table", ROWS / ogr, "rows/s")


def empty(stage: Stage, urls: ClusterUrls) -> None:
    with stage.as_owner(urls) as connection:
        connection.execute(text("TRUNCATE tower, import_batch, audit_entry CASCADE"))


def measure_million(stage: Stage) -> Iterator[Figure]:
    """Memory does not grow with the rows: 10,000 and 1,000,000 of them."""
    peaks = {}
    for rows in (FEW, MANY):
        urls = stage.empty(f"import_{rows}")
        stage.flask(urls, "areas", "demo")
        made = run(stage, urls, write_list(stage, urls, rows))
        assert made["new"] > rows * 0.9, made
        peaks[rows] = made["peak"]
        yield Figure(f"B import memory at {rows:,} rows", made["peak"], "MB")
        yield Figure(f"B import {rows:,} rows", rows / made["seconds"], "rows/s")
    yield Figure(
        "B import memory at 1,000,000 rows against 10,000", peaks[MANY] / peaks[FEW], "×", most=1.2
    )


def write_list(stage: Stage, urls: ClusterUrls, rows: int) -> Path:
    """A list with towers everywhere in the demo's communes, some rows of it wrong."""
    random = Random(7)
    path = stage.folder / f"list-{rows}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number, (x, y) in enumerate(places(stage, urls, rows)):
            wrong = number % WRONG == WRONG - 1
            kind = NO_TYPE if wrong else random.choice(TYPES)
            height = f"{random.randrange(12, 70)}.5"
            owner = f"Doanh nghiệp số {random.randrange(40)}"
            writer.writerow(
                (f"NK-{number:07d}", f"Trạm nhập khẩu {number}", kind, height, y, x, owner)
            )
    return path


def places(stage: Stage, urls: ClusterUrls, rows: int) -> list[tuple[float, float]]:
    """Points in the communes of the demo, x before y."""
    with stage.as_owner(urls) as connection:
        found = connection.execute(
            text(
                """
                SELECT round(ST_X(p.geom)::numeric, 6), round(ST_Y(p.geom)::numeric, 6)
                FROM (SELECT ST_Union(geom) AS geom FROM area WHERE level = 'commune') a,
                    LATERAL ST_Dump(ST_GeneratePoints(a.geom, :rows, 7)) p
                """
            ),
            {"rows": rows},
        )
        return [(float(x), float(y)) for x, y in found]


def run(stage: Stage, urls: ClusterUrls, path: Path) -> dict[str, Any]:
    printed = stage.python(urls, "-m", "tests.bench.import_run", str(path))
    made: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert made["state"] == "done" or made["new"] == 0, made
    return made


def rows_of(urls: ClusterUrls) -> list[bytes]:
    """The register as COPY writes it."""
    with (
        bare(urls.owner_url) as driver,
        driver.cursor() as cursor,
        cursor.copy(f"COPY (SELECT {WRITTEN} FROM tower) TO STDOUT") as copy,
    ):
        return [bytes(piece) for piece in copy]


def copy_seconds(urls: ClusterUrls, table: str, rows: list[bytes]) -> float:
    """Seconds of COPY of the same rows into an empty table with the same columns and indexes.

    Into `tower` itself foreign keys and triggers are checked as well.
    """
    with bare(urls.owner_url) as driver:
        # The keys are looked up by plans that are made once, as an import has it.
        driver.execute("SET plan_cache_mode = auto")
        driver.execute(BARE if table == "bare_tower" else "TRUNCATE tower CASCADE")
        driver.commit()
        started = perf_counter()
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {table} ({WRITTEN}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write(row)
        driver.commit()
        seconds = perf_counter() - started
        driver.execute(
            "DROP TABLE bare_tower" if table == "bare_tower" else "TRUNCATE tower CASCADE"
        )
    return seconds


def ogr_seconds(urls: ClusterUrls, path: Path) -> float | None:
    """Seconds of GDAL's ogr2ogr into that bare table; `None` where it is not installed."""
    program = shutil.which("ogr2ogr")
    if program is None:
        print("ogr2ogr (Debian: gdal-bin) is not installed: it is not measured beside the import")
        return None
    with bare(urls.owner_url) as driver:
        driver.execute(BARE)
        driver.commit()
        parts = make_url(urls.owner_url)
        target = f"PG:host={parts.query['host']} dbname={parts.database} user={parts.username}"
        command = [
            program, "-q", "-append", "-f", "PostgreSQL",
            f"{target} password={parts.password}", str(path), "-nln", "bare_tower",
            "-dialect", "sqlite", "-sql",
            "SELECT code, name, structure_type, CAST(height_m AS float) AS height_m, MakePoint("
            "CAST(longitude AS float), CAST(latitude AS float), 4326) AS geom"
            f" FROM '{path.stem}' WHERE structure_type <> '{NO_TYPE}'",
            "--config", "PG_USE_COPY", "YES", "-gt", "unlimited",
        ]  # fmt: skip
        started = perf_counter()
        subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = perf_counter() - started
        (count,) = driver.execute("SELECT count(*) FROM bare_tower").fetchone() or (0,)
        assert count == ROWS - ROWS // WRONG, count
        driver.execute("DROP TABLE bare_tower")
    return seconds
