"""The pages of the checklist: from a draft to its publication, and every wrong step refused."""

from __future__ import annotations

import html
import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from inspections.rules.documents import differences
from inspections.services import back_tests, checklists
from tests import doors, makers
from tests.inspections import visits


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    return doors.client_of(app, session, makers.user(session, "staff"))


def begun(staff: FlaskClient) -> None:
    response = staff.post("/checklists", data={"based_on": "1"})
    assert response.headers["Location"] == "/checklists/2"


def shown(client: FlaskClient, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return html.unescape(response.get_data(as_text=True))


def revision(client: FlaskClient) -> str:
    return re.findall(r'name="revision" value="(\d+)"', shown(client, "/checklists/2"))[0]


class Form(HTMLParser):
    """What a browser would send of the form of an item as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.inside = False
        self.select: str | None = None
        self.text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.inside = given.get("id") == "item"
        if not self.inside:
            return
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.sent.setdefault(name, []).append(value)
        elif tag == "textarea":
            self.text, self.sent[name] = name, [""]
        elif tag == "select":
            self.select = name
        elif (
            tag == "option"
            and self.select
            and ("selected" in given or self.select not in self.sent)
        ):
            self.sent[self.select] = [value]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"}:
            self.text = self.select = None

    def handle_data(self, data: str) -> None:
        if self.text:
            self.sent[self.text][0] += data


def as_form(page: str) -> dict[str, list[str]]:
    form = Form()
    form.feed(page)
    return form.sent


@pytest.mark.parametrize("key", [item.key for item in visits.CATALOGUE.items])
def test_saving_an_item_as_it_stands_changes_nothing(
    staff: FlaskClient, session: Session, key: str
) -> None:
    begun(staff)
    path = f"/checklists/2/items/{key}/edit"
    page = staff.get(path).get_data(as_text=True)
    response = staff.post(path, data=as_form(page))
    assert response.status_code == 303, response.get_data(as_text=True)
    draft = checklists.by_number(session, 2)
    session.refresh(draft)
    assert not differences(checklists.shipped_document(), draft.content)
    assert draft.revision == 1


def edited(staff: FlaskClient, key: str, **changes: Any):
    path = f"/checklists/2/items/{key}/edit?lang=en"
    page = staff.get(path).get_data(as_text=True)
    return staff.post(path, data={**as_form(page), **changes})


def test_from_a_draft_to_its_publication(staff: FlaskClient, session: Session) -> None:
    inspector, tower = makers.actor(session, "inspector"), makers.tower(session, code="T-1")
    visits.inspected(session, tower, by=inspector, **visits.MINOR)
    session.commit()
    begun(staff)
    assert edited(staff, "sit_fence", **{"level.0.severity": "major"}).status_code == 303
    page = shown(staff, "/checklists/2/changes?lang=en")
    assert "Minor: answer “No” · 30 days" in page
    assert "Major: answer “No” · 30 days" in page
    assert "Publish version 2" not in page
    sent = {"revision": revision(staff)}
    assert staff.post("/checklists/2/publish", data=sent).status_code == 409
    assert staff.post("/checklists/2/back-test", data=sent).status_code == 303
    page = shown(staff, "/checklists/2/changes?lang=en")
    assert "Publish version 2" in page
    listed = shown(staff, "/checklists/2/back-test?lang=en")
    assert "T-1" in listed
    assert "Minor" in listed
    assert staff.post("/checklists/2/publish", data=sent).status_code == 303
    assert checklists.current(session).version == 2
    assert "In force" in shown(staff, "/checklists?lang=en")
    assert staff.get("/checklists/2/items/sit_fence/edit").status_code == 200
    assert edited(staff, "sit_fence", vi="x").status_code == 409


def test_an_item_is_added_and_taken_out(staff: FlaskClient, session: Session) -> None:
    begun(staff)
    page = staff.get("/checklists/2/items/sit_fence/edit").get_data(as_text=True)
    form = {**as_form(page), "key": "sit_camera", "en": "Camera <b>", "vi": "Camera"}
    assert staff.post("/checklists/2/items/new", data=form).status_code == 303
    page = staff.get("/checklists/2?lang=en").get_data(as_text=True)
    assert "Camera &lt;b&gt;" in page
    form["revision"] = [revision(staff)]
    taken = staff.post("/checklists/2/items/new", data=form)
    assert taken.status_code == 409
    sent = {"revision": revision(staff)}
    assert staff.post("/checklists/2/items/sit_camera/remove", data=sent).status_code == 303
    assert "sit_camera" not in shown(staff, "/checklists/2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"en": " "}, "missing in Vietnamese or English"),
        ({"how": "magic"}, "must be one of ground"),
        ({"applies_to": []}, "structure type is missing"),
        ({"level.0.value": "mười"}, "not a number"),
        ({"level.0.remedy_days": "1.5"}, "whole number"),
        ({"type": "enum"}, "an enum needs them"),
        ({"min": "9", "max": "1"}, "min is greater than max"),
        ({"level.0.op": "fail"}, "for yes_no answers"),
        ({"legal_article": "Điều 1"}, "names no document"),
        ({"asked_item": "nobody"}, "not a plain name"),
    ],
)
def test_a_wrong_item_says_what_is_wrong_and_keeps_what_was_typed(
    staff: FlaskClient, changes, said
) -> None:
    begun(staff)
    response = edited(staff, "fnd_settlement", source="nguồn gõ vào", **changes)
    assert response.status_code == 422
    page = html.unescape(response.get_data(as_text=True))
    assert said in page
    assert "nguồn gõ vào" in page
    assert revision(staff) == "1"


def test_two_editors_do_not_overwrite_each_other(staff: FlaskClient) -> None:
    begun(staff)
    page = staff.get("/checklists/2/items/sit_fence/edit").get_data(as_text=True)
    assert edited(staff, "sit_fence", source="first").status_code == 303
    late = staff.post(
        "/checklists/2/items/sit_fence/edit",
        data={**as_form(page), "source": "second"},
    )
    assert late.status_code == 412
    assert "second" in late.get_data(as_text=True)
    assert "second" not in shown(staff, "/checklists/2")


@pytest.mark.parametrize("ending", ["yaml", "xlsx"])
def test_a_file_goes_out_and_comes_in(staff: FlaskClient, session: Session, ending: str) -> None:
    begun(staff)
    out = staff.get(f"/checklists/2.{ending}")
    assert f"-2.{ending}" in out.headers["Content-Disposition"]

    def read(content: bytes, name: str):
        return staff.post(
            "/checklists/2/import",
            data={"file": (io.BytesIO(content), name), "revision": revision(staff)},
        )

    same = read(out.data, f"x.{ending}")
    assert same.headers["Location"] == "/checklists/2"
    assert revision(staff) == "1"
    document = yaml.safe_load(staff.get("/checklists/2.yaml").data)
    document["items"][0]["how"] = "climb"
    document["version"] = 77
    changed = read(yaml.safe_dump(document).encode(), "x.yml")
    assert changed.headers["Location"] == "/checklists/2/changes"
    assert revision(staff) == "2"
    document["items"][0]["how"] = "magic"
    wrong = read(yaml.safe_dump(document).encode(), "x.yaml")
    assert wrong.status_code == 422
    assert "<code>fnd_settlement</code>" in wrong.get_data(as_text=True)
    assert read(b"a: &a 1", "x.yaml").status_code == 422
    assert read(b"MZ", "x.exe").status_code == 415
    assert read(b"#" * 1_000_001, "x.yaml").status_code == 413
    assert revision(staff) == "2"


def test_a_draft_is_discarded(staff: FlaskClient) -> None:
    begun(staff)
    done = staff.post("/checklists/2/discard", data={"revision": "1"})
    assert done.headers["Location"] == "/checklists"
    shown(staff, "/checklists/2", 404)


def test_what_is_not_there_is_404(staff: FlaskClient) -> None:
    for path in ("/checklists/9", "/checklists/9999999999", "/checklists/9.yaml",
                 "/checklists/9/changes", "/checklists/1/back-test",
                 "/checklists/1/items/nobody/edit"):  # fmt: skip
        shown(staff, path, 404)
    assert staff.post("/checklists/1/items/nobody/remove", data={}).status_code == 409


def test_a_wide_back_test_is_waited_for(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(back_tests, "AT_ONCE", 0)
    inspector, tower = makers.actor(session, "inspector"), makers.tower(session, code="T-1")
    visits.inspected(session, tower, by=inspector, **visits.MINOR)
    session.commit()
    begun(staff)
    assert edited(staff, "sit_fence", **{"level.0.severity": "major"}).status_code == 303
    staff.post("/checklists/2/back-test", data={"revision": revision(staff)})
    page = shown(staff, "/checklists/2/changes")
    assert 'data-state="/checklists/2/back-test/state.json"' in page
    state = doors.answered(staff.get("/checklists/2/back-test/state.json"), 200)
    assert state == {"working": True, "done": 0, "total": None, "text": ""}
    again = staff.post("/checklists/2/back-test", data={"revision": revision(staff)})
    assert again.status_code == 409


def test_others_look_and_do_not_touch(app: Flask, session: Session, staff: FlaskClient) -> None:
    begun(staff)
    inspector = doors.client_of(app, session, makers.user(session, "inspector"))
    page = shown(inspector, "/checklists/2")
    assert "/checklists/2/items/" not in page
    assert 'name="revision"' not in page
    assert "/back-test" not in shown(inspector, "/checklists/2/changes")
