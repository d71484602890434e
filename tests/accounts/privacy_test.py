"""Personal data: each column has its line, a person gets what is held of them, or is taken away."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from accounts.models import (
    AccessToken,
    AccountLink,
    OrganisationContact,
    User,
    UserSession,
)
from accounts.services import privacy
from core import retention
from core.audit import AuditEntry
from core.dictionary import Class, ColumnEntry, Names, dictionary
from core.exports import Export
from core.model import Base
from inspections.reminder_models import Reminder
from tests import makers
from tests.doors import World, browser_of
from tests.inspections.phones import phone
from tests.makers import NOW

pytestmark = pytest.mark.slow


def test_each_column_of_the_database_has_its_line(session: Session) -> None:
    present: dict[str, set[str]] = {}
    for table, column in session.execute(
        text(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
    ):
        present.setdefault(table, set()).add(column)
    told = {name: set(table.columns) for name, table in dictionary().tables.items()}
    # A new column: say in core/data_dictionary.yaml what it says of people and how long it stays.
    assert told == present
    assert set(dictionary().classes) == set(Class)


def test_the_dictionary_knows_each_column_that_names_an_account() -> None:
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if any(key.target_fullname == "user.id" for key in column.foreign_keys):
                entry = dictionary().tables[table.name].columns[column.name]
                assert entry.person is Names.ID, f"{table.name}.{column.name}"


def test_what_the_application_may_not_change_is_not_promised_to_be_changed(
    session: Session,
) -> None:
    """An erasure empties only what the application's role may update or delete."""
    for table in dictionary().tables.values():
        for column in table.of_people:
            fate, _ = privacy.fate_of(table, column)
            if fate is privacy.Fate.STAYS:
                continue
            deleted = fate is privacy.Fate.DELETED
            assert session.scalar(
                text("SELECT has_table_privilege(:table, 'DELETE')")
                if deleted
                else text("SELECT has_column_privilege(:table, :column, 'UPDATE')"),
                {"table": f'"{table.name}"', "column": column.name},
            ), f"{table.name}.{column.name}"


def run(app: Flask, *arguments: str, ok: bool = True) -> str:
    result = app.test_cli_runner().invoke(args=["privacy", *arguments])
    assert (result.exit_code == 0) is ok, result.output
    return result.output


def test_a_person_gets_everything_and_no_secret(
    app: Flask, session: Session, world: World, tmp_path: Path
) -> None:
    person = world.people["inspector"]
    said = run(app, "export", person.email.upper(), "--to", str(tmp_path / "all.zip"))
    assert re.search(r"\d+ rows and [1-9]\d* files", said)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = set(archive.namelist())
        tables = {
            name.removeprefix("tables/").removesuffix(".json"): json.loads(archive.read(name))
            for name in names
            if name.startswith("tables/")
        }
    assert {"user", "inspection", "photo", "access_token", "audit_entry"} <= set(tables)
    (account,) = tables["user"]
    assert account["email"] == person.email
    assert not {"password", "fs_uniquifier", "tf_totp_secret"} & set(account)
    assert all("hash" not in one for one in tables["access_token"])
    assert {one["inspector_id"] for one in tables["inspection"]} == {str(person.id)}
    photo = tables["photo"][0]["sha256"].removeprefix("\\x")
    assert f"files/photos/{photo}" in names
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.action, entry.object_id) == ("privacy.export", str(person.id))
    run(app, "export", "nobody@example.org", "--to", str(tmp_path / "none.zip"), ok=False)
    assert [one.name for one in tmp_path.iterdir()] == ["all.zip"]


def test_an_erasure_takes_two_steps_and_leaves_the_proof(
    app: Flask, session: Session, world: World
) -> None:
    person = world.people["inspector"]
    email, name, number = person.email, person.name, person.id
    evidence = select(func.count()).where(AuditEntry.actor == email)
    before = session.scalar(evidence)
    plan = run(app, "erase", email)
    assert "audit_entry.actor" in plan and "Nothing was changed" in plan
    session.expire_all()
    assert session.get_one(User, number).email == email
    run(app, "erase", email, "--confirm", "00000000", ok=False)
    code = re.search(r"--confirm (\w+)", plan)[1]
    done = run(app, "erase", email, "--confirm", code)
    assert "erased-" in done
    session.expire_all()
    gone = session.get_one(User, number)
    assert gone.email.endswith("@erased.invalid") and (gone.name, gone.active) == ("", False)
    assert not gone.roles and not gone.territories and gone.password is None
    assert not session.scalar(select(func.count()).where(AccessToken.user_id == number))
    assert world["inspector"].get("/api/v1/towers").status_code == 401
    # What was done stays done, by the same account.
    assert session.scalar(evidence) == before
    assert session.scalar(text("SELECT count(*) FROM inspection WHERE inspector_id = :id"),
                          {"id": number})  # fmt: skip
    # Nowhere else is the person named any more.
    for table in dictionary().tables.values():
        kept = [one.name for one in table.columns.values() if one.kind in {"evidence", "sensitive"}]
        rows = session.scalars(
            text(f'SELECT (to_jsonb(t) - cast(:kept AS text[]))::text FROM "{table.name}" t'),
            {"kept": kept},
        )
        for row in rows:
            assert email not in row and f'"{name}"' not in row, table.name
    # Under the address there is nothing left that could go.
    again = run(app, "erase", email).splitlines()
    assert [one.split()[0] for one in again[:-1]] == ["audit_entry.actor"]


def test_nothing_is_left_where_the_dictionary_says_so(
    app: Flask, session: Session, world: World
) -> None:
    person = world.people["inspector"]
    phone(app, world["inspector"])
    person.openid_subject = "https://sign-in.example.org 4711"
    browser_of(app, session, person)
    email, number = person.email, str(person.id)
    code = re.search(r"--confirm (\w+)", run(app, "erase", email))[1]
    said = run(app, "erase", email, "--confirm", code)
    assert "device.name" in said
    session.expire_all()
    pseudonym = session.get_one(User, person.id).email
    looked = set()
    for table in dictionary().tables.values():
        ids = [one.name for one in table.of_people if one.person is Names.ID]
        if not ids:
            continue
        theirs = " OR ".join(f't."{one}"::text = :id' for one in ids)
        for row in session.execute(
            text(f'SELECT * FROM "{table.name}" t WHERE {theirs}'), {"id": number}
        ).mappings():
            assert not table.deleted, table.name
            for column in table.erased:
                assert row[column.name] in {None, "", pseudonym}, f"{table.name}.{column.name}"
                looked.add(f"{table.name}.{column.name}")
    assert {"device.name", "user.openid_subject", "user.name"} <= looked
    # What says something of a person and stays is said to.
    assert all(one.kind in {Class.PERSONAL, Class.SENSITIVE} for one in of_erased())


def of_erased() -> list[ColumnEntry]:
    return [one for table in dictionary().tables.values() for one in table.erased]


def test_a_contact_without_an_account_is_taken_away(app: Flask, session: Session) -> None:
    owner = makers.organisation(session)
    owner.responsible_email = "Người@example.org"
    owner.contacts.append(OrganisationContact(place=1, name="Ông Ba", email="người@example.org"))
    session.commit()
    code = re.search(r"--confirm (\w+)", run(app, "erase", "người@example.org"))[1]
    run(app, "erase", "người@example.org", "--confirm", code)
    session.expire_all()
    assert owner.responsible_email == "" and owner.contacts == []


def test_the_last_administrator_stays(app: Flask, session: Session) -> None:
    session.execute(text('UPDATE "user" SET active = false'))
    admin = makers.user(session, "admin")
    session.commit()
    code = re.search(r"--confirm (\w+)", run(app, "erase", admin.email))[1]
    assert "quản trị viên đang hoạt động cuối cùng" in run(
        app, "erase", admin.email, "--confirm", code, ok=False
    )


def test_what_is_too_old_goes_and_it_is_written_down(
    app: Flask, session: Session, world: World
) -> None:
    def left(model: type) -> int:
        session.expire_all()
        return session.scalar(select(func.count()).select_from(model)) or 0

    person = world.people["staff"]
    ended = AccessToken(
        user_id=person.id, name="x", hash=b"x", revoked_at=NOW - timedelta(days=366)
    )
    young = AccessToken(user_id=person.id, name="y", hash=b"y", revoked_at=NOW)
    session.add_all([ended, young])
    for days in (29, 31):
        at = NOW - timedelta(days=days)
        times = {"created_at": at, "seen_at": at, "expires_at": NOW + timedelta(days=9)}
        ended_session = UserSession(user_id=person.id, way="password", lasting=True, **times)
        ended_session.ended_at = at
        over = {**times, "expires_at": at}
        expired = UserSession(user_id=person.id, way="password", lasting=True, **over)
        live = UserSession(user_id=person.id, way="password", lasting=True, **times)
        session.add_all([ended_session, expired, live])
    for days in (364, 366):
        at = NOW - timedelta(days=days)
        for number, facts in enumerate(({"used_at": at}, {"revoked_at": at}, {})):
            ends = NOW if facts else at
            link = AccountLink(user_id=person.id, kind="reset", hash=bytes([days % 256, number]))
            link.made_at, link.expires_at = at, ends
            session.add(link)
            for key, value in facts.items():
                setattr(link, key, value)
    reminder = session.scalars(select(Reminder).limit(1)).one()
    reminder.state, reminder.recipient = "sent", "a@example.org"
    reminder.sent_at = NOW - timedelta(days=2000)
    session.execute(text("UPDATE export SET created_at = :at, state = 'done', job_id = NULL"),
                    {"at": NOW - timedelta(days=1096)})  # fmt: skip
    session.commit()
    tokens, exports = left(AccessToken), left(Export)
    assert retention.remove_now(NOW) == {
        "access_token": 1, "account_link": 3, "export": exports, "reminder": 1, "user_session": 2,
    }  # fmt: skip
    assert (left(UserSession), left(AccountLink)) == (4, 3)
    assert (left(AccessToken), left(Export)) == (tokens - 1, 0)
    assert session.get_one(Reminder, reminder.id).recipient == ""
    told = session.scalars(
        select(AuditEntry.object_id).where(AuditEntry.action == "retention.remove")
    ).all()
    assert sorted(told) == ["access_token", "account_link", "export", "reminder", "user_session"]
    assert not any(retention.remove_now(NOW).values())


def test_the_dictionary_is_printed(app: Flask) -> None:
    assert "names a person" in run(app, "dictionary", "user")
    assert "position" in run(app, "dictionary", "--class", "sensitive")
