"""`python -m tests.bench [names…]`: without a name every benchmark but the long ones."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from time import perf_counter

from tests.bench import (
    audits,
    demo,
    exports,
    field,
    imports,
    lists,
    map_browser,
    map_page,
    phone,
    search,
    start_up,
    tiles,
    tipg,
)
from tests.bench.figures import Figure, keep, table
from tests.bench.stage import Stage

BENCHMARKS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "start-up": start_up.measure,
    "demo": demo.measure,
    "lists": lists.measure,
    "search": search.measure,
    "map": map_page.measure,
    "map-browser": map_browser.measure,
    "tiles": tiles.measure,
    "tipg": tipg.measure,
    "exports": exports.measure,
    "imports": imports.measure,
    "audit": audits.measure,
    "backup": audits.measure_backup,
    "field": field.measure,
    "phone": phone.measure,
}
# Those that take minutes or gigabytes run only when they are named.
LONG: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "demo-million": demo.measure_million,
    "exports-million": exports.measure_memory,
    "imports-million": imports.measure_million,
    "lists-million": lists.measure_million,
    "follow-up-million": lists.measure_follow_up_million,
    "search-million": search.measure_million,
    "map-browser-million": map_browser.measure_million,
    "tiles-million": tiles.measure_million,
    "tipg-million": tipg.measure_million,
}


def main(names: list[str]) -> int:
    """Run what is named and print the table; 1 where a goal does not hold, 2 for a wrong name.

    What a benchmark had measured before it failed is lost, what the others measured is not.
    """
    every = {**BENCHMARKS, **LONG}
    unknown = [name for name in names if name not in every]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}: {', '.join(every)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    failed = False
    started = perf_counter()
    with Stage().open() as stage:
        for name in names or BENCHMARKS:
            print(f"{name} …", file=sys.stderr, flush=True)
            begun = perf_counter()
            try:
                figures.extend(every[name](stage))
            except Exception:  # what the others measured is kept
                failed = True
                traceback.print_exc()
            print(f"{name}: {perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    keep(figures, stage.instance / "bench.json")
    print(table(figures))
    print(f"{perf_counter() - started:.0f} s in all", file=sys.stderr)
    return 1 if failed or any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
