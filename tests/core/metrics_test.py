"""`/metrics`: what is counted, by all workers together, and who may read it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from core.metrics import Tally
from core.settings import Settings


def samples(told: str) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(told)
        for one in family.samples
    }


def test_administrators_read_what_was_asked_and_what_waits(
    sign_in: Callable[..., FlaskClient],
) -> None:
    client = sign_in("admin")
    key = ("thap_canh_requests_total", "healthz", "2xx")
    before = samples(client.get("/metrics").get_data(as_text=True)).get(key, 0)
    client.get("/healthz")
    client.get("/khong-co/{{31337*31337}}")
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    found = samples(answer.get_data(as_text=True))
    assert found[key] == before + 1
    assert found["thap_canh_requests_total", "none", "4xx"] >= 1
    assert found["thap_canh_request_seconds_count",] == sum(
        count for (name, *_), count in found.items() if name == "thap_canh_requests_total"
    )
    assert found["thap_canh_database_bytes",] > 0
    assert ("thap_canh_job_worker",) in found
    # What somebody asks for becomes no label.
    assert "31337" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("role", ["staff", "inspector", "operator"])
def test_nobody_else_learns_that_it_is_there(
    sign_in: Callable[..., FlaskClient], role: str
) -> None:
    assert sign_in(role).get("/metrics").status_code == 404


def test_programs_of_this_machine_read_it_where_that_is_set(app: Flask) -> None:
    client, settings = app.test_client(), app.config["SETTINGS"]
    assert client.get("/metrics").status_code == 404
    local: Settings = replace(settings, local_metrics=True)
    app.config["SETTINGS"] = local
    try:
        answers = [
            client.get("/metrics", environ_base=facts).status_code
            for facts in (
                {"REMOTE_ADDR": "127.0.0.1"},
                {"REMOTE_ADDR": "::1"},
                {"REMOTE_ADDR": "10.0.0.7"},
                {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.7"},
            )
        ]
    finally:
        app.config["SETTINGS"] = settings
    assert answers == [200, 200, 404, 404]


def test_the_counts_of_a_killed_worker_stay() -> None:
    tally = Tally(["a"])
    tally.add("a", 200, 0.01)
    child = os.fork()
    if not child:
        tally.place = 1
        tally.add("a", 503, 0.2)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    numbers = {
        (one.labels["endpoint"], one.labels["status"]): one.value
        for family in tally.families()
        if family.name == "thap_canh_requests"
        for one in family.samples
    }
    assert numbers == {("a", "2xx"): 1, ("a", "5xx"): 1}
