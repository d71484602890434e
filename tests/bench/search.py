"""The one box: first results in milliseconds of SQL, and the page against that SQL."""

from __future__ import annotations

from collections.abc import Iterator

from core.cluster import ClusterUrls
from tests.bench.figures import Figure
from tests.bench.lists import Reader
from tests.bench.stage import Stage, bare

# What a reader of the demo province types; `{number}` is a tower in the middle of the register.
TEXTS = (
    ("exact code", "DT-{number}"),
    ("part of a code", "{number}"),
    ("without marks", "truyen thanh cao lanh"),
    ("a frequent word", "tram"),
    ("two words", "sa dec {number}"),
    ("owner and commune", "canh co cao lanh"),
    ("with a typo", "cao lanj"),
    ("two words as one", "caolanh sen xanh"),
    ("five words", "dai truyen thanh my tho"),
    ("nothing at all", "zzqqxx"),
    ("a position", "10.4603, 105.6325"),
)
MOST_SQL_MS = 100.0


def measure(stage: Stage) -> Iterator[Figure]:
    yield from searches(stage, stage.province(100_000), 100_000)


def measure_million(stage: Stage) -> Iterator[Figure]:
    yield from searches(stage, stage.province(1_000_000), 1_000_000)


def searches(stage: Stage, urls: ClusterUrls, towers: int) -> Iterator[Figure]:
    app = stage.app(urls)
    with bare(urls.app_url) as connection:
        reader = Reader(app, stage.client(app, urls, "staff@example.org"), connection)
        for name, text in TEXTS:
            q = text.format(number=f"{towers // 2:05d}")
            # The API gives the first results and counts nothing.
            _, sql, statements = reader.seconds("/api/v1/towers", q=q)
            about = f"B search {towers:,}, {name}"
            unit = f"ms SQL of {statements} statements"
            yield Figure(f"{about}, first results", sql * 1000, unit, most=MOST_SQL_MS)
            yield reader.figure(f"{about}, page", "/towers", q=q)
            whole, sql, _ = reader.seconds("/search.json", q=q)
            yield Figure(f"{about}, suggestions", whole * 1000, "ms")
