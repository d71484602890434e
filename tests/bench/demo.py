"""How fast `flask demo load` makes its province."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.bench.stage import Stage


def measure(stage: Stage) -> Iterator[Figure]:
    stage.province(1_000)
    yield Figure("A demo 1,000 towers", stage.load_seconds[1_000], "s", most=60)
    stage.province(100_000)
    seconds = stage.load_seconds[100_000]
    yield Figure("A demo 100,000 towers", seconds, "s")
    yield Figure("A demo 100,000 towers, rate", 100_000 / seconds, "towers/s")


def measure_million(stage: Stage) -> Iterator[Figure]:
    stage.province(1_000_000)
    seconds = stage.load_seconds[1_000_000]
    # “In a few minutes”: ten are no longer a few.
    yield Figure("A demo 1,000,000 towers", seconds, "s", most=600)
    yield Figure("A demo 1,000,000 towers, rate", 1_000_000 / seconds, "towers/s")
