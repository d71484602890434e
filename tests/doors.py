"""What the tests of the doors share: a small world with two communes, and requests to it."""

from __future__ import annotations

import hashlib
import io
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from accounts.cli import hashed
from accounts.models import Device, Organisation, User
from accounts.security import actor_of
from areas.models import Area
from core import audit, clock
from core.exports import Export, scope_of
from core.geo import to_polygon
from core.model import Base
from core.policy import SYSTEM
from inspections.campaign_models import Assignment, CampaignWork
from inspections.field_models import ReviewItem
from inspections.models import LoadAssessment, SavedList, ViolationEvent
from inspections.notice_models import (
    Notice,
    NoticeDocument,
    NoticeItem,
    NoticeLink,
    NoticeReply,
    NoticeReplyFile,
)
from inspections.reminder_models import Reminder
from inspections.services import back_tests, checklists, drafts
from maps.base_models import MapLayer
from tests import makers
from tests.makers import NOW
from towers.imports.models import ImportBatch
from towers.models import Tower

PASSWORD = "kho-doan-lam-day-4711"
ANSWERS: dict[str, dict[str, Any]] = {
    "clb_ladder": {"outcome": "ok", "value": "no"},
    "gnd_air_terminal": {"outcome": "ok", "value": "no"},
    "sit_fence": {"outcome": "ok", "value": "yes"},
}


@dataclass(frozen=True)
class Place:
    """One commune with a tower that was inspected, photographed and found wanting."""

    commune: Area
    inspector: User
    tower: Tower
    inspection: uuid.UUID
    photo: uuid.UUID
    signature: uuid.UUID
    assessment: uuid.UUID
    violation: uuid.UUID
    document: uuid.UUID
    proposal: uuid.UUID
    campaign: uuid.UUID
    assignment: uuid.UUID
    notice: uuid.UUID
    notice_file: uuid.UUID
    told: uuid.UUID
    review: uuid.UUID
    words: str
    parts: dict[str, uuid.UUID]


@dataclass(frozen=True)
class World:
    """`here` is the territory of the readers with one, `there` is not."""

    here: Place
    there: Place
    owner: Organisation
    people: dict[str, User]
    clients: dict[str, FlaskClient]
    batch: uuid.UUID
    imported: uuid.UUID
    saved: uuid.UUID
    exports: dict[str, uuid.UUID]
    reminder: uuid.UUID
    layer: int

    def __getitem__(self, role: str) -> FlaskClient:
        return self.clients[role]


def published(session: Session) -> None:
    """The catalogue that ships, as the first version."""
    checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=clock.now())
    session.commit()


def client_of(app: Flask, session: Session, person: User) -> FlaskClient:
    """A client whose requests carry a token of this person."""
    token = makers.token(session, person)
    session.commit()
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def world(app: Flask, session: Session, *, names: str = "", owner_name: str = "") -> World:
    """Two communes alike, and one person of each role; `names` is put into every text."""
    published(session)
    owner = makers.organisation(session, name=owner_name or None)
    here = makers.commune(session, code="90001", box=(105.0, 10.0, 106.0, 11.0))
    there = makers.commune(session, code="90002", box=(106.0, 10.0, 107.0, 11.0), name="Xã Kia")
    people = {
        "admin": makers.user(session, "admin"),
        "staff": makers.user(session, "staff"),
        "inspector": makers.user(session, "inspector", territories=[here]),
        "local_officer": makers.user(session, "local_officer", territories=[here]),
        "operator": makers.user(session, "operator", organisation=owner, everywhere=False),
        "elsewhere": makers.user(session, "inspector", territories=[there]),
    }
    session.commit()
    clients = {role: client_of(app, session, person) for role, person in people.items()}
    made = {
        word: _place(session, commune, people[role], clients, role, owner, longitude, names, word)
        for word, commune, role, longitude in (
            ("here", here, "inspector", 105.5),
            ("there", there, "elsewhere", 106.5),
        )
    }
    for place in made.values():
        _campaign(session, place, clients["staff"], names)
    _over_both(session, made["here"], made["there"], clients["staff"])
    _draft_of_checklist(session, people["staff"], names)
    return World(
        here=made["here"],
        there=made["there"],
        owner=owner,
        people=people,
        clients=clients,
        batch=_batch(session, made["here"].tower),
        imported=_list(app, session),
        exports={role: _export(app, session, person, names) for role, person in people.items()},
        reminder=_reminder(session, made["here"], names),
        layer=_pictures(app, session, names),
        saved=_saved_list(session, people["elsewhere"], names),
    )


def entered(app: Flask, session: Session, made: World) -> World:
    """The same world for a test: its rows in this session, its people with clients of this test."""

    def found(one: Any) -> Any:
        return session.get_one(type(one), one.id)

    def place(one: Place) -> Place:
        rows = {name: found(getattr(one, name)) for name in ("commune", "inspector", "tower")}
        return replace(one, **rows)

    clients = {role: app.test_client() for role in made.clients}
    for role, client in clients.items():
        client.environ_base.update(made.clients[role].environ_base)
    return replace(
        made,
        here=place(made.here),
        there=place(made.there),
        owner=found(made.owner),
        people={role: found(person) for role, person in made.people.items()},
        clients=clients,
    )


def _export(app: Flask, session: Session, person: User, names: str) -> uuid.UUID:
    """A list that a job made for somebody."""
    made = Export(
        id=uuid.uuid4(),
        what="violation",
        format="pdf",
        query={},
        filters=[["Tìm kiếm", names or "Ngọc Điểm"]],
        language="vi",
        state="done",
        rows=0,
        size=1,
        job_id=1,
        actor_id=str(person.id),
        actor=person.name,
        scope=scope_of(actor_of(session, person)),
        created_at=clock.now(),
        finished_at=clock.now(),
    )
    session.add(made)
    session.commit()
    folder = app.config["SETTINGS"].instance / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{made.id}.pdf").write_text("x")
    return made.id


def _reminder(session: Session, place: Place, names: str) -> uuid.UUID:
    """A message that was sent."""
    made = Reminder(
        id=uuid.uuid4(),
        tower_id=place.tower.id,
        violation_id=place.violation,
        kind="due_soon",
        deadline=clock.today(),
        recipient="ai@example.org",
        subject=names or "Sắp đến hạn",
        body=names,
        message_id=f"<{place.violation}@test>",
        state="sent",
        next_try_at=clock.now(),
        created_at=clock.now(),
        sent_at=clock.now(),
    )
    session.add(made)
    session.commit()
    return made.id


def _pictures(app: Flask, session: Session, names: str) -> int:
    """Pictures of the base map, of which nobody looks at any."""
    made = MapLayer(
        kind="pictures",
        name=names or "Ảnh",
        source=names or "Sở",
        features=1,
        loaded_at=clock.now(),
    )
    session.add(made)
    session.commit()
    folder = app.config["SETTINGS"].instance / "maps"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{made.id}.pmtiles").write_text("x")
    return made.id


def _saved_list(session: Session, person: User, names: str) -> uuid.UUID:
    """Filters that somebody else keeps."""
    made = SavedList(
        id=uuid.uuid4(),
        user_id=person.id,
        name=names[:100] or "Của tôi",
        query={"severity": ["critical"]},
        saved_at=clock.now(),
    )
    session.add(made)
    session.commit()
    return made.id


def _campaign(session: Session, place: Place, staff: FlaskClient, names: str) -> None:
    """A running campaign for the one tower of a place, and the same tower asked for alone."""
    name, note = names[:300] or f"Đợt {place.words}", names
    days = {"begins_on": "2030-01-01", "ends_on": "2030-01-31"}
    body = {"id": str(place.campaign), "name": name, "kind": "campaign", "note": note, **days}
    choice = {"codes": [place.tower.code]}
    answered(staff.post("/api/v1/campaigns", json={**body, "choice": choice}), 201)
    path, tag = f"/api/v1/campaigns/{place.campaign}", {"If-Match": "*"}
    answered(staff.post(f"{path}/state", json={"state": "running"}, headers=tag), 200)
    share = {"inspectors": [str(place.inspector.id)]}
    answered(staff.post(f"{path}/assignments", json=share, headers=tag), 200)
    # What the worker does to many towers leaves this behind.
    session.add(
        CampaignWork(
            campaign_id=place.campaign,
            what="add",
            said={"q": names},
            job_id=0,
            by_id=place.inspector.id,
            asked_at=NOW,
            expected=1,
            towers=1,
            finished_at=NOW,
        )
    )
    alone = {"id": str(place.assignment), "tower": place.tower.code, "kind": "complaint"}
    alone |= {"inspector": str(place.inspector.id), "due_on": "2030-01-31", "note": note}
    answered(staff.post("/api/v1/assignments", json=alone), 201)


def _over_both(session: Session, here: Place, there: Place, staff: FlaskClient) -> None:
    """The campaign of one place had the tower of the other one, lost it, and has it again."""
    path, tag = f"/api/v1/campaigns/{here.campaign}", {"If-Match": "*"}
    choice = {"choice": {"codes": [there.tower.code]}}
    answered(staff.post(f"{path}/towers", json=choice, headers=tag), 200)
    share = {"inspectors": [str(there.inspector.id)], "unassigned": True}
    answered(staff.post(f"{path}/assignments", json=share, headers=tag), 200)
    given = select(Assignment.id).where(
        Assignment.campaign_id == here.campaign, Assignment.tower_id == there.tower.id
    )
    removal = {"assignments": [str(session.scalar(given))], "reason": "trùng"}
    session.commit()
    answered(staff.post(f"{path}/removals", json=removal, headers=tag), 200)
    answered(staff.post(f"{path}/towers", json=choice, headers=tag), 200)


def _draft_of_checklist(session: Session, person: User, names: str) -> None:
    """A second version of the checklist, without an item that both towers failed, back-tested."""
    actor, now = actor_of(session, person), clock.now()
    draft, _ = drafts.begin(session, 1, by=actor, now=now)
    drafts.remove_item(session, draft, "clb_ladder", by=actor, now=now)
    if names:
        item = next(one for one in draft.content["items"] if one["key"] == "sit_fence")
        label = {language: f"{names[:400]} {language}" for language in ("vi", "en")}
        texts = {**label, "source": names, "legal_basis": {"document": names, "verified": False}}
        drafts.put_item(session, draft, "sit_fence", {**item, **texts}, by=actor, now=now)
    back_tests.start(session, draft, by=actor, now=now)
    session.commit()


def _list(app: Flask, session: Session) -> uuid.UUID:
    """A list that was imported and undone: it can be looked at, and nothing else."""
    made = ImportBatch(
        id=uuid.uuid4(),
        filename="danh-sach.csv",
        sha256="0" * 64,
        size=1,
        state="undone",
        actor="test",
        created_at=clock.now(),
    )
    session.add(made)
    session.commit()
    folder = app.config["SETTINGS"].instance / "uploads" / str(made.id)
    folder.mkdir(parents=True)
    for name, content in (
        ("headers.json", "[]"),
        ("report.jsonl", ""),
        ("points.json", '{"type":"FeatureCollection","total":0,"features":[]}'),
    ):
        (folder / name).write_text(content)
    return made.id


def _batch(session: Session, tower: Tower) -> uuid.UUID:
    """A re-assignment of long ago, in which the tower came into its commune."""
    batch = uuid.uuid4()
    facts: dict[str, Any] = {"by": SYSTEM, "now": clock.now()}
    after = {"commune_id": tower.commune_id, "reassignment": str(batch)}
    audit.record(
        session,
        "tower.reassign",
        "tower",
        tower.id,
        before={"commune_id": None},
        after=after,
        **facts,
    )
    entry = session.scalars(select(func.max(audit.AuditEntry.id))).one()
    span = {"why": "test", "first": entry, "last": entry}
    audit.record(session, "tower.reassign", "reassignment", batch, after=span, **facts)
    session.commit()
    return batch


def _place(
    session: Session,
    commune: Area,
    inspector: User,
    clients: dict[str, FlaskClient],
    role: str,
    owner: Organisation,
    longitude: float,
    names: str,
    word: str,
) -> Place:
    tower = makers.tower(
        session,
        code=f"TRU-{word}",
        name=names or f"Trạm {word} Ngọc Điểm",
        longitude=longitude,
        commune=commune,
        owner=owner,
        address=names,
        note=names,
        landowner=names,
        landowner_phone=names,
        former_commune=names,
        design_standard=names,
        footprint=to_polygon([makers.square(longitude, 10.46)]),
    )
    client = clients[role]
    parts = {
        "installations": makers.installation(session, tower, owner, note=names, kind=names).id,
        "permits": makers.permit(session, tower, number=names, organisation=owner).id,
        "anchors": makers.anchor(session, tower, note=names).id,
    }
    session.commit()
    inspection, photo = uuid.uuid4(), uuid.uuid4()
    note = names or f"ghi chú {word} Ngọc Điểm"
    draft = visit(
        tower.code,
        submit=False,
        note=note,
        team=[note[:200]],
        representative=note[:300],
        instruments=[{"name": note[:200], "serial": note[:100]}],
    )
    answered(client.post("/api/v1/inspections", json={**draft, "id": str(inspection)}), 201)
    answered(
        send_photo(
            client, inspection, photo_id=photo, content=picture(seed=word), item="clb_ladder"
        ),
        201,
    )
    found = answered(
        client.put(
            f"/api/v1/inspections/{inspection}",
            json={**draft, "submit": True},
            headers={"If-Match": '"v1"'},
        ),
        200,
    )
    signature = uuid.uuid4()
    answered(
        client.post(
            f"/api/v1/inspections/{inspection}/signatures",
            data={
                "id": str(signature),
                "place": "representative",
                "name": note[:200],
                "file": (io.BytesIO(picture(kind="PNG")), "ky.png"),
            },
            headers={"If-Match": '"v2"'},
        ),
        201,
    )
    document, proposal = uuid.uuid4(), uuid.uuid4()
    answered(send_document(client, document, tower=tower.code, title=names), 201)
    suggested = {
        "id": str(proposal),
        "kind": "correction",
        "tower": tower.code,
        "values": {"name": f"{names[:290]} {word}", "address": f"{names} 2"},
        "note": note,
    }
    answered(client.post("/api/v1/proposals", json=suggested), 201)
    # Answered, so that the condition follows from what was inspected.
    assessment = LoadAssessment(
        tower_id=tower.id,
        requested_at=clock.now(),
        requested_on=clock.today(),
        deadline=clock.today(),
        reason=names,
        answered_at=clock.now(),
        outcome="safe",
        assessed_on=clock.today(),
        assessor=names,
        conclusion=names,
        document_id=document,
    )
    session.add(assessment)
    session.commit()
    violation = uuid.UUID(found["violations"][0]["id"])
    told = {"id": str(uuid.uuid4()), "owner": str(owner.id), "violations": [str(violation)]}
    answered(clients["staff"].post("/api/v1/notices", json={**told, "note": note}), 201)
    told_by, sent = _owner_answer(
        session, client.application, violation, owner, names or "Đã sửa", word
    )
    return Place(
        commune=commune,
        inspector=inspector,
        tower=tower,
        inspection=inspection,
        photo=photo,
        signature=signature,
        assessment=assessment.id,
        violation=violation,
        document=document,
        proposal=proposal,
        campaign=uuid.uuid4(),
        assignment=uuid.uuid4(),
        notice=uuid.UUID(told["id"]),
        notice_file=sent,
        told=told_by,
        review=_from_the_field(session, inspector, tower, inspection, draft, note),
        words=tower.code,
        parts=parts,
    )


def _from_the_field(
    session: Session,
    inspector: User,
    tower: Tower,
    inspection: uuid.UUID,
    draft: dict[str, Any],
    note: str,
) -> uuid.UUID:
    """A phone, and what it brought that staff must decide about."""
    phone = Device(id=uuid.uuid4(), user_id=inspector.id, name=note[:100], created_at=clock.now())
    answers = {"sit_fence": {"outcome": "not_checked", "reason": note, "note": note}}
    body = {**draft, "id": str(inspection), "note": f"{note} 2", "far_reason": note}
    item = ReviewItem(
        id=uuid.uuid4(),
        reason="different_body",
        kind="inspection",
        operation_id=uuid.uuid4(),
        inspection_id=inspection,
        other_id=inspection,
        tower_id=tower.id,
        body={**body, "answers": answers},
        body_hash=bytes(32),
        by_id=inspector.id,
        device_id=phone.id,
        received_at=clock.now(),
    )
    session.add(phone)
    session.flush()
    session.add(item)
    session.commit()
    return item.id


def _owner_answer(
    session: Session,
    app: Flask,
    violation: uuid.UUID,
    owner: Organisation,
    text_: str,
    word: str,
) -> tuple[uuid.UUID, uuid.UUID]:
    """A notice of a year long past, and a file that its owner sent by its link."""
    now, digest = clock.now(), hashlib.sha256(PDF).digest()
    kept = app.config["SETTINGS"].instance / "notices" / digest.hex()[:2] / digest.hex()
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(PDF)
    notice = Notice(
        id=uuid.uuid4(), body_hash=digest, owner_id=owner.id, state="issued", drafted_at=now,
        issued_at=now, issued_on=now.date(), year=2000, number=1 if word == "here" else 2,
        reference=f"01/{word}",
    )  # fmt: skip
    link = NoticeLink(
        id=uuid.uuid4(), hash=hashlib.sha256(word.encode()).digest(), made_at=now, expires_at=now
    )
    notice.items.append(NoticeItem(violation_id=violation, place=1))
    notice.links.append(link)
    notice.documents.append(NoticeDocument(form="pdf", sha256=digest, byte_size=len(PDF)))
    session.add(notice)
    session.flush()
    event = session.scalars(
        select(ViolationEvent).where(ViolationEvent.violation_id == violation)
    ).first()
    assert event is not None
    file = NoticeReplyFile(
        id=uuid.uuid4(), place=1, filename=f"{text_[:150]}.pdf", media_type="application/pdf",
        byte_size=len(PDF), sha256=digest,
    )  # fmt: skip
    session.add(
        NoticeReply(
            id=uuid.uuid4(), body_hash=digest, notice_id=notice.id, link_id=link.id,
            violation_id=violation, event_id=event.id, kind="claim", name=text_, text=text_,
            received_at=now, files=[file],
        )
    )  # fmt: skip
    session.commit()
    return notice.id, file.id


def visit(tower: str, *, submit: bool = True, **facts: Any) -> dict[str, Any]:
    """The body of an inspection."""
    return {
        "tower": tower,
        "kind": "periodic",
        "inspected_on": clock.today().isoformat(),
        "answers": ANSWERS,
        "submit": submit,
        **facts,
    }


def picture(
    *, seed: str = "", size: tuple[int, int] = (640, 480), kind: str = "JPEG", **options: Any
) -> bytes:
    """A picture whose colour follows from the seed."""
    shade = hashlib.sha256(seed.encode()).digest()
    out = io.BytesIO()
    Image.new("RGB", size, (shade[0], shade[1], shade[2])).save(out, kind, **options)
    return out.getvalue()


def send_photo(
    client: FlaskClient,
    inspection: uuid.UUID,
    *,
    photo_id: uuid.UUID | None = None,
    content: bytes | None = None,
    name: str = "anh.jpg",
    **fields: str,
) -> TestResponse:
    content = picture() if content is None else content
    return client.post(
        "/api/v1/photos",
        data={
            "id": str(photo_id or uuid.uuid4()),
            "inspection": str(inspection),
            "file": (io.BytesIO(content), name),
            **fields,
        },
    )


PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def send_document(
    client: FlaskClient,
    document_id: uuid.UUID | None = None,
    *,
    content: bytes = PDF,
    name: str = "giay phep.pdf",
    **fields: str,
) -> TestResponse:
    return client.post(
        "/api/v1/documents",
        data={
            "id": str(document_id or uuid.uuid4()),
            "kind": "permit",
            "file": (io.BytesIO(content), name),
            **fields,
        },
    )


def answered(response: TestResponse, status: int) -> Any:
    """The JSON of an answer that has this status."""
    assert response.status_code == status, (response.status_code, response.get_data(as_text=True))
    return response.get_json()


def refused(response: TestResponse, status: int | Sequence[int]) -> dict[str, Any]:
    """The problem of a refusal: one of these statuses, whole and in its media type."""
    wanted = (status,) if isinstance(status, int) else status
    assert response.status_code in wanted, (
        response.status_code,
        response.get_data(as_text=True)[:2000],
    )
    assert response.mimetype == "application/problem+json"
    body = response.get_json()
    assert {"type", "title", "status", "code", "detail"} <= set(body)
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["detail"]
    return body


def counts(session: Session) -> dict[str, int]:
    """How many rows every table has: what a refused request must not change.

    The session is left without a savepoint: one that stayed open here would, when it is rolled
    back, take the requests after it along.
    """
    session.commit()
    found = {
        name: session.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
        for name in sorted(Base.metadata.tables)
    }
    session.commit()
    return found


def csrf_of(page: str) -> str:
    """The token of the first form of a page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "the page has no form with a csrf token"
    return found.group(1)


def signed_in(app: Flask, email: str, password: str = PASSWORD) -> FlaskClient:
    """A browser that signed in with its password, as a person does."""
    client = app.test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    response = client.post(
        "/sign-in",
        data={"email": email, "password": password, "csrf_token": csrf_of(page)},
    )
    assert response.status_code == 302, response.get_data(as_text=True)[:3000]
    return client


def browser_of(app: Flask, session: Session, person: User) -> FlaskClient:
    """A browser in which this person signed in; what it sends carries the token against forgery."""
    person.password = hashed(PASSWORD)
    session.commit()
    client = signed_in(app, person.email)
    page = client.get("/account").get_data(as_text=True)
    client.environ_base["HTTP_X_CSRFTOKEN"] = csrf_of(page)
    return client


def with_password(session: Session, role: str, **facts: Any) -> User:
    """A person of this role who can sign in with `PASSWORD`."""
    made = makers.user(session, role, password=hashed(PASSWORD), **facts)
    session.commit()
    return made


def day(text_: str) -> date:
    return date.fromisoformat(text_)


Ask = Callable[[FlaskClient], TestResponse]
