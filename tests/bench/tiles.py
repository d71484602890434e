"""Tiles of the map against the very SQL that they run, and what the grid costs an import."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from core import clock
from core.cluster import ClusterUrls, programs
from core.db import allow_long_statements, transaction
from maps import services
from tests.bench import imports
from tests.bench.figures import Figure
from tests.bench.lists import MILLION, TOWERS, captured
from tests.bench.stage import PLANNER, Stage, bare

# So many towers are a full screen at zoom 14 with a million of them.
FULL = 900
SECONDS = 3.0
ROUNDS = 3
FROM_AFAR = (5, 8)
BY_KEY: tuple[dict[str, Any], ...] = (
    {"condition": "dangerous"}, {"severity": "major"}, {"overdue": "1"}, {"due_within": "30"},
)  # fmt: skip
BY_OTHERS: tuple[dict[str, Any], ...] = ({"structure_type": "monopole"}, {"q": "tram"})


class Tiles:
    """Asks for tiles of a province as staff, and for their SQL alone."""

    def __init__(self, stage: Stage, urls: ClusterUrls) -> None:
        self.urls, self.folder = urls, stage.folder
        self.app: Flask = stage.app(urls)
        self.client: FlaskClient = stage.client(self.app, urls, "staff@example.org")

    def address(self, z: int, x: int, y: int, **query: Any) -> str:
        return f"/tiles/towers/{z}/{x}/{y}.mvt?{urlencode(query)}"

    def per_second(self, address: str, **headers: str) -> float:
        """How many answers a second one reader gets, one after another."""
        status = 304 if headers else 200
        end, number, started = perf_counter() + SECONDS, 0, perf_counter()
        while perf_counter() < end:
            answer = self.client.get(address, headers=headers)
            assert answer.status_code == status, answer.status_code
            number += 1
        return number / (perf_counter() - started)

    def sql_of(self, address: str) -> str:
        """The statement that makes a tile, its values written into it."""
        with captured(self.app.extensions["database"].engine) as statements:
            assert self.client.get(address).status_code == 200
        (made,) = [one for one in statements if "ST_AsMVT(" in one[0]]
        with bare(self.urls.app_url) as connection:
            return psycopg.ClientCursor(connection).mogrify(*made)

    def sql_per_second(self, sql: str) -> float:
        """How many times a second pgbench runs a statement, one after another."""
        script = self.folder / "tile.sql"
        # A script of pgbench has a statement a line.
        script.write_text(" ".join(sql.split()) + ";\n")
        url = make_url(self.urls.app_url)
        done = subprocess.run(
            [
                pgbench(), "--no-vacuum", "--client", "1", "--time", str(int(SECONDS)),
                "--file", script, "--host", str(url.query["host"]), "--username",
                str(url.username), str(url.database),
            ],
            env={**os.environ, "PGPASSWORD": str(url.password), "PGOPTIONS": PLANNER},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        found = re.search(r"tps = ([\d.]+) \(without initial", done.stdout)
        assert found, done.stdout
        return float(found[1])

    def against_sql(self, address: str) -> tuple[float, float, float]:
        """Answers a second, those of the SQL alone, and their ratio: the median of some turns."""
        sql = self.sql_of(address)
        turns = [(self.per_second(address), self.sql_per_second(sql)) for _ in range(ROUNDS)]
        ratio = statistics.median(ours / alone for ours, alone in turns)
        return max(one for one, _ in turns), max(one for _, one in turns), ratio


def pgbench() -> Path:
    return programs() / "pgbench"


def measure(stage: Stage) -> Iterator[Figure]:
    yield from tiles(stage, TOWERS)
    yield from import_beside(stage)


def measure_million(stage: Stage) -> Iterator[Figure]:
    yield from tiles(stage, MILLION)


def tiles(stage: Stage, towers: int) -> Iterator[Figure]:
    urls = stage.province(towers)
    asking = Tiles(stage, urls)
    about = f"D tile, {towers:,} towers"
    with stage.as_owner(urls) as connection:
        z = 14 if towers == MILLION else 12
        near = fullest(connection, z)
        far = {zoom: fullest(connection, zoom, most=towers)[:3] for zoom in FROM_AFAR}
    address = asking.address(*near[:3])
    ours, alone, ratio = asking.against_sql(address)
    yield Figure(f"{about}, z{z} with {near[3]} of them", ours, "tiles/s")
    yield Figure(f"{about}, z{z} in pgbench", alone, "tiles/s")
    yield Figure(f"{about}, z{z} against the same SQL in pgbench", ratio, "×", least=0.75)
    first = asking.client.get(address)
    yield Figure(f"{about}, z{z} size", len(first.data) / 1024, "KiB")
    again = {"If-None-Match": first.headers["ETag"]}
    yield Figure(f"{about}, z{z} unchanged (304)", asking.per_second(address, **again), "answers/s")
    yield from afar(asking, urls, far, f"{about}, not folded yet", folded=False)
    started = perf_counter()
    with asking.app.app_context(), transaction() as session:
        allow_long_statements(session)
        folded = services.fold(session, today=clock.today())
    yield Figure(f"{about}, folding {folded:,} rows", perf_counter() - started, "s")
    with stage.as_owner(urls) as connection:
        connection.execute(text("ANALYZE tower_change, tower_day, tower_cell"))
        for table in ("tower_cell", "tower_day"):
            rows = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            yield Figure(f"{about}, rows of {table}", rows, "rows")
    yield from afar(asking, urls, far, about, folded=True)


def afar(
    asking: Tiles, urls: ClusterUrls, far: dict[int, tuple[int, int, int]], about: str, *,
    folded: bool,
) -> Iterator[Figure]:  # fmt: skip
    for z, place in far.items():
        address = asking.address(*place)
        whole = asking.per_second(address)
        yield Figure(f"{about}, z{z}", whole, "tiles/s")
        if not folded:
            continue
        for query in BY_KEY:
            ratio = asking.per_second(asking.address(*place, **query)) / whole
            name = f"{about}, z{z} by {', '.join(query)} against unfiltered"
            yield Figure(name, ratio, "×", least=0.5)
        for query in BY_OTHERS:
            ours, _, ratio = asking.against_sql(asking.address(*place, **query))
            name = f"{about}, z{z} by {', '.join(query)} ({ours:.1f}/s) against the same SQL"
            yield Figure(name, ratio, "×", least=0.8)


def fullest(connection: Connection, z: int, most: int = FULL) -> tuple[int, int, int, int]:
    """The tile of a zoom with as many towers as can be up to a number, and how many."""
    row = connection.execute(
        text(
            """
            SELECT tile_at(ST_X(geom_3857), :z) AS x, tile_at(-ST_Y(geom_3857), :z) AS y,
                count(*) AS number
            FROM tower WHERE lifecycle <> 'dismantled' GROUP BY 1, 2
            HAVING count(*) <= :most ORDER BY 3 DESC LIMIT 1
            """
        ),
        {"z": z, "most": most},
    ).one()
    return z, row.x, row.y, row.number


def import_beside(stage: Stage) -> Iterator[Figure]:
    """An import with the grid against one without its trigger."""
    urls = stage.empty("import_grid")
    stage.flask(urls, "areas", "demo")
    path = imports.write_list(stage, urls, imports.ROWS)
    seconds: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    for _ in range(ROUNDS):
        for word, measured in seconds.items():
            imports.empty(stage, urls)
            with stage.as_owner(urls) as connection:
                for event in ("insert", "update"):
                    connection.execute(
                        text(f"ALTER TABLE tower {word} TRIGGER tower_counted_{event}")
                    )
            measured.append(imports.run(stage, urls, path)["seconds"])
    slower = min(seconds["ENABLE"]) / min(seconds["DISABLE"]) - 1
    yield Figure("D import of 100,000 towers, slower by the grid", slower * 100, "%", most=33)
