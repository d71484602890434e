"""`/metrics` in the text format of Prometheus: what was asked, how long it took, what waits.

The counts of all workers lie in memory that they share: a killed worker takes none along, and a
full disk stops nothing.
"""

from __future__ import annotations

import bisect
import ipaddress
import mmap
import threading
import time
from collections.abc import Iterator

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import jobs
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.policy import PUBLIC, guard

# Workers write into places of their own; so many have one before a place is used again.
PLACES = 64
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
NUMBER_BYTES = 8
# Requests that no route takes: a label for each address would be one for whatever is asked.
NOWHERE = "none"


class Tally:
    """Counts of requests by endpoint and class of status, and their times, of all workers."""

    def __init__(self, endpoints: list[str]) -> None:
        self.endpoints = sorted({*endpoints, NOWHERE})
        self._at = {name: place for place, name in enumerate(self.endpoints)}
        self._counts = len(self.endpoints) * len(CLASSES)
        # Behind the counts: a bucket for each bound and one beyond, then all seconds.
        self._width = self._counts + len(BUCKETS) + 2
        shared = mmap.mmap(-1, PLACES * self._width * NUMBER_BYTES)
        self._numbers = memoryview(shared).cast("d")
        self._lock = threading.Lock()
        self.place = 0

    def add(self, endpoint: str | None, status: int, seconds: float) -> None:
        at = self._at.get(endpoint or NOWHERE, self._at[NOWHERE])
        kind = min(max(status // 100, 1), len(CLASSES)) - 1
        start = self.place * self._width
        bucket = start + self._counts + bisect.bisect_left(BUCKETS, seconds)
        with self._lock:
            self._numbers[start + at * len(CLASSES) + kind] += 1
            self._numbers[bucket] += 1
            self._numbers[start + self._width - 1] += seconds

    def sums(self) -> list[float]:
        """The numbers of all workers together."""
        rows = (
            self._numbers[place * self._width : (place + 1) * self._width]
            for place in range(PLACES)
        )
        return [sum(column) for column in zip(*rows, strict=True)]

    def families(self) -> Iterator[Metric]:
        numbers = self.sums()
        asked = CounterMetricFamily(
            "thap_canh_requests", "Requests answered", labels=["endpoint", "status"]
        )
        for at, endpoint in enumerate(self.endpoints):
            for kind, status in enumerate(CLASSES):
                if count := numbers[at * len(CLASSES) + kind]:
                    asked.add_metric([endpoint, status], count)
        yield asked
        buckets, running = [], 0.0
        for bound, count in zip((*BUCKETS, float("inf")), numbers[self._counts :], strict=False):
            running += count
            buckets.append((f"{bound:g}" if bound != float("inf") else "+Inf", running))
        yield HistogramMetricFamily(
            "thap_canh_request_seconds", "Time to an answer", buckets=buckets, sum_value=numbers[-1]
        )


class Now(Collector):
    """What was counted, and what the database says at this moment."""

    def __init__(self, tally: Tally, session: Session) -> None:
        self.tally, self.session = tally, session

    def collect(self) -> Iterator[Metric]:
        yield from self.tally.families()
        waiting = GaugeMetricFamily("thap_canh_jobs", "Jobs by their state", labels=["state"])
        states = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1 ORDER BY 1"
        for state, count in self.session.execute(text(states)):
            waiting.add_metric([state], count)
        yield waiting
        lives = GaugeMetricFamily("thap_canh_job_worker", "Whether a worker of jobs gives signs")
        lives.add_metric([], float(jobs.worker_lives(self.session)))
        yield lives
        size = GaugeMetricFamily("thap_canh_database_bytes", "Size of the database")
        size.add_metric(
            [], self.session.scalar(text("SELECT pg_database_size(current_database())"))
        )
        yield size


def init_app(app: Flask) -> None:
    """Count every request; called when all routes are there."""

    @app.get("/metrics")
    @guard(PUBLIC)
    def metrics() -> Response:
        """For administrators; with `METRICS=local` for whoever asks from this machine."""
        if not (current_actor().has("admin") or _from_here()):
            raise NotFound()
        registry = CollectorRegistry()
        registry.register(Now(current_app.extensions["tally"], current_session()))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    tally = app.extensions["tally"] = Tally([*app.view_functions])

    @app.after_request
    def count(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        tally.add(request.endpoint, response.status_code, seconds)
        return response


def _from_here() -> bool:
    """Whether a program of this machine asks, and not a proxy of this machine for somebody."""
    if not current_app.config["SETTINGS"].local_metrics or "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
