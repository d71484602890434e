"""Our tiles beside those of tipg, a tile server on the same database, in an environment of its own.

Both answer over HTTP from one process, and one reader asks for the same tile in turns. tipg leaves
out all but 10,000 towers of a tile and puts every column in; ours counts each and says little.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

from core import clock
from core.cluster import ClusterUrls
from core.db import allow_long_statements, transaction
from core.settings import ROOT
from maps import services
from tests.bench.figures import Figure, quickest
from tests.bench.lists import MILLION, TOWERS
from tests.bench.stage import Stage
from tests.bench.tiles import FROM_AFAR, fullest

PACKAGES = ("tipg==1.6.1", "uvicorn==0.38.0")
SECONDS = 2.0
NEAR = 12


def measure(stage: Stage) -> Iterator[Figure]:
    yield from _measure(stage, TOWERS, NEAR)


def measure_million(stage: Stage) -> Iterator[Figure]:
    """The size and the zoom for which the goal was set."""
    yield from _measure(stage, MILLION, 14)


def _measure(stage: Stage, towers: int, closest: int) -> Iterator[Figure]:
    urls = stage.province(towers)
    app = stage.app(urls)
    with app.app_context(), transaction() as session:
        allow_long_statements(session)
        services.fold(session, today=clock.today(), zone=clock.zone())
    with stage.as_owner(urls) as connection:
        near = fullest(connection, closest)
        places = [near[:3], *(fullest(connection, z, most=towers)[:3] for z in FROM_AFAR)]
    token = stage.client(app, urls, "staff@example.org").environ_base["HTTP_AUTHORIZATION"]
    with ours(stage, urls) as here, tipg(stage, urls) as there:

        def beside(name: str, our_path: str, their_path: str, least: float) -> Figure:
            our_seconds, their_seconds = quickest(
                SECONDS,
                lambda: ask(here, our_path, {"Authorization": token}),
                lambda: ask(there, their_path, {}),
            )
            return Figure(
                f"D {name}, {towers:,} towers, in answers a second against tipg",
                their_seconds / our_seconds,
                f"× {1 / their_seconds:.0f}/s",
                least=least,
            )

        for z, x, y in places:
            yield beside(
                f"tile z{z}",
                f"/tiles/towers/{z}/{x}/{y}.mvt",
                f"/collections/public.tower/tiles/WebMercatorQuad/{z}/{x}/{y}"
                "?geom-column=geom&limit=10000",
                least=2.5 if z == closest else 20,
            )
        yield beside(
            "feed of 1,000 features",
            "/api/v1/towers.geojson?limit=1000",
            "/collections/public.tower/items?limit=1000&geom-column=geom&f=geojson",
            least=3,
        )


def ask(connection: HTTPConnection, path: str, headers: dict[str, str]) -> None:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body[:500])
    assert body, path


@contextmanager
def ours(stage: Stage, urls: ClusterUrls) -> Iterator[HTTPConnection]:
    command = [
        Path(sys.executable).parent / "gunicorn", "--config", "python:core.serve",
        "--workers", "1", "wsgi:app",
    ]  # fmt: skip
    # tipg keeps no tile either.
    environment = {**stage.environment(urls), "KEPT_TILES_MB": "0"}
    with serving(command, environment, "--bind", "127.0.0.1:{port}") as connection:
        yield connection


@contextmanager
def tipg(stage: Stage, urls: ClusterUrls) -> Iterator[HTTPConnection]:
    folder = stage.folder / "tipg"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
    url = make_url(urls.owner_url)
    # It wants a host in the address: the socket's folder stands there as one.
    place = f"{url.username}:{url.password}@{quote(str(url.query['host']), safe='')}:5432"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{place}/{url.database}",
        "TIPG_MAX_FEATURES_PER_TILE": "10000",
    }
    command = [folder / "bin/uvicorn", "tipg.main:app", "--log-level", "warning"]
    with serving(command, environment, "--port", "{port}") as connection:
        yield connection


@contextmanager
def serving(
    command: list[Path | str], environment: dict[str, str], *place: str
) -> Iterator[HTTPConnection]:
    """A server on a free port, and a connection to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [*command, *(one.format(port=port) for one in place)], cwd=ROOT, env=environment
    )
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                connection.connect()
                # It opens by itself when something is asked: servers close one that rests.
                connection.close()
                break
            except ConnectionError:
                assert time.monotonic() < until and server.poll() is None, command
                time.sleep(0.2)
        yield connection
    finally:
        connection.close()
        server.terminate()
        server.wait()
