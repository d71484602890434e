"""A few seconds of `make soak`: what was acknowledged survives kills and a network that breaks."""

from __future__ import annotations

import random

import pytest

from tests.soak import submissions, uploads
from tests.soak.running import running
from tests.soak.submissions import Kills

pytestmark = pytest.mark.slow


def test_nothing_acknowledged_is_lost_doubled_or_half_and_no_fragment_is_seen() -> None:
    chance = random.Random()
    with running() as service:
        found = [
            *submissions.sent_through(service, 40, Kills(workers=2, databases=1, jobs=1), chance),
            *uploads.cut(service, 20, chance),
        ]
    assert all(one.good for one in found), "\n".join(map(str, found))
    assert any(
        one.line.startswith("40 acknowledged, 0 lost, 0 duplicated, 0 half") for one in found
    )
    assert service.killed == {"workers": 2, "databases": 1, "jobs": 1}
