"""Every route is guarded: without sign-in nothing answers, and what names no action is refused.

Who gets which answer stands in `authz.yaml`, and `authz_test` asks all of it.
"""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.guard import route_action
from core.policy import PUBLIC, guard
from core.settings import Settings
from tests import doors, makers
from tests.authz import address, ask, missing, of, routes, table

pytestmark = pytest.mark.slow

# Routes that answer without sign-in; whoever adds one here says why in the review.
OPEN = {
    "static",
    "core.earlier_file",
    "security.static",
    "security.login",
    "security.logout",
    # Steps of a sign-in; each asks whether the one before it was taken.
    "security.two_factor_setup",
    "security.two_factor_token_validation",
    "security.two_factor_rescue",
    "security.tf_select",
    "security.mf_recovery",
    # Whoever was invited, or lost a password, cannot sign in yet.
    "accounts.ask_for_link",
    "accounts.use_link",
    "accounts.begin_openid",
    "accounts.end_openid",
    "core.choose_language",
    # Not found but for administrators, or programs of the same machine where that is set.
    "metrics",
    # What phones are to trust before they can sign in.
    "core.authority",
    "core.authority_certificate",
    "healthz",
    "readyz",
    # A phone keeps these without knowing anybody; what they show comes by a token.
    "field.app",
    "field.manifest",
    "field.worker",
    # Whoever holds the link of a notice answers for its owner, without an account.
    "notices.by_link",
    "notices.answer",
    "notices.photo_by_link",
    "notices.file_by_link",
    "api_notice_links.Linked",
    "api_notice_links.LinkReplies",
    "api_notice_links.LinkPhoto",
    "api_notice_links.LinkFile",
}
# Who has the function behind each rule and method; `tests/authz.yaml` says it line by line.
TABLE = table()

# What writes down who took it along.
EXPORTS = {
    "/towers/export", "/follow-up.csv", "/follow-up.geojson", "/follow-up.gpkg", "/follow-up.kml",
    "/follow-up.xlsx", "/statistics.csv", "/statistics.xlsx", "/statistics/<chart>.csv",
    "/statistics/<chart>.xlsx",
    "/follow-up.pdf", "/map/towers.html", "/map/print.pdf", "/map/print.png",
}  # fmt: skip


def test_the_public_routes_are_the_listed_ones(app: Flask) -> None:
    public = {
        endpoint
        for rule, method, endpoint in routes(app)
        if route_action(app, endpoint, method) == PUBLIC
    }
    assert public == OPEN


def test_without_sign_in_nothing_answers(app: Flask, session: Session) -> None:
    before = doors.counts(session)
    client = app.test_client()
    for rule, method, endpoint in routes(app):
        if endpoint in OPEN:
            continue
        response = ask(client, method, address(rule, missing()))
        if rule.startswith("/api/") or rule.endswith(("json", ".mvt", ".pmtiles")):
            doors.refused(response, 401)
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        elif method == "GET":
            assert response.status_code == 302, (rule, response.status_code)
            assert response.headers["Location"].startswith("/sign-in?next=%2F") or (
                response.headers["Location"].startswith("/sign-in?next=/")
            ), rule
        else:
            assert response.status_code == 401, (rule, method, response.status_code)
    assert doors.counts(session) == before


def test_head_is_guarded_as_get_is(app: Flask) -> None:
    client = app.test_client()
    for rule, method, endpoint in routes(app):
        if method == "GET" and endpoint not in OPEN:
            status = client.head(address(rule, missing())).status_code
            assert status in {302, 401}, (rule, status)


def test_options_says_nothing_but_the_methods(app: Flask) -> None:
    client = app.test_client()
    for rule, _, _ in routes(app):
        response = client.options(address(rule, missing()))
        assert response.status_code in {200, 401}, rule
        assert response.status_code == 401 or response.data == b"", rule


def test_who_takes_a_list_along_is_written_down(session: Session, world: doors.World) -> None:
    number = select(func.count()).where(AuditEntry.action.like("%.export"))
    client, before = world["inspector"], doors.counts(session)
    for rule in sorted(EXPORTS):
        values = of(world.here, world, "inspector")
        assert client.get(address(rule, values)).status_code == 200, rule
    assert session.scalar(number) == len(EXPORTS)
    before["audit_entry"] += len(EXPORTS)
    before["export"] += len(EXPORTS)
    assert doors.counts(session) == before


def test_writing_to_a_foreign_thing_with_a_whole_body_is_404(
    session: Session, world: doors.World
) -> None:
    client, there = world["inspector"], world.there
    before = doors.counts(session)
    tag = {"If-Match": "*"}
    body = doors.visit(there.tower.code)
    doors.refused(
        client.put(f"/api/v1/inspections/{there.inspection}", json=body, headers=tag), 404
    )
    doors.refused(doors.send_photo(client, there.inspection), 404)
    foreign = doors.refused(
        client.post("/api/v1/inspections", json={**body, "id": str(uuid.uuid4())}), 422
    )
    nothing = doors.refused(
        client.post(
            "/api/v1/inspections", json={**doors.visit("KHONG-CO"), "id": str(uuid.uuid4())}
        ),
        422,
    )
    assert list(foreign["fields"]) == list(nothing["fields"]) == ["tower"]
    known = doors.refused(
        client.post("/api/v1/inspections", json={**body, "id": str(there.inspection)}),
        (404, 422),
    )
    assert there.tower.name not in str(known)
    asked = {"tower": there.tower.code, "reason": "dao động mạnh"}
    doors.refused(client.post("/api/v1/inspections/assessment-requests", json=asked), 422)
    assert doors.counts(session) == before


def another_app(app: Flask, settings: Settings) -> Flask:
    """An application of its own in the transaction of the test."""
    from app import create_app

    fresh = create_app(settings)
    fresh.extensions["database"].sessions = app.extensions["database"].sessions
    fresh.test_client_class = app.test_client_class
    return fresh


def test_a_route_that_names_no_action_is_refused(
    app: Flask, session: Session, settings: Settings
) -> None:
    fresh = another_app(app, settings)
    fresh.add_url_rule("/forgotten", view_func=lambda: "secret")
    client = doors.client_of(fresh, session, makers.user(session, "admin"))
    for reader, status in ((client, 403), (fresh.test_client(), 403)):
        response = reader.get("/forgotten")
        assert response.status_code == status
        assert b"secret" not in response.data


def test_an_action_that_no_policy_names_is_never_allowed(
    app: Flask, session: Session, settings: Settings
) -> None:
    fresh = another_app(app, settings)
    fresh.add_url_rule("/mistyped", view_func=guard("tower.viwe")(lambda: "secret"))
    client = doors.client_of(fresh, session, makers.user(session, "admin"))
    response = client.get("/mistyped")
    assert response.status_code == 500
    assert b"secret" not in response.data


def test_a_page_that_is_not_there_still_knows_its_reader(app: Flask, session: Session) -> None:
    person = makers.user(session, "staff", name="Lê Thị Mận")
    page = doors.client_of(app, session, person).get("/nowhere")
    assert page.status_code == 404
    assert "Lê Thị Mận" in page.get_data(as_text=True)


def test_doubled_slashes_lead_to_the_page(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.get("/towers//new")
    assert response.status_code == 308
    assert response.headers["Location"].endswith("/towers/new")


def test_what_counts_everywhere_is_done_by_who_sees_everything(
    app: Flask, session: Session, world: doors.World
) -> None:
    of_here = makers.user(session, "staff", territories=[world.here.commune])
    clients = (world["staff"], doors.client_of(app, session, of_here))
    before = doors.counts(session)
    local = clients[1]
    for answer in (
        local.post(f"/api/v1/organisations/{world.owner.id}/merge?lang=en", json={}),
        local.post("/api/v1/checklists?lang=en", json={}),
    ):
        said = doors.refused(answer, 403)
        assert "only who sees the whole register may do it" in said["detail"]
    for path in ("/notices/template", "/notices/template/reset"):
        page = local.post(f"{path}?lang=en")
        assert page.status_code == 403
        assert "only who sees the whole register may do it" in page.get_data(as_text=True)
    assert doors.counts(session) == before
    for path, link in (
        (f"/organisations/{world.owner.id}", f"/organisations/{world.owner.id}/merge"),
        ("/notices", "/notices/template"),
        ("/checklists", "To the draft"),
        ("/checklists/2", "/checklists/2/items/new"),
    ):
        pages = [one.get(f"{path}?lang=en").get_data(as_text=True) for one in clients]
        assert [link in page for page in pages] == [True, False], path
