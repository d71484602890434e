"""Every rule and method answers each role as `authz.yaml` says, and shows nothing it must not."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests import authz, authz_rules, doors
from tests.authz import BOUND, COLUMNS, Bench, lines
from tests.conftest import Note

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(app: Flask, session: Session, world: doors.World) -> Bench:
    return authz.bench(app, session, world)


def test_every_rule_and_method_has_its_line(app: Flask, figure: Note) -> None:
    here = {(rule, method) for rule, method, _ in authz.routes(app)}
    known = lines()
    figure("P6", "rules and methods", len(here))
    figure("P6", "without a line", len(here ^ set(known)), wrong=True)
    assert here == set(known), "`python -m tests.authz` brings the file up to date"
    assert all(tuple(cases) == authz.cases_of(rule) for (rule, _), cases in known.items())


def test_every_route_names_the_action_of_its_line(app: Flask) -> None:
    """Also where a service asks for the same once more, so that a request could not tell."""
    assert authz.named(app) == authz.actions()


def test_no_line_allows_that_the_service_breaks() -> None:
    for line, cases in lines().items():
        for statuses in cases.values():
            assert all(status < 500 for status in statuses.values()), line


@pytest.mark.parametrize("role", COLUMNS)
def test_each_line_answers_as_the_file_says(
    bench: Bench, session: Session, role: str, figure: Note
) -> None:
    """Refused requests change nothing; a foreign territory is in no body, header or file."""
    before = doors.counts(session)
    wrong = [str(one) for one in bench.wrong(lines(), [role])]
    figure("P6", "roles", 1)
    figure("P6", "requests for own, other's and missing things", bench.asked)
    figure("P6", "answers other than their line, or with what is foreign", len(wrong), wrong=True)
    assert wrong == []
    assert doors.counts(session) == before


def test_both_forms_of_every_rule_say_the_same(bench: Bench) -> None:
    assert authz_rules.kinds_without_a_rule() == set()
    wrong = "\n".join(str(one) for one in authz_rules.wrong(bench))
    assert wrong == ""


@pytest.mark.parametrize("role", ["staff_here", "inspector", "local_officer"])
def test_no_count_tells_of_a_foreign_tower(bench: Bench, role: str) -> None:
    client, here = bench.clients[role], bench.world.here
    for path in ("/towers", "/follow-up", "/violations?state=", "/inspections"):
        for query in ("q=TRU", "q=there", "commune=90002"):
            joint = "&" if "?" in path else "?"
            answer = client.get(f"{path}{joint}{query}")
            assert list(bench.seen(role, "GET", f"{path} {query}", answer)) == []
    box = client.get("/map/extent.json").get_json()["box"]
    assert box[2] < 106
    assert client.get("/tiles/towers/counts.json").get_json() == {"matching": 1, "total": 1}
    for kind in ("towers", "inspections", "proposals", "documents?tower=TRU-here", "notices"):
        items = client.get(f"/api/v1/{kind}").get_json()["items"]
        assert len(items) in ({1, 2} if kind == "notices" else {1}), (kind, len(items))
    for kind in ("follow-up", "violations"):
        found = {row["tower"] for row in client.get(f"/api/v1/{kind}").get_json()["items"]}
        assert found == {here.tower.code}


# What programs and maps ask again and again, with the mark of what they have.
ASKED_AGAIN = (
    "/api/v1/towers", "/api/v1/towers.geojson", "/api/v1/follow-up", "/api/v1/violations",
    "/api/v1/inspections", "/api/v1/statistics", "/api/v1/campaigns", "/api/v1/notices",
    "/map/figures.json", "/map/list.json?bbox=100,5,115,20", "/map/extent.json",
    "/map/owners.json", "/tiles/towers/counts.json", "/tiles/towers/8/203/120.mvt",
    "/tiles/towers/12/3252/1928.mvt",
)  # fmt: skip


def test_what_happens_elsewhere_changes_no_answer_and_no_etag(bench: Bench) -> None:
    """Neither content nor ETag says that anything was done to a foreign tower.

    The mark of tiles alone is the number of the register's last change: it says that something
    was changed somewhere, so that nobody has to count for each reader whether it concerns them.
    """
    staff, reader, there = bench.world["staff"], bench.clients["inspector"], bench.world.there

    def asked() -> dict[str, tuple[int, str, str | None]]:
        found = {}
        for path in ASKED_AGAIN:
            answer = reader.get(path)
            digest = hashlib.sha256(answer.data).hexdigest()
            tag = None if path.startswith("/tiles/") else answer.headers.get("ETag")
            found[path] = (answer.status_code, digest, tag)
        return found

    before = asked()
    assert {status for status, *_ in before.values()} == {200}
    path, tag = f"/api/v1/towers/{there.tower.code}", {"If-Match": "*"}
    doors.answered(staff.patch(path, json={"name": "Khác hẳn", "height_m": 99}, headers=tag), 200)
    new = {"code": "TRU-moi", "name": "Mới", "latitude": 10.46, "longitude": 106.51}
    doors.answered(staff.post("/api/v1/towers", json=new), 201)
    assert asked() == before


def test_every_bound_role_is_bound_by_something(bench: Bench) -> None:
    """The marks are there for whoever sees everything: a walk that looks for nothing finds none."""
    content = b"".join(
        authz.content_of(bench.clients["staff"].get(path))
        for path in ("/towers", "/follow-up.xlsx", "/api/v1/inspections", "/api/v1/notices")
    )
    assert bench.world.there.tower.code.encode() in content
    assert bench.world.there.tower.name.encode() in content
    owner = bench.clients["staff"].get(f"/organisations/{bench.world.owner.id}").data
    for role in BOUND[1:]:
        assert any(one.encode() in owner for one in bench.hidden[role])
