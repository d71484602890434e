"""Organisations: their papers and people, who sees whom, and two that are one."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation, OrganisationContact, OrganisationMerge, User
from accounts.queries import organisations
from accounts.rules import tax_code
from accounts.services.organisations import (
    delete_organisation,
    merge_organisations,
    save_organisation,
    snapshot,
)
from core import merging
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from tests import doors, makers
from tests.makers import NOW

TODAY = NOW.date()
HEAD = {"name": "Trịnh Văn Đức", "position": "Giám đốc", "phone": "0277 3 855 001"}
DESK = {"name": "Bùi Thị Yến", "email": "yen@example.org", "note": "giờ hành chính"}
VALUES = {
    "name": "Viễn thông Đồng Tháp",
    "kind": "owner",
    "tax_code": "0100233488",
    "responsible_person": "Lý Thanh Hà",
    "responsible_phone": "0903 111 222",
    "responsible_email": "ha@example.org",
    "note": "trả lời chậm",
}
BODY = {**VALUES, "contacts": [HEAD, DESK]}


def saved(session: Session, **changes) -> Organisation:
    staff = makers.actor(session, "staff")
    return save_organisation(
        session, None, {**VALUES, **changes}, contacts=[HEAD, DESK], by=staff, now=NOW
    )


# Tax codes


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("0100233488", "0100233488"),
        ("0314409058-002", "0314409058-002"),
        ("0314409058002", "0314409058-002"),
        (" 01.00.233.488 ", "0100233488"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_tax_code_is_kept_as_it_is_printed(written: str, printed: str) -> None:
    assert tax_code(written) == (printed, None)


def test_two_swapped_digits_are_told_from_a_wrong_length() -> None:
    _, swapped = tax_code("0100234388")
    _, short = tax_code("010023348")
    assert swapped is not None
    assert short is not None
    assert swapped != short
    for wrong in ("0100233488-000", "0000000000", "ABCDEFGHIJ", "0100233488-0021", "x" * 500):
        assert tax_code(wrong)[1] is not None, wrong


# Saving


def test_people_keep_their_order_and_a_change_is_in_the_history(session: Session) -> None:
    made, staff = saved(session), makers.actor(session, "staff")
    assert [one.name for one in made.contacts] == [HEAD["name"], DESK["name"]]
    save_organisation(session, made, VALUES, contacts=[DESK, HEAD], by=staff, now=NOW)
    session.expire_all()
    assert [one.name for one in made.contacts] == [DESK["name"], HEAD["name"]]
    assert made.version == 2
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "organisation.edit")
    ).one()
    assert list(entry.after) == ["contacts"]
    assert entry.before["contacts"][0]["name"] == HEAD["name"]


def test_the_same_values_change_nothing(session: Session) -> None:
    made, staff = saved(session), makers.actor(session, "staff")
    people = [one.id for one in made.contacts]
    save_organisation(session, made, {**VALUES}, contacts=[HEAD, DESK], by=staff, now=NOW)
    save_organisation(session, made, {**VALUES}, by=staff, now=NOW)
    assert made.version == 1
    assert [one.id for one in made.contacts] == people


def test_a_tax_code_names_one_organisation(session: Session) -> None:
    saved(session)
    with pytest.raises(Conflict) as caught:
        saved(session, name="Khác", tax_code="01 00 233 488")
    assert caught.value.facts["name"] == VALUES["name"]


def test_everything_that_is_wrong_is_named_at_once(session: Session) -> None:
    staff = makers.actor(session, "staff")
    with pytest.raises(Invalid) as caught:
        save_organisation(
            session, None, {"name": " ", "kind": "shop", "email": "x", "tax_code": "1"},
            by=staff, now=NOW,
        )  # fmt: skip
    assert set(caught.value.fields) == {"name", "kind", "email", "tax_code"}
    with pytest.raises(Invalid) as caught:
        save_organisation(
            session, None, VALUES, by=staff, now=NOW,
            contacts=[HEAD, {"phone": "1"}, {"name": "x" * 301, "email": "y"}],
        )  # fmt: skip
    assert set(caught.value.fields) == {"contacts.1.name", "contacts.2.name", "contacts.2.email"}


def test_only_staff_and_administrators_change_organisations(session: Session) -> None:
    for role in ("inspector", "local_officer", "operator"):
        with pytest.raises(Forbidden):
            save_organisation(session, None, VALUES, by=makers.actor(session, role), now=NOW)


# Who sees whom


def seen(client: FlaskClient, made: Organisation) -> dict:
    return doors.answered(client.get(f"/api/v1/organisations/{made.id}"), 200)


@pytest.mark.parametrize("role", ["inspector", "local_officer"])
def test_who_works_at_the_towers_sees_who_is_responsible_and_nobody_else(
    app: Flask, session: Session, sign_in, role: str
) -> None:
    made, client = saved(session), sign_in(role)
    body = seen(client, made)
    assert body["responsible_person"] == VALUES["responsible_person"]
    assert body["responsible_phone"] == VALUES["responsible_phone"]
    assert not {"responsible_email", "contacts", "note"} & set(body)
    page = client.get(f"/organisations/{made.id}").get_data(as_text=True)
    for shown in ("responsible_person", "responsible_phone"):
        assert VALUES[shown] in page
    for hidden in (VALUES["responsible_email"], HEAD["name"], DESK["email"], VALUES["note"]):
        assert hidden not in page
    assert "trả lời chậm" not in client.get("/organisations").get_data(as_text=True)


def test_a_tower_owner_sees_its_own_organisation_alone(
    app: Flask, session: Session, sign_in
) -> None:
    mine, other = saved(session), makers.organisation(session, "Chủ cột khác")
    client = sign_in("operator", organisation=mine, everywhere=False)
    body = seen(client, mine)
    assert [one["name"] for one in body["contacts"]] == [HEAD["name"], DESK["name"]]
    assert "note" not in body
    doors.refused(client.get(f"/api/v1/organisations/{other.id}"), 404)
    assert client.get(f"/organisations/{other.id}").status_code == 404
    listed = doors.answered(client.get("/api/v1/organisations"), 200)
    assert [one["id"] for one in listed["items"]] == [str(mine.id)]
    assert "Chủ cột khác" not in client.get("/organisations").get_data(as_text=True)
    without = sign_in("operator", everywhere=False)
    assert doors.answered(without.get("/api/v1/organisations"), 200)["items"] == []


def test_staff_see_everything_and_the_history(app: Flask, session: Session, sign_in) -> None:
    made, client = saved(session), sign_in("staff")
    body = seen(client, made)
    assert body["note"] == VALUES["note"]
    page = client.get(f"/organisations/{made.id}").get_data(as_text=True)
    for shown in (HEAD["name"], DESK["email"], VALUES["responsible_email"], VALUES["note"]):
        assert shown in page


# The API


def test_an_organisation_lives_through_the_api(app: Flask, session: Session, sign_in) -> None:
    client = sign_in("staff")
    response = client.post("/api/v1/organisations", json=BODY)
    made = doors.answered(response, 201)
    path, tag = response.headers["Location"], response.headers["ETag"]
    assert made["contacts"][0] == {**HEAD, "email": "", "note": ""}
    doors.refused(client.patch(path, json={"phone": "1"}), 428)
    response = client.patch(path, json={"phone": "0277"}, headers={"If-Match": tag})
    changed = doors.answered(response, 200)
    assert (changed["phone"], changed["contacts"]) == ("0277", made["contacts"])
    doors.refused(client.patch(path, json={"phone": "9"}, headers={"If-Match": tag}), 412)
    tag = response.headers["ETag"]
    body = {"name": "Tên mới", "kind": "manager"}
    response = client.put(path, json=body, headers={"If-Match": tag})
    replaced = doors.answered(response, 200)
    assert (replaced["phone"], replaced["contacts"], replaced["tax_code"]) == ("", [], "")
    doors.refused(client.delete(path), 428)
    deleted = client.delete(path, headers={"If-Match": response.headers["ETag"]})
    assert deleted.status_code == 204
    doors.refused(client.get(path), 404)
    assert session.scalar(select(OrganisationContact.id)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"kind": "shop"},
        {"tax_code": "0100233480"},
        {"email": "x"},
        {"contacts": [{"name": ""}]},
        {"contacts": [{"phone": "1"}]},
        {"contacts": [HEAD] * 51},
        {"contacts": {}},
        {"owner": "x"},
        {"name": "a\x00b"},
    ],
)
def test_wrong_bodies_are_refused_and_nothing_is_written(
    app: Flask, session: Session, sign_in, change
) -> None:
    client = sign_in("staff")
    before = doors.counts(session)
    doors.refused(client.post("/api/v1/organisations", json={**BODY, **change}), (400, 422))
    assert doors.counts(session) == before


def test_the_list_is_paged_by_name_and_narrowed(app: Flask, session: Session, sign_in) -> None:
    for name in ("Đài An", "Ánh Sao", "Bưu điện", "Ân Nam"):
        makers.organisation(session, name)
    client = sign_in("inspector")
    names: list[str] = []
    cursor = ""
    while True:
        page = doors.answered(client.get(f"/api/v1/organisations?limit=2{cursor}"), 200)
        names += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == ["Ánh Sao", "Ân Nam", "Bưu điện", "Đài An"]
    found = doors.answered(client.get("/api/v1/organisations?q=dai an"), 200)
    assert [one["name"] for one in found["items"]] == ["Đài An"]
    saved(session)
    session.commit()
    staff = makers.actor(session, "staff")
    assert len(organisations(session, staff, q="01.00.233.488").rows) == 1


# Two that are one


def pair(session: Session) -> tuple[Organisation, Organisation]:
    return makers.organisation(session, "Viễn thông ĐT"), saved(session)


def merged(session: Session, keep: Organisation, drop: Organisation) -> None:
    staff = makers.actor(session, "staff")
    merge_organisations(session, keep, drop, by=staff, now=NOW, today=TODAY)


def test_a_merge_moves_everything_and_keeps_both_histories(session: Session) -> None:
    keep, drop = pair(session)
    person = makers.user(session, "operator", organisation=drop)
    tower = makers.tower(session, owner=drop)
    old, left, kept = drop.id, snapshot(drop), keep.id
    merged(session, keep, drop)
    session.expire_all()
    assert session.get(Organisation, old) is None
    assert (person.organisation_id, tower.owner_id) == (kept, kept)
    assert (keep.name, keep.tax_code) == ("Viễn thông ĐT", VALUES["tax_code"])
    assert [one.name for one in keep.contacts] == [HEAD["name"], DESK["name"]]
    record = session.get_one(OrganisationMerge, old)
    assert (record.into_id, record.old_name, record.snapshot) == (kept, VALUES["name"], left)
    ids = merging.with_predecessors(session, OrganisationMerge, kept)
    assert set(ids) == {kept, old}
    told = session.scalars(
        select(AuditEntry).where(AuditEntry.kind == "tower", AuditEntry.object_id == str(tower.id))
    ).all()
    assert (told[-1].before["owner_id"], told[-1].after["owner_id"]) == (str(old), str(kept))
    assert tower.version == 2


def test_what_stays_is_not_overwritten(session: Session) -> None:
    keep, drop = pair(session)
    save_organisation(
        session, keep, {"name": "Viễn thông ĐT", "kind": "manager", "note": "của tôi"},
        contacts=[HEAD], by=makers.actor(session, "staff"), now=NOW,
    )  # fmt: skip
    merged(session, keep, drop)
    assert (keep.kind, keep.note, keep.responsible_person) == (
        "manager",
        "của tôi",
        VALUES["responsible_person"],
    )
    assert [one.name for one in keep.contacts] == [HEAD["name"], DESK["name"]]


def test_a_merge_of_a_merge_leads_to_the_last(app: Flask, session: Session, sign_in) -> None:
    first, second = pair(session)
    third = makers.organisation(session, "Cuối cùng")
    old = second.id
    middle = first.id
    merged(session, first, second)
    merged(session, third, first)
    assert merging.successor(session, OrganisationMerge, old) == third.id
    assert set(merging.with_predecessors(session, OrganisationMerge, third.id)) == {
        old, middle, third.id,
    }  # fmt: skip
    client = sign_in("staff")
    response = client.get(f"/organisations/{old}")
    assert (response.status_code, response.headers["Location"]) == (
        301,
        f"/organisations/{third.id}",
    )
    moved = doors.refused(client.get(f"/api/v1/organisations/{old}"), 410)
    assert moved["facts"]["to"] == {"organisation_id": str(third.id)}
    operator = sign_in("operator", organisation=makers.organisation(session), everywhere=False)
    doors.refused(operator.get(f"/api/v1/organisations/{old}"), 404)


def test_a_merge_wants_two_organisations_and_the_right(session: Session) -> None:
    keep, drop = pair(session)
    with pytest.raises(Conflict):
        merged(session, keep, keep)
    with pytest.raises(Forbidden):
        merge_organisations(
            session, keep, drop, by=makers.actor(session, "inspector"), now=NOW, today=TODAY
        )


def test_what_is_referred_to_is_not_deleted(session: Session) -> None:
    made, staff = saved(session), makers.actor(session, "staff")
    makers.tower(session, owner=made)
    with pytest.raises(Conflict) as caught:
        delete_organisation(session, made, by=staff, now=NOW)
    assert sum(caught.value.facts["references"].values()) == 1
    with pytest.raises((Forbidden, NotFound)):
        delete_organisation(session, made, by=makers.actor(session, "operator"), now=NOW)


def test_the_page_compares_confirms_and_merges(app: Flask, session: Session, sign_in) -> None:
    keep, drop = pair(session)
    makers.user(session, "operator", organisation=drop)
    session.commit()
    client, path = sign_in("staff"), f"/organisations/{keep.id}/merge"
    page = client.get(f"{path}?lang=en&other={drop.tax_code}").get_data(as_text=True)
    assert VALUES["responsible_person"] in page
    assert "Accounts: 1" in page
    form = {"other": str(drop.id), "version": "1", "other_version": "1"}
    before = doors.counts(session)
    for wrong in (
        form,
        {**form, "confirmed": "1", "other_version": "7"},
        {**form, "confirmed": "1", "version": ""},
        {**form, "confirmed": "1", "other": str(keep.id)},
        {**form, "confirmed": "1", "other": str(uuid.uuid4())},
        {**form, "confirmed": "1", "other": "a\x00b"},
    ):
        assert client.post(path, data=wrong).status_code in {409, 422}, wrong
    assert doors.counts(session) == before
    assert client.get(f"{path}?other=nobody").status_code == 422
    assert client.post(path, data={**form, "confirmed": "1"}).status_code == 302
    session.commit()
    assert session.scalars(select(Organisation)).one().name == keep.name
    assert session.scalars(
        select(User.organisation_id).where(User.organisation_id.is_not(None))
    ).one()


def test_the_api_merges_the_versions_that_were_seen(app: Flask, session: Session, sign_in) -> None:
    keep, drop = pair(session)
    session.commit()
    client, path = sign_in("staff"), f"/api/v1/organisations/{keep.id}/merge"
    body = {"same": str(drop.id), "same_version": 1}
    tag = {"If-Match": '"v1"'}
    doors.refused(client.post(path, json=body), 428)
    doors.refused(client.post(path, json={**body, "same_version": 2}, headers=tag), 412)
    doors.refused(client.post(path, json={**body, "same": str(keep.id)}, headers=tag), 409)
    doors.refused(client.post(path, json={**body, "same": str(uuid.uuid4())}, headers=tag), 422)
    whole = doors.answered(client.post(path, json=body, headers=tag), 200)
    assert whole["tax_code"] == VALUES["tax_code"]
