"""P3: nothing is changed without the version in hand. Every operation that changes what others see
is found by walking, and asked without a version and with one that is not there any more."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests import authz, doors
from tests.authz import Bench, address, routes
from tests.conftest import Note
from tests.towers.parts_test import BODIES as PARTS
from tests.towers.parts_test import FOOTPRINT

pytestmark = pytest.mark.slow

# Changes without a version, and why they need none.
WITHOUT = {
    ("DELETE", "/api/v1/devices/<uuid:device_id>"): "ended twice it is ended",
    ("DELETE", "/api/v1/devices/token"): "ended twice it is ended",
    ("PATCH", "/api/v1/uploads/<uuid:photo_id>"): "Upload-Offset says where it goes on",
}
OLD = {"If-Match": '"v9999"'}
# Whoever has the function is among them.
ROLES = ("staff", "inspector", "admin")
REASON = {"reason": "x"}
# These come as a form.
FORMS = {
    "/api/v1/inspections/<uuid:inspection_id>/signatures": {
        "id": str(uuid.UUID(int=1)), "place": "inspector", "name": "x",
    },
}  # fmt: skip


def changes(app: Flask) -> list[tuple[str, str]]:
    """PUT, PATCH and DELETE, and whatever else says that it needs If-Match."""
    found = []
    for rule, method, endpoint in routes(app):
        view = getattr(app.view_functions[endpoint], "view_class", None)
        asked = getattr(view, method.lower(), None)
        said = f"{getattr(asked, '__doc__', '')}{getattr(asked, '_apidoc', '')}"
        if method in {"PUT", "PATCH", "DELETE"} or (method == "POST" and "If-Match" in said):
            found.append((method, rule))
    return found


def body_of(method: str, rule: str, world: doors.World, another_owner: object) -> Any:
    """What an operation takes; what is right in it is looked at after the version."""
    here = world.here
    tower = {"code": here.tower.code, "name": "x", "latitude": 10.46, "longitude": 105.63}
    known: dict[str, Any] = {
        "/api/v1/assignments/<uuid:assignment_id>": {"inspector": str(uuid.UUID(int=1))},
        "/api/v1/assignments/<uuid:assignment_id>/withdrawal": REASON,
        "/api/v1/campaigns/<uuid:campaign_id>": {
            "name": "x", "kind": "periodic", "begins_on": "2026-11-01", "ends_on": "2026-12-31",
        },
        "/api/v1/campaigns/<uuid:campaign_id>/state": {"state": "running"},
        "/api/v1/campaigns/<uuid:campaign_id>/towers": {"choice": {}},
        "/api/v1/campaigns/<uuid:campaign_id>/assignments": {"inspectors": [str(uuid.UUID(int=1))]},
        "/api/v1/campaigns/<uuid:campaign_id>/removals": {
            "assignments": [str(here.assignment)], **REASON,
        },
        "/api/v1/checklists/<int:draft>/groups/<key>": {"vi": "x", "en": "x"},
        "/api/v1/checklists/<int:draft>/groups/<key>/place": {"place": 1},
        "/api/v1/checklists/<int:draft>/items/<key>": {"item": {}},
        "/api/v1/checklists/<int:draft>/items/<key>/place": {"place": 1},
        "/api/v1/checklists/<int:number>": {"content": {}},
        "/api/v1/follow-up/saved/<uuid:saved_id>": {"name": "x", "query": {}},
        "/api/v1/imports/<uuid:batch_id>": {"columns": {"code": [0]}},
        "/api/v1/inspections/<uuid:inspection_id>": doors.visit(here.tower.code),
        "/api/v1/inspections/<uuid:inspection_id>/review": {"decision": "accept"},
        "/api/v1/inspections/<uuid:inspection_id>/void-request": REASON,
        "/api/v1/inspections/<uuid:inspection_id>/void-decision": {"decision": "confirm"},
        "/api/v1/notices/<uuid:notice_id>": {
            "owner": str(world.owner.id), "violations": [str(here.violation)],
        },
        "/api/v1/notices/<uuid:notice_id>/service": {
            "served_on": "2026-11-20", "served_to": "x", "served_how": "post",
        },
        "/api/v1/notices/<uuid:notice_id>/withdrawal": REASON,
        "/api/v1/notices/<uuid:notice_id>/extensions": {
            "violations": [str(here.violation)], "grant": False, **REASON,
        },
        "/api/v1/organisations/<uuid:organisation_id>": {"name": "x", "kind": "owner"},
        "/api/v1/organisations/<uuid:organisation_id>/merge": {
            "same": str(another_owner), "same_version": 1,
        },
        "/api/v1/proposals/<uuid:proposal_id>/decision": {"decision": "refuse", **REASON},
        "/api/v1/tower-merges": {
            "keep": here.tower.code, "drop": world.there.tower.code, "drop_version": 1,
        },
        "/api/v1/towers/<code>": tower,
        "/api/v1/towers/<code>/footprint": FOOTPRINT,
        "/api/v1/violations/<uuid:violation_id>/events": {"kind": "confirmed"},
        "/api/v1/assessments/<uuid:assessment_id>/answer": {
            "outcome": "safe", "assessed_on": "2026-11-20", "assessor": "x", "conclusion": "x",
            "document": str(here.document),
        },
    }  # fmt: skip
    for kind, part in PARTS.items():
        known[f"/api/v1/towers/<code>/{kind}"] = part
        known[f"/api/v1/towers/<code>/{kind}/<uuid:part_id>"] = part
    if method == "PATCH" and rule.endswith(("<code>", "<uuid:organisation_id>")):
        return {"note": "x"}
    return None if method == "DELETE" else known.get(rule, {})


def test_nothing_is_changed_without_the_version_in_hand(
    app: Flask, session: Session, world: doors.World, figure: Note
) -> None:
    bench = authz.bench(app, session, world)
    before = doors.counts(session)
    walked = [one for one in changes(app) if one not in WITHOUT]
    asked, changed, otherwise = 0, [], []
    for method, rule in walked:
        answers: dict[str, set[int]] = {"without": set(), "old": set()}
        for role in ROLES:
            for case, headers in (("without", {}), ("old", OLD)):
                status = asked_as(bench, role, method, rule, headers)
                answers[case].add(status)
                asked += 1
                if status < 400:
                    changed.append(f"{role}: {method} {rule} {case}: {status}")
        if 428 not in answers["without"] or 412 not in answers["old"]:
            otherwise.append(f"{method} {rule}: {answers}")
    figure("P3", "operations that change something, found by walking", len(walked))
    figure("P3", "requests without a version or with an old one, as each role", asked)
    figure("P3", "operations that do not answer 428 and 412", len(otherwise), wrong=True)
    figure("P3", "changes made so", len(changed), wrong=True)
    assert otherwise == []
    assert changed == []
    assert doors.counts(session) == before


def asked_as(bench: Bench, role: str, method: str, rule: str, headers: dict[str, str]) -> int:
    """One request for a thing of the role's own; what is done is taken back."""
    path = address(rule, bench.values_of(rule, role, "own"))
    nested = bench.session.connection().begin_nested()
    other = bench.values[role, "other"]["organisation_id"]
    form, body = FORMS.get(rule), body_of(method, rule, bench.world, other)
    sent = {"data": form} if form else {"json": body}
    answer = bench.clients[role].open(path, method=method, headers=headers, **sent)
    nested.rollback()
    return answer.status_code


def test_what_needs_no_version_is_still_there(app: Flask) -> None:
    assert set(WITHOUT) <= set(changes(app))
