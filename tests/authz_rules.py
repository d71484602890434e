"""What no request with an empty body shows of the policy: rules that services ask themselves."""

from __future__ import annotations

from collections.abc import Iterator

from tests.authz import Bench, Wrong

# Kinds whose things are the same for whoever may have anything to do with them.
UNBOUND: set[str] = set()


def wrong(bench: Bench) -> Iterator[Wrong]:
    """What is not as it should be, beside the lines of `authz.yaml`."""
    yield from ()
