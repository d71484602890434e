"""Notices through the API, on the pages of staff, and on the page of the link."""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import delete, update

from app import create_app
from core import clock
from core.policy import SYSTEM
from core.store import set_value
from inspections.models import Violation
from inspections.notice_models import Notice, NoticeItem, NoticeLink
from tests import doors, makers
from tests.canary_test import TEXTS
from tests.doors import answered, refused


@pytest.fixture
def world(world, session):
    """A world in which nobody has told the owner anything yet."""
    told = world.here.notice
    session.execute(delete(NoticeItem).where(NoticeItem.notice_id == told))
    session.execute(update(Notice).where(Notice.id == told).values(state="discarded"))
    session.commit()
    return world


@pytest.fixture
def chief(app, session, world):
    """Somebody else of the staff, who issues."""
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def drafted(world):
    """The address of a draft about the violation here, and its tag."""
    response = world["staff"].post("/api/v1/notices", json=body(world))
    answered(response, 201)
    return response.headers["Location"], response.headers["ETag"]


@pytest.fixture
def issued(chief, drafted):
    """The address of an issued notice, its tag and the path of its link."""
    address, tag = drafted
    response = chief.post(f"{address}/issue", headers={"If-Match": tag})
    link = answered(response, 200)["link"]
    return address, response.headers["ETag"], "/n/" + link.rpartition("/n/")[2]


def body(world, **facts):
    return {
        "id": str(uuid.uuid4()),
        "owner": str(world.owner.id),
        "violations": [str(world.here.violation)],
        "note": "Ghi chú",
        **facts,
    }


def test_a_draft_sent_again_is_the_same_and_another_one_is_a_conflict(world) -> None:
    sent = body(world)
    first = answered(world["staff"].post("/api/v1/notices", json=sent), 201)
    assert answered(world["staff"].post("/api/v1/notices", json=sent), 200) == first
    refused(world["staff"].post("/api/v1/notices", json={**sent, "note": "x"}), 409)


@pytest.mark.parametrize(
    "wrong",
    [
        {"violations": []},
        {"violations": ["x"]},
        {"violations": [str(uuid.UUID(int=5))]},
        {"owner": str(uuid.UUID(int=5))},
        {"owner": None},
        {"note": "x" * 4001},
        {"more": 1},
        {"id": "7"},
    ],
)
def test_what_is_no_draft(session, world, wrong) -> None:
    before = doors.counts(session)
    refused(world["staff"].post("/api/v1/notices", json=body(world, **wrong)), 422)
    assert doors.counts(session) == before


def test_every_change_names_its_version(world, chief, drafted) -> None:
    address, tag = drafted
    refused(chief.post(f"{address}/issue"), 428)
    refused(chief.post(f"{address}/issue", headers={"If-Match": '"v9"'}), 412)
    changed = world["staff"].put(
        address,
        json={key: value for key, value in body(world, note="Khác").items() if key != "id"},
        headers={"If-Match": tag},
    )
    assert answered(changed, 200)["note"] == "Khác"
    refused(chief.post(f"{address}/issue", headers={"If-Match": tag}), 412)
    assert answered(chief.get(address), 200)["state"] == "draft"


def test_the_drafter_may_not_issue(world, drafted) -> None:
    address, tag = drafted
    refused(world["staff"].post(f"{address}/issue", headers={"If-Match": tag}), 403)


def test_the_life_of_a_notice_by_the_api(world, chief, issued) -> None:
    address, tag, _ = issued
    found = answered(chief.get(address), 200)
    assert (found["state"], found["number"], found["reference"]) == ("issued", 1, "01/TB-SKHCN")
    assert {one["form"] for one in found["documents"]} == {"docx", "pdf"}
    for form, magic in (("pdf", b"%PDF-1.7"), ("docx", b"PK\x03\x04")):
        sent = chief.get(f"{address}/document.{form}")
        assert sent.data.startswith(magic)
        assert chief.get(f"{address}/document.{form}").data == sent.data
    refused(chief.get(f"{address}/document.exe"), 404)
    served = {
        "served_on": clock.today().isoformat(), "served_to": "Văn thư", "served_how": "post",
    }  # fmt: skip
    after = chief.post(f"{address}/service", json=served, headers={"If-Match": tag})
    assert answered(after, 200)["served_to"] == "Văn thư"
    violation = answered(chief.get(f"/api/v1/violations/{world.here.violation}"), 200)
    assert violation["stage"] == "served"
    tag = after.headers["ETag"]
    again = refused(chief.post(f"{address}/service", json=served, headers={"If-Match": tag}), 409)
    assert again["facts"]["state"] == "issued" and "serve" not in again["facts"]["possible"]
    gone = chief.post(
        f"{address}/withdrawal", json={"reason": "Sai chủ"}, headers={"If-Match": tag}
    )
    assert answered(gone, 200)["possible_steps"] == []
    listed = answered(chief.get("/api/v1/notices?state=withdrawn"), 200)["items"]
    assert [one["id"] for one in listed] == [address.rpartition("/")[2]]
    assert answered(chief.get("/api/v1/notices?limit=1"), 200)["next_cursor"]


def test_links_by_the_api(chief, issued, app) -> None:
    address, tag, path = issued
    made = chief.post(f"{address}/links", headers={"If-Match": tag})
    assert "/n/" in answered(made, 201)["link"]
    first, _ = answered(chief.get(f"{address}/links"), 200)["items"]
    assert first.keys() == {"id", "made_at", "expires_at", "revoked_at", "live"}
    assert app.test_client().get(path).status_code == 200
    revoked = chief.post(f"/api/v1/notices/links/{first['id']}/revocation")
    assert [one["live"] for one in answered(revoked, 200)["links"]] == [False, True]
    refused(chief.post(f"/api/v1/notices/links/{first['id']}/revocation"), 409)
    assert app.test_client().get(path).status_code == 404


# The pages of staff.


def test_a_notice_from_the_violation_to_its_withdrawal_on_pages(app, session, world) -> None:
    staff = doors.signed_in(app, doors.with_password(session, "staff").email)
    chief = doors.signed_in(app, doors.with_password(session, "staff").email)
    page = staff.get(f"/violations/{world.here.violation}").get_data(as_text=True)
    assert f"/notices/new?violation={world.here.violation}" in page
    page = staff.get(f"/notices/new?violation={world.here.violation}").get_data(as_text=True)
    number = re.search(r'name="id" value="([^"]+)"', page).group(1)
    form = {
        "csrf_token": doors.csrf_of(page), "id": number, "owner": str(world.owner.id),
        "violation": str(world.here.violation), "note": "{{7*7}}",
    }  # fmt: skip
    wrong = staff.post("/notices/new", data={**form, "violation": ""})
    assert wrong.status_code == 422 and "{{7*7}}" in wrong.get_data(as_text=True)
    address = staff.post("/notices/new", data=form).headers["Location"]
    assert address == f"/notices/{number}"
    own = staff.get(address).get_data(as_text=True)
    assert f"{address}/issue" not in own

    def send(step: str, **fields):
        page = chief.get(address).get_data(as_text=True)
        version = re.search(r'name="version" value="(\d+)"', page).group(1)
        given = {"csrf_token": doors.csrf_of(page), "version": version, **fields}
        return chief.post(f"{address}/{step}", data=given)

    assert chief.get(f"{address}/document.pdf").data.startswith(b"%PDF")
    assert send("issue", version="77").status_code == 409
    assert send("issue").status_code == 302
    wrong = send("service", served_on="hôm qua", served_to="A", served_how="post")
    assert wrong.status_code == 422
    today = clock.today().isoformat()
    assert send("service", served_on=today, served_to="A", served_how="post").status_code == 302
    link = send("links")
    assert link.headers["Cache-Control"].startswith("no-store")
    assert re.search(r"http://localhost/n/[\w-]{43}", link.get_data(as_text=True))
    assert send("withdraw", reason="").status_code == 422
    assert send("withdraw", reason="Sai chủ").status_code == 302
    assert "Sai chủ" in chief.get(address).get_data(as_text=True)


def test_towers_without_or_of_several_owners_lead_back(app, session, world) -> None:
    client = doors.signed_in(app, doors.with_password(session, "staff").email)
    world.there.tower.owner_id = makers.organisation(session).id
    session.commit()
    both = f"violation={world.here.violation}&violation={world.there.violation}"
    assert client.get(f"/notices/new?{both}").headers["Location"] == "/follow-up"
    assert client.get("/notices/new?violation=x").headers["Location"] == "/follow-up"
    away = client.get("/notices/new?violation=x&back=https://evil.example")
    assert away.headers["Location"] == "/follow-up"


def test_the_template_is_replaced_on_its_page(app, session, world) -> None:
    client = doors.signed_in(app, doors.with_password(session, "staff").email)
    page = client.get("/notices/template").get_data(as_text=True)
    shipped = client.get("/notices/template.docx").data

    def send(content: bytes, name: str):
        data = {"csrf_token": doors.csrf_of(page), "file": (io.BytesIO(content), name)}
        return client.post("/notices/template", data=data)

    assert send(b"x", "mau.docx").status_code == 422
    assert send(shipped, "mẫu của sở.docx").status_code == 302
    assert "mẫu của sở.docx" in client.get("/notices/template").get_data(as_text=True)
    reset = {"csrf_token": doors.csrf_of(page)}
    assert client.post("/notices/template/reset", data=reset).status_code == 302
    assert client.post("/notices/template/reset", data=reset).status_code == 409


# The page of the link.


def reply(client, path: str, world, **fields):
    page = client.get(path).get_data(as_text=True)
    return client.post(
        path,
        data={
            "csrf_token": doors.csrf_of(page),
            "kind": "claim",
            "violation": str(world.here.violation),
            "id": str(uuid.uuid4()),
            "name": "Lê Văn Bảy",
            "text": "Đã thay thang",
            **fields,
        },
    )


def photo() -> tuple[io.BytesIO, str]:
    return io.BytesIO(doors.picture()), "anh.jpg"


def test_an_owner_answers_without_an_account(app, session, world, chief, issued) -> None:
    address, _, path = issued
    client = app.test_client()
    for language, words in (("vi", "Báo cáo đã khắc phục"), ("en", "Report that it is fixed")):
        page = client.get(f"{path}?lang={language}")
        text = page.get_data(as_text=True)
        assert page.status_code == 200 and words in text and world.here.tower.code in text
        assert world.there.tower.code not in text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "no-store" in page.headers["Cache-Control"]
    none = reply(client, path, world)
    assert none.status_code == 422 and "Lê Văn Bảy" in none.get_data(as_text=True)
    bad = reply(client, path, world, files=[(io.BytesIO(b"MZ"), "a.exe")])
    assert bad.status_code == 422
    lying = reply(client, path, world, files=[(io.BytesIO(b"MZ"), "a.jpg")])
    assert lying.status_code == 422
    assert reply(client, path, world, files=[photo()]).status_code == 302
    found = answered(chief.get(f"/api/v1/violations/{world.here.violation}"), 200)
    assert (found["state"], found["stage"]) == ("open", "claimed")
    (sent,) = answered(chief.get(address), 200)["replies"]
    (file,) = sent["files"]
    shown = chief.get(f"/notice-files/{file['id']}")
    assert shown.mimetype == "image/jpeg" and b"Exif" not in shown.data
    assert reply(client, path, world, files=[photo()]).status_code == 409


def test_a_link_shows_its_own_notice_photos_and_document_only(app, world, chief, issued) -> None:
    address, _, path = issued
    client = app.test_client()
    assert client.get(f"{path}/notice.pdf").data == chief.get(f"{address}/document.pdf").data
    assert client.get(f"{path}/photos/{world.there.photo}").status_code == 404
    assert client.get(f"{path}/photos/{uuid.UUID(int=1)}").status_code == 404
    for elsewhere in ("/", "/notices", address, "/towers", f"/api/v1/photos/{world.here.photo}"):
        assert client.get(elsewhere).status_code in {302, 401}, elsewhere


def test_ended_and_invented_links_answer_alike(app, session, world, issued) -> None:
    _, _, path = issued
    client = app.test_client()
    session.execute(update(NoticeLink).values(expires_at=clock.now() - timedelta(seconds=1)))
    session.commit()
    pages = set()
    for one in (path, "/n/x", "/n/" + "A" * 43, "/n/%F0%9F%92%A9"):
        for part in ("", "/notice.pdf", f"/photos/{world.here.photo}"):
            response = client.get(one + part)
            assert response.status_code == 404, one
            pages.add(re.sub(r'value="[^"]*"', "", response.get_data(as_text=True)))
    assert len(pages) == 1


def test_an_answer_needs_the_form(app, session, world, issued) -> None:
    before = doors.counts(session)
    assert app.test_client().post(issued[2], data={"kind": "claim"}).status_code == 400
    assert doors.counts(session) == before


def test_a_token_is_written_into_no_log(app, issued) -> None:
    path = issued[2]
    with structlog.testing.capture_logs() as said:
        app.test_client().get(path)
        app.test_client().get(f"{path}/notice.pdf")
    assert [one["path"] for one in said] == ["/n/…", "/n/…/notice.pdf"]
    assert path.rpartition("/")[2] not in str(said)


def test_links_are_asked_only_so_often(settings) -> None:
    client = create_app(replace(settings, link_limit="2 per minute")).test_client()
    for path in ("/n/x", "/api/v1/notice-links/x"):
        assert [client.get(path).status_code for _ in range(3)] == [404, 404, 429], path
    refused(client.get("/api/v1/notice-links/x"), 429)


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_hostile_text_on_the_page_of_a_link_is_only_text(app, session, world, issued, kind) -> None:
    bad = TEXTS[kind]
    world.here.tower.name = bad
    world.owner.name = bad
    session.commit()
    client = app.test_client()
    wanted = clock.today() + timedelta(days=400)
    sent = reply(
        client, issued[2], world, kind="extension", text=bad, name=bad[:200],
        wanted_on=wanted.isoformat(),
    )  # fmt: skip
    assert sent.status_code == 302
    text = client.get(issued[2]).get_data(as_text=True)
    assert "<script>alert" not in text and "<img src=x" not in text
    assert str(31337 * 31337) not in text


def test_the_two_person_rule_is_a_setting(session, world, drafted) -> None:
    set_value(session, "notice_two_people", False, by=SYSTEM, now=clock.now())
    session.commit()
    address, tag = drafted
    answered(world["staff"].post(f"{address}/issue", headers={"If-Match": tag}), 200)
    assert session.get_one(Violation, world.here.violation).stage == "notified"
