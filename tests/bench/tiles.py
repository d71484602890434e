"""Tiles of the map against the very SQL that they run, and what the grid costs an import."""

from __future__ import annotations

import os
import subprocess
import tempfile
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
from tests.bench.figures import Figure, quickest
from tests.bench.lists import MILLION, TOWERS, captured
from tests.bench.stage import PLANNER, Stage, bare

# So many towers are a full screen at zoom 14 with a million of them.
FULL = 900
SECONDS = 1.0
ROUNDS = 2
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

    def seconds(self, address: str, *, again: bool = False, **headers: str) -> float:
        """The least seconds of an answer: other work on the machine can only add to them.

        It is made each time, unless the same one is to be given `again`.
        """

        kept = self.app.extensions["kept_tiles"]

        def ask() -> None:
            if not again:
                kept.clear()
            answer = self.client.get(address, headers=headers)
            assert answer.status_code == (304 if headers else 200), answer.status_code

        return quickest(SECONDS, ask)[0]

    def sql_of(self, address: str) -> list[str]:
        """The statements of a tile but that of sign-in, their values written into them."""
        self.app.extensions["kept_tiles"].clear()
        with captured(self.app.extensions["database"].engine) as statements:
            assert self.client.get(address).status_code == 200
        with bare(self.urls.app_url) as connection:
            cursor = psycopg.ClientCursor(connection)
            return [cursor.mogrify(*one) for one in statements if "access_token" not in one[0]]

    def sql_seconds(self, sql: list[str]) -> float:
        """The least seconds of statements in pgbench, which fetches their answers as well."""
        script = self.folder / "tile.sql"
        # A script of pgbench has a statement a line.
        script.write_text("".join(f"{' '.join(one.split())};\n" for one in sql))
        url = make_url(self.urls.app_url)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            subprocess.run(
                [
                    programs() / "pgbench", "--no-vacuum", "--client", "1", "--log",
                    "--time", str(int(SECONDS)), "--file", script,
                    "--host", str(url.query["host"]), "--username", str(url.username),
                    str(url.database),
                ],
                cwd=folder, check=True, capture_output=True, text=True,
                env={**os.environ, "PGPASSWORD": str(url.password), "PGOPTIONS": PLANNER},
            )  # fmt: skip
            (log,) = Path(folder).glob("pgbench_log.*")
            # The third number of a line is the time in microseconds, 0 where the end cut it short.
            times = [int(line.split()[2]) for line in log.read_text().splitlines()]
        return min(one for one in times if one) / 1e6

    def against_sql(self, address: str) -> tuple[float, float]:
        """The seconds of an answer and those of its SQL alone, in turns."""
        sql = self.sql_of(address)
        turns = [(self.seconds(address), self.sql_seconds(sql)) for _ in range(ROUNDS)]
        return min(one for one, _ in turns), min(one for _, one in turns)


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
        crowd = fullest(connection, 11, most=towers)
        far = {zoom: fullest(connection, zoom, most=towers)[:3] for zoom in FROM_AFAR}
    address = asking.address(*near[:3])
    ours, alone = asking.against_sql(address)
    yield Figure(f"{about}, z{z} with {near[3]} of them", ours * 1000, "ms")
    name = f"{about}, z{z} in answers a second against the same SQL in pgbench"
    yield Figure(name, alone / ours, f"× SQL of {alone * 1000:.1f} ms", least=0.75)
    first = asking.client.get(address)
    yield Figure(f"{about}, z{z} size", len(first.data) / 1024, "KiB")
    tag = {"If-None-Match": first.headers["ETag"]}
    yield Figure(f"{about}, z{z} unchanged (304)", asking.seconds(address, **tag) * 1000, "ms")
    unchanged = asking.client.get(address, headers=tag)
    size = len(unchanged.data) + len(str(unchanged.headers))
    yield Figure(f"{about}, size of a 304", size, "bytes", most=1024)
    for zoom, place in far.items():
        seconds = asking.seconds(asking.address(*place))
        yield Figure(f"{about}, z{zoom} not folded yet", seconds * 1000, "ms")
    started = perf_counter()
    with asking.app.app_context(), transaction() as session:
        allow_long_statements(session)
        folded = services.fold(session, today=clock.today(), zone=clock.zone())
    yield Figure(f"{about}, folding {folded:,} rows", perf_counter() - started, "s")
    with stage.as_owner(urls) as connection:
        connection.execute(
            text("ANALYZE tower_change, tower_day, tower_cell, tower_overview, tower_due")
        )
        for table in ("tower_cell", "tower_overview", "tower_due", "tower_day"):
            rows = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            yield Figure(f"{about}, rows of {table}", rows, "rows")
    crowded = asking.address(*crowd[:3])
    made, kept = asking.seconds(crowded), asking.seconds(crowded, again=True)
    yield Figure(f"{about}, z11 with {crowd[3]:,} of them", made * 1000, "ms")
    yield Figure(f"{about}, z11 kept against made", made / kept, "×", least=10)
    for zoom, place in far.items():
        whole = asking.seconds(asking.address(*place))
        yield Figure(f"{about}, z{zoom}", whole * 1000, "ms")
        for query in BY_KEY:
            ratio = whole / asking.seconds(asking.address(*place, **query))
            name = f"{about}, z{zoom} by {', '.join(query)} against unfiltered"
            yield Figure(name, ratio, "×", least=0.5)
        for query in BY_OTHERS:
            ours, alone = asking.against_sql(asking.address(*place, **query))
            name = f"{about}, z{zoom} by {', '.join(query)} against the same SQL"
            yield Figure(name, alone / ours, f"× SQL of {alone * 1000:.0f} ms", least=0.8)


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
