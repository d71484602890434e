"""The map page weighs the same whatever the number of towers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.bench.stage import Stage

PARTS = ("/map", "/map/document")


def weight(stage: Stage, towers: int) -> int:
    """The bytes of the page and its document, without libraries."""
    urls = stage.province(towers)
    client = stage.client(stage.app(urls), urls, "staff@example.org")
    total = 0
    for path in PARTS:
        answer = client.get(path)
        assert answer.status_code == 200, path
        total += len(answer.data)
    return total


def measure(stage: Stage) -> Iterator[Figure]:
    few, many = weight(stage, 1_000), weight(stage, 100_000)
    yield Figure("A map page, 1,000 towers", few / 1024, "KiB", most=100)
    yield Figure("A map page, 100,000 towers", many / 1024, "KiB", most=100)
    yield Figure("A map page, 100,000 against 1,000", abs(many / few - 1) * 100, "% off", most=5)
