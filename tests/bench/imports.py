"""`flask towers import` against a bare COPY into the same table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter

from sqlalchemy import text

from core.cluster import ClusterUrls
from tests.bench.figures import Figure
from tests.bench.stage import Stage, bare

ROWS = 100_000
TYPES = ("lattice_self_support", "guyed_mast", "rooftop_guyed", "monopole")


def places(stage: Stage, urls: ClusterUrls) -> list[tuple[float, float]]:
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
            {"rows": ROWS},
        )
        return [(float(x), float(y)) for x, y in found]


def write_list(
    path: Path, points: list[tuple[float, float]]
) -> list[tuple[str, str, str, str, str]]:
    """A list with the headers that need no mapping, and its rows as COPY wants them."""
    random = Random(7)
    rows = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("code", "name", "structure_type", "height_m", "latitude", "longitude", "owner")
        )
        for number in range(ROWS):
            code, name = f"NK-{number:06d}", f"Trạm nhập khẩu {number}"
            kind, height = random.choice(TYPES), f"{random.randrange(12, 70)}.5"
            x, y = points[number]
            owner = f"Doanh nghiệp số {random.randrange(40)}"
            writer.writerow((code, name, kind, height, y, x, owner))
            rows.append((code, name, kind, height, f"SRID=4326;POINT({x} {y})"))
    return rows


def measure(stage: Stage) -> Iterator[Figure]:
    urls = stage.empty("import")
    stage.flask(urls, "areas", "demo")
    path = stage.folder / "list.csv"
    rows = write_list(path)
    # Before and after, so that a machine that grows slower in between does not count.
    before = copy_seconds(stage, urls, rows)
    seconds = stage.flask(urls, "towers", "import", str(path))
    with stage.as_owner(urls) as connection:
        assert connection.scalar(text("SELECT count(*) FROM tower")) == ROWS
    floor = (before + copy_seconds(stage, urls, rows)) / 2
    again = stage.flask(urls, "towers", "import", str(path))
    yield Figure("A import 100,000 rows, bare COPY", ROWS / floor, "rows/s")
    yield Figure("A import 100,000 rows", ROWS / seconds, "rows/s")
    yield Figure("A import 100,000 rows against bare COPY", floor / seconds, "×", least=0.3)
    yield Figure("A import 100,000 rows a second time, unchanged", ROWS / again, "rows/s")


def copy_seconds(
    stage: Stage, urls: ClusterUrls, rows: list[tuple[str, str, str, str, str]]
) -> float:
    """Seconds of COPY into a table with the register's columns, checks and indexes, once."""
    with stage.as_owner(urls) as connection:
        connection.execute(text("CREATE TABLE bare_tower (LIKE tower INCLUDING ALL)"))
    with bare(urls.owner_url) as driver:
        started = perf_counter()
        columns = "code, name, structure_type, height_m, geom"
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY bare_tower ({columns}) FROM STDIN") as to,
        ):
            for row in rows:
                to.write_row(row)
        driver.commit()
        seconds = perf_counter() - started
        driver.execute("DROP TABLE bare_tower")
    return seconds
