"""`authz.yaml` and asking what it says: every rule and method, as each role, of each kind of thing.

A line is a method and a rule with the action that it names and the status that each role gets.
Rules with something in their address have three: of a thing of one's own (`own`), of somebody
else's (`other`), and of one that there is not (`missing`). Requests have no body, or an empty one:
what a role may do answers what is wrong with it, what it may not answers 403, and what lies outside
its scope 404.

`python -m tests.authz` writes down what new rules answer, for somebody to read and to commit.
"""

from __future__ import annotations

import io
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper, cache
from pathlib import Path
from typing import Any

import pypdfium2
import yaml
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from accounts.models import AccessToken, Device, OrganisationContact, User, UserSession
from core import clock, dist, guard
from inspections.models import SavedList
from inspections.notice_models import Notice, NoticeLink
from inspections.reminder_models import Reminder
from tests import doors, makers
from towers.models import Tower

FILE = Path(__file__).parent / "authz.yaml"
OURS = {"core", "areas", "accounts", "towers", "inspections", "maps"}
# As whom each column asks; `staff_here` is staff of the one commune.
COLUMNS = (
    "anonymous", "admin", "staff", "staff_here", "inspector", "local_officer", "operator",
)  # fmt: skip
# Who sees the one commune only, or the towers of one owner only.
BOUND = ("staff_here", "inspector", "local_officer", "operator")
# Staff see what administrators do, and inspectors what local officers do: what is printed for one
# of two readers alike is not printed once more.
PRINTED_FOR_ANOTHER = ("admin", "local_officer")
CASES = ("own", "other", "missing")
ANY = ("any",)
BUILT = "/static/(built)"

# Addresses of their own: what a rule needs beside its variables to find anything.
QUERIES = {
    "/api/v1/areas/match": "?text=90001",
    "/map/campaigns/<uuid:campaign_id>.json": "?zoom=18&bbox=100,5,115,20",
    "/map/fall-zones.json": "?bbox=105.4,10.4,105.8,10.6",
    "/map/list.json": "?bbox=100,5,115,20",
    "/api/v1/photos": "?inspection={inspection_id}",
    "/api/v1/field/receipts": "?ids={inspection_id}",
    "/api/v1/documents": "?tower={code}",
    "/notices/new": "?owner={organisation_id}",
}

Line = tuple[str, str]
Statuses = Mapping[str, Mapping[str, int]]


@cache
def lines() -> dict[Line, Statuses]:
    """What the file says: of each rule and method, of each case, the status by role."""
    return {
        line: {
            case: dict(zip(COLUMNS, statuses, strict=True))
            for case, statuses in cases.items()
            if case != "action"
        }
        for line, cases in _read().items()
    }


def actions() -> dict[Line, str]:
    """The action that each rule and method names, as the file says."""
    return {line: cases.get("action", "") for line, cases in _read().items()}


@cache
def _read() -> dict[Line, dict[str, Any]]:
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert tuple(read["columns"]) == COLUMNS
    found = {}
    for key, cases in read["routes"].items():
        method, _, rule = key.partition(" ")
        found[rule, method] = cases
    return found


def table() -> dict[Line, set[str]]:
    """Who has the function behind each rule and method: whoever is not answered 403."""
    return {
        line: {
            role
            for role, status in next(iter(cases.values())).items()
            if status != 403 and role not in {"anonymous", "staff_here"}
        }
        for line, cases in lines().items()
    }


def cases_of(rule: str) -> tuple[str, ...]:
    return CASES if "<" in rule else ANY


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Every rule with each method that somebody answers, and its endpoint."""
    return sorted(
        (plain(rule.rule), method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    )


def prints(line: Line) -> bool:
    """Whether an answer is set as pages or drawn, which takes a hundred times as long."""
    return line[1] == "GET" and line[0].endswith((".pdf", ".png", "/document.<form>"))


def plain(rule: str) -> str:
    """A rule without the mark of the build, which changes with every file of ours."""
    return rule.replace(dist.ROOT, BUILT)


def address(rule: str, values: Mapping[str, object]) -> str:
    """A rule with its variables filled in."""
    path = rule.replace(BUILT, dist.ROOT)
    parts = values.get("parts")
    if isinstance(parts, dict):
        kind = next((kind for kind in parts if f"/{kind}/" in rule), None)
        values = {**values, "part_id": parts.get(kind)}
    for name, value in values.items():
        for converter in ("", "uuid:", "int:", "path:"):
            path = path.replace(f"<{converter}{name}>", str(value))
    assert "<" not in path, rule
    return path + QUERIES.get(rule, "").format(**values)


def of(place: doors.Place, w: doors.World, role: str = "staff") -> dict[str, object]:
    """What the variables of rules stand for in a place, for somebody of this role."""
    return {
        "inspection_id": place.inspection,
        "photo_id": place.photo,
        "signature_id": place.signature,
        "assessment_id": place.assessment,
        "violation_id": place.violation,
        "document_id": place.document,
        "proposal_id": place.proposal,
        "campaign_id": place.campaign,
        "assignment_id": place.assignment,
        "tower_id": place.tower.id,
        "code": place.tower.code,
        "variant": "full",
        "level": "commune",
        "number": 2,
        "draft": 2,
        "key": "sit_fence",
        "token": "0" * 32,
        "token_id": uuid.UUID(int=1),
        "session_id": uuid.UUID(int=1),
        "device_id": uuid.UUID(int=1),
        "item_id": place.review,
        "published": 1,
        "organisation_id": w.owner.id,
        "user_id": w.people["admin"].id,
        "parts": place.parts,
        "filename": "dist/core-app.css", "version": "0",
        "area_id": place.commune.id,
        "chart": "months",
        "batch": w.batch,
        "batch_id": w.imported,
        "duplicate_id": uuid.UUID(int=1),
        "saved_id": w.saved,
        "export_id": w.exports[role],
        "reminder_id": w.reminder,
        "notice_id": place.notice,
        "own_notice_id": place.told,
        "file_id": place.notice_file,
        "link_id": uuid.UUID(int=1),
        "layer_id": w.layer,
        "form": "pdf",
        # Where the towers of both places stand.
        "z": 8, "x": 203, "y": 120,
    }  # fmt: skip


def missing() -> dict[str, object]:
    """What the variables stand for where there is nothing."""
    return {
        **{
            name: uuid.UUID(int=7)
            for name in (
                "inspection_id", "photo_id", "signature_id", "assessment_id",
                "violation_id", "tower_id", "token_id", "session_id", "device_id", "item_id",
                "document_id", "proposal_id", "organisation_id", "user_id", "batch", "part_id",
                "batch_id", "duplicate_id", "saved_id", "export_id", "reminder_id",
                "notice_id", "own_notice_id", "file_id", "link_id", "campaign_id", "assignment_id",
            )
        },
        "code": "KHONG-CO", "variant": "full", "level": "commune", "number": 99,
        "draft": 99, "key": "nothing", "published": 99,
        "token": "0" * 32, "form": "pdf", "filename": "dist/nothing.css",
        "version": "0", "area_id": 999_999_999,
        "chart": "nothing", "layer_id": 999_999_999, "z": 3, "x": 8, "y": 0,
    }  # fmt: skip


def ask(client: FlaskClient, method: str, path: str) -> TestResponse:
    """The request with an empty JSON body under `/api`, an empty form elsewhere."""
    if method in {"GET", "HEAD"}:
        return client.open(path, method=method)
    if path.startswith("/api/") and not path.startswith("/api/v1/photos"):
        return client.open(path, method=method, json={})
    return client.open(path, method=method, data={})


@dataclass(frozen=True)
class Wrong:
    """A line that is not as the file says, or what somebody saw who must not."""

    role: str
    method: str
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.role}: {self.method} {self.path}: {self.what}"


@dataclass
class Bench:
    """The world with a reader of each role, and what is theirs and somebody else's."""

    app: Flask
    session: Session
    world: doors.World
    clients: dict[str, FlaskClient]
    people: dict[str, User]
    values: dict[tuple[str, str], dict[str, object]]
    # What stands in a foreign territory alone, and what else a role has no need of.
    marks: tuple[str, ...] = ()
    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: int = 0

    def forget(self) -> None:
        """Forget what is kept for a reader, or for readers alike: tiles, and statements with what
        they may see."""
        self.app.extensions["kept_tiles"].clear()
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] not in OURS:
                continue
            for kept in vars(module).values():
                if not isinstance(kept, _lru_cache_wrapper):
                    continue
                if "Actor" in kept.__wrapped__.__annotations__.values():
                    kept.cache_clear()

    def statuses(self, line: Line, role: str) -> Iterator[tuple[str, str, TestResponse]]:
        """Ask one line as one role: each case with its path and its answer. Nothing stays."""
        rule, method = line
        for case in cases_of(rule):
            path = address(rule, self.values_of(rule, role, "own" if case == "any" else case))
            yield case, path, self.ask(role, method, path)

    def values_of(self, rule: str, role: str, case: str) -> dict[str, object]:
        values = self.values[role, case]
        if rule.startswith("/api/v1/areas") and case != "missing":
            place = self.world.here if case == "own" else self.world.there
            return {**values, "code": place.commune.code}
        return values

    def ask(self, role: str, method: str, path: str) -> TestResponse:
        """One request. What is done is taken back; what was refused has to have done nothing."""
        self.asked += 1
        nested = self.session.connection().begin_nested()
        answer = ask(self.clients[role], method, path)
        if answer.status_code < 400:
            nested.rollback()
        else:
            nested.commit()
        return answer

    def wrong(self, chosen: Iterable[Line], roles: Iterable[str] = COLUMNS) -> Iterator[Wrong]:
        """What is not as the file says, and what of a foreign territory was seen."""
        known = lines()
        roles = tuple(roles)
        for line in chosen:
            # Those who are refused first: they take no time, and notice most.
            expected_of = next(iter(known[line].values()))
            for role in sorted(roles, key=lambda one: -expected_of[one]):
                if role in PRINTED_FOR_ANOTHER and prints(line) and expected_of[role] == 200:
                    continue
                for case, path, answer in self.statuses(line, role):
                    expected = known[line][case][role]
                    if answer.status_code != expected:
                        what = f"{answer.status_code} in the place of {expected} ({case})"
                        yield Wrong(role, line[1], path, what)
                    elif role in BOUND:
                        yield from self.seen(role, line[1], path, answer)

    def seen(self, role: str, method: str, path: str, answer: TestResponse) -> Iterator[Wrong]:
        """What an answer shows that it must not, beyond what was asked with."""
        content = content_of(answer) + str(answer.headers).encode()
        for mark in (*self.marks, *self.hidden[role]):
            if mark.encode() in content and mark not in path:
                yield Wrong(role, method, path, f"shows {mark}")


def content_of(answer: TestResponse) -> bytes:
    """What an answer says, unpacked: cells of workbooks, words of documents."""
    if answer.data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
            return b"\n".join(packed.read(name) for name in packed.namelist())
    if answer.data[:5] == b"%PDF-" and answer.data != doors.PDF:
        document = pypdfium2.PdfDocument(answer.data)
        return "\n".join(page.get_textpage().get_text_bounded() for page in document).encode()
    return answer.data


def bench(app: Flask, session: Session, world: doors.World) -> Bench:
    """Give each role something of its own, and somebody else the same."""
    here, there, people = world.here, world.there, dict(world.people)
    other_owner = makers.organisation(session, name="Công ty Chim Hoàng Yến")
    people["staff_here"] = makers.user(session, "staff", territories=[here.commune])
    session.execute(update(Tower).where(Tower.id == there.tower.id).values(owner_id=other_owner.id))
    session.execute(update(Notice).where(Notice.id == there.told).values(owner_id=other_owner.id))
    elsewhere = _reminder(session, world)
    session.commit()
    clients = dict(world.clients)
    clients["staff_here"] = doors.client_of(app, session, people["staff_here"])
    clients["anonymous"] = anonymous(app)
    made: dict[tuple[str, str], dict[str, object]] = {}
    others = _things_of(session, people["elsewhere"])
    for role in COLUMNS:
        person = people.get(role, people["elsewhere"])
        as_role = role if role in world.exports else "elsewhere"
        theirs = _things_of(session, person) if role in people else others
        own = {**of(here, world, as_role), **theirs}
        own["user_id"] = person.id
        own["link_id"] = _link(session, here)
        made[role, "own"] = own
        foreign = {**of(there, world, "elsewhere"), **others, "organisation_id": other_owner.id}
        foreign |= {"user_id": people["elsewhere"].id, "reminder_id": elsewhere}
        foreign["link_id"] = _link(session, there)
        made[role, "other"] = foreign
        made[role, "missing"] = missing()
    session.commit()
    marks = (
        there.tower.code, there.tower.name, str(there.tower.id), "ghi chú there",
        *(str(one) for one in (
            there.inspection, there.photo, there.violation, there.document, there.proposal,
            there.assessment, there.campaign, there.assignment, there.notice, there.told,
            there.notice_file, there.signature, *there.parts.values(),
        )),
    )  # fmt: skip
    hidden = _hidden(session, world)
    session.commit()
    return Bench(app, session, world, clients, people, made, marks, hidden)


def _hidden(session: Session, world: doors.World) -> dict[str, tuple[str, ...]]:
    """Write what not everybody may read into the owner and the tower of the readers' own place."""
    owner, tower = world.owner, world.here.tower
    owner.note, owner.responsible_email = "Ghi chú nội bộ về Sếu", "seu@owner.example"
    owner.contacts = [
        OrganisationContact(
            id=uuid.uuid4(), place=1, name="Bà Sếu Đầu Đỏ", position="Kế toán Sếu",
            phone="0900 777 111", email="ba.seu@owner.example", note="Gọi Sếu sau 8 giờ",
        )
    ]  # fmt: skip
    tower.note, tower.landowner_phone = "Ghi chú của cán bộ về Cò", "0900 777 222"
    session.flush()
    (person,) = owner.contacts
    of_owner = (owner.note, owner.responsible_email, person.name, person.phone, person.email)
    # Who works on towers needs to know who answers for one, and nothing else of anybody; an owner
    # knows its own people, not what the department notes down, nor anything of other owners.
    return {
        "staff_here": (),
        "inspector": of_owner,
        "local_officer": of_owner,
        "operator": (owner.note, tower.note, tower.landowner_phone, "ghi chú here"),
    }


def anonymous(app: Flask) -> FlaskClient:
    """Somebody without a sign-in, whose forms carry their token."""
    client = app.test_client()
    token = doors.csrf_of(client.get("/sign-in").get_data(as_text=True))
    client.environ_base["HTTP_X_CSRFTOKEN"] = token
    return client


def _things_of(session: Session, person: User) -> dict[str, object]:
    """A saved list, a token, a session and a phone of a person."""
    now = clock.now()
    saved = SavedList(id=uuid.uuid4(), user_id=person.id, name="Danh sách", query={}, saved_at=now)
    browser = UserSession(
        id=uuid.uuid4(), user_id=person.id, way="password", lasting=False,
        created_at=now, seen_at=now, expires_at=now,
    )  # fmt: skip
    phone = Device(id=uuid.uuid4(), user_id=person.id, name="Điện thoại", created_at=now)
    session.add_all([saved, browser, phone])
    makers.token(session, person)
    session.flush()
    token = session.scalars(
        select(AccessToken.id)
        .where(AccessToken.user_id == person.id)
        .order_by(AccessToken.created_at.desc())
    ).first()
    return {
        "saved_id": saved.id, "session_id": browser.id, "token_id": token, "device_id": phone.id,
    }  # fmt: skip


def _link(session: Session, place: doors.Place) -> uuid.UUID:
    found = select(NoticeLink.id).where(NoticeLink.notice_id == place.told)
    return session.scalars(found).one()


def _reminder(session: Session, world: doors.World) -> uuid.UUID:
    """A message about the foreign tower."""
    there, now = world.there, clock.now()
    made = Reminder(
        id=uuid.uuid4(), tower_id=there.tower.id, violation_id=there.violation, kind="due_soon",
        deadline=clock.today(), recipient="ai@example.org", subject=there.tower.code,
        body=there.tower.name, message_id="<there@test>", state="sent", next_try_at=now,
        created_at=now, sent_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made.id


def named(app: Flask) -> dict[Line, str | None]:
    """The action that each rule and method names, as the guard sees it."""
    return {
        (rule, method): guard.route_action(app, endpoint, method)
        for rule, method, endpoint in routes(app)
    }


def written(found: Mapping[Line, Statuses], actions: Mapping[Line, str | None]) -> str:
    """The file's text."""
    text = [
        "# What every rule and method answers to each role: see `tests/authz.py`. A rule that is",
        "# not here is a red test; `python -m tests.authz` adds it, to be read before it is kept.",
        f"columns: [{', '.join(COLUMNS)}]",
        "routes:",
    ]
    for rule, method in sorted(found):
        text.append(f'  "{method} {rule}":')
        text.append(f"    action: {actions[rule, method]}")
        for case, statuses in found[rule, method].items():
            text.append(f"    {case}: [{', '.join(str(statuses[role]) for role in COLUMNS)}]")
    return "\n".join(text) + "\n"


def write(bench: Bench) -> list[Line]:
    """Write down what rules answer that the file does not have, and forget those that are gone.

    Returns the new ones.
    """
    known, kept = (lines(), actions()) if FILE.exists() else ({}, {})
    names = {line: kept.get(line) or name for line, name in named(bench.app).items()}
    found: dict[Line, Statuses] = {}
    new = []
    for rule, method, _ in routes(bench.app):
        line = rule, method
        if line in known and set(known[line]) == set(cases_of(rule)):
            found[line] = known[line]
            continue
        new.append(line)
        made: dict[str, dict[str, int]] = {case: {} for case in cases_of(rule)}
        for role in COLUMNS:
            for case, _, answer in bench.statuses(line, role):
                made[case][role] = answer.status_code
        found[line] = made
    FILE.write_text(written(found, names), encoding="utf-8")
    lines.cache_clear()
    _read.cache_clear()
    return new


if __name__ == "__main__":
    import pytest

    sys.exit(pytest.main(["-q", "-s", "-p", "no:xdist", str(FILE.with_name("authz_write.py"))]))
