"""`python -m tests.soak [parts…]`: run the parts, print what was found; 1 where a promise broke."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.soak import alike, faults, kept, submissions, uploads
from tests.soak.figures import Found
from tests.soak.running import Running, running

PARTS: dict[str, Callable[[Running, float, random.Random], Iterator[Found]]] = {
    "submissions": submissions.measure,
    "uploads": uploads.measure,
    "alike": alike.measure,
    "migrations": faults.migrations,
    "restarts": faults.restarted,
    "silence": faults.silent,
    "audit": kept.audited,
    "backup": kept.backed_up,
    # What lay on the small disk goes with it: a backup would name it as missing.
    "disks": faults.full_disks,
}


def main(names: list[str]) -> int:
    """Run the parts, one after another with the same service, which none of them may break."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"There is no part {unknown[0]!r}: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    scale = float(os.environ.get("SOAK_SCALE") or 1)
    seed = os.environ.get("SOAK_SEED") or str(time.time_ns())
    print(f"Soak: SOAK_SCALE={scale:g} SOAK_SEED={seed}", flush=True)
    begun, failed, report = time.monotonic(), 0, []
    with running() as service:
        for name in names or PARTS:
            at = time.monotonic()
            for one in measured(service, name, scale, random.Random(seed + name)):
                print(one, flush=True)
                failed += not one.good
                now = time.monotonic()
                report.append({"part": name, "seconds": now - at, **asdict(one)})
                at = now
    if path := os.environ.get("SOAK_REPORT"):
        Path(path).write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    took = time.monotonic() - begun
    print(f"{'All promises held' if not failed else f'{failed} did not hold'} ({took:.0f} s)")
    return 1 if failed else 0


def measured(service: Running, name: str, scale: float, chance: random.Random) -> Iterator[Found]:
    """What a part finds; one that breaks down is a promise broken."""
    try:
        yield from PARTS[name](service, scale, chance)
    except Exception as error:
        traceback.print_exc()
        yield Found("", f"{name} broke down: {type(error).__name__} {error}"[:500], False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
