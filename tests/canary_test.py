"""Hostile text in every field comes back as text on every page, feed and export."""

from __future__ import annotations

import ast
import csv
import html
import io
import json
import re
import unicodedata
import uuid
from urllib.parse import quote

import openpyxl
import pyogrio
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.settings import ROOT
from tests import doors, makers
from tests.core.guard_test import OPEN, TABLE, address, of, routes
from tests.makers import CANARY

pytestmark = pytest.mark.slow

PRODUCT = str(31337 * 31337)
SCRIPT = "<script>alert(1)"
TEXTS = {
    "jinja": CANARY,
    "block": "{% for x in (1).__class__ %}{{x}}",
    "comment": "{# lost #} {#",
    "template literal": "${7*7} `${alert(1)}`",
    "markup": f'"><{SCRIPT[1:]}</script><img src=x onerror=alert(1)>',
    "script end": f"</script>{SCRIPT}</script>",
    "quotes": "' \" ` ‘ ’ “ ” « » \\' \\\"",
    "right to left": "\u202etower\u202c \u2067x\u2069 \u200f",
    "combining": unicodedata.normalize("NFD", "Trạm Thường Phước") + " Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L",
    "formula": '=HYPERLINK("http://evil.example";"x")',
}
ALL = " ".join(text for kind, text in sorted(TEXTS.items()) if kind != "combining")
# Short enough for a code, and without what a code may not have.
CODE = "{{31337*31337}}<script>alert(1)<'\"`$&"


def test_the_folder_of_maps_gives_folium_no_value() -> None:
    """Nothing that reaches Folium is read from the database or the request."""
    allowed = {
        "__future__", "base64", "hashlib", "re", "functools", "dataclasses", "pathlib",
        "mimetypes", "folium", "maps", "core",
    }  # fmt: skip
    files = list((ROOT / "maps" / "render").glob("*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] in allowed, (path, name)
                assert not name.startswith("maps") or name.startswith("maps.render")
                assert not name.startswith("core") or name == "core.dist"


# Where the names must be seen, so that the walk below cannot pass on empty pages.
REGISTER = {
    "/", "/towers", "/towers/<code>", "/follow-up", "/follow-up.csv", "/follow-up.xlsx",
    "/follow-up.geojson", "/follow-up.gpkg", "/follow-up.kml", "/towers/export",
    "/exports", "/exports/<uuid:export_id>", "/api/v1/exports", 
     
    "/violations", "/violations/<uuid:violation_id>", "/inspections",
    "/inspections/<uuid:inspection_id>", "/account", "/proposals",
    "/proposals/<uuid:proposal_id>", "/api/v1/proposals", "/api/v1/proposals/<uuid:proposal_id>",
    "/api/v1/documents", "/api/v1/documents/<uuid:document_id>", "/api/v1/organisations",
    "/api/v1/organisations/<uuid:organisation_id>", "/organisations",
    "/organisations/<uuid:organisation_id>", "/api/v1/towers", "/api/v1/towers/<code>",
    "/api/v1/follow-up", "/api/v1/violations", "/api/v1/inspections",
    "/api/v1/inspections/<uuid:inspection_id>", "/api/v1/areas", "/areas", "/map",
    "/map/base.json", "/map/communes.geojson", "/map/figures.json", "/map/owners.json",
    "/map/places/<code>.json", "/map/list.json",
    "/map/towers/<uuid:tower_id>.json", "/map/towers.html", "/areas/<int:area_id>",
    "/map/areas/<int:area_id>.geojson", "/api/v1/areas/match",
    "/towers/<code>/sign", "/towers/<code>/history",
    "/towers/permits", "/api/v1/permits", "/api/v1/towers/<code>/installations",
    "/api/v1/towers/<code>/installations/<uuid:part_id>", "/api/v1/towers/<code>/permits",
    "/campaigns", "/campaigns/<uuid:campaign_id>", "/assignments",
    "/assignments/<uuid:assignment_id>", "/api/v1/campaigns",
    "/api/v1/campaigns/<uuid:campaign_id>", "/api/v1/campaigns/<uuid:campaign_id>/progress",
    "/api/v1/assignments", "/api/v1/assignments/<uuid:assignment_id>",
    "/api/v1/towers/<code>/permits/<uuid:part_id>", "/api/v1/towers/<code>/anchors",
    "/api/v1/towers/<code>/anchors/<uuid:part_id>", "/api/v1/towers/<code>/history",
    "/api/v1/towers/<code>/timeline", "/api/v1/violations/<uuid:violation_id>/timeline",
    "/assessments/<uuid:assessment_id>", "/api/v1/assessments",
    "/api/v1/assessments/<uuid:assessment_id>",
    "/statistics", "/statistics.csv", "/statistics.xlsx", "/api/v1/statistics",
    "/inspections/<uuid:inspection_id>/versions",
    "/notices", "/notices/<uuid:notice_id>", "/api/v1/notices",
    "/api/v1/notices/<uuid:notice_id>",
}  # fmt: skip
BATCH = {"/towers/reassignments/<uuid:batch>", "/towers/reassignments/<uuid:batch>.csv"}
ORGANISATIONS = {"/organisations", "/organisations/<uuid:organisation_id>"}
OUTBOX = {"/outbox", "/api/v1/outbox", "/api/v1/outbox/<uuid:reminder_id>"}
SHOWN = {
    "staff": REGISTER | OUTBOX | BATCH | ORGANISATIONS | {"/field/review",
                         "/field/review/<uuid:item_id>", "/checklists/<int:draft>/back-test",
                         "/checklists/<int:number>",
                         "/checklists/<int:number>/changes", "/checklists/<int:number>.xlsx",
                         "/checklists/<int:draft>/items/<key>/edit",
                         "/api/v1/checklists/<int:number>",
                         "/api/v1/checklists/<int:number>/differences",
                         "/api/v1/checklists/<int:draft>/back-test/findings",
                         "/organisations/<uuid:organisation_id>/edit",
                         "/organisations/<uuid:organisation_id>/merge", "/towers/new",
                         "/towers/<code>/edit", "/towers/<code>/merge", "/campaigns/new",
                         "/campaigns/<uuid:campaign_id>/edit",
                         "/campaigns/<uuid:campaign_id>/towers", "/towers/<code>/assignments",
                         "/towers/<code>/installations/new", "/towers/<code>/permits/new",
                         "/towers/<code>/anchors/new", "/towers/<code>/footprint/edit",
                         "/towers/<code>/installations/<uuid:part_id>/edit",
                         "/towers/<code>/permits/<uuid:part_id>/edit",
                         "/towers/<code>/anchors/<uuid:part_id>/edit",
                         "/notices/new", "/notices/<uuid:notice_id>/edit"},
    "admin": REGISTER | BATCH | ORGANISATIONS | {"/organisations/<uuid:organisation_id>/edit",
                         "/users", "/users/<uuid:user_id>", "/audit", "/api/v1/audit"},
    "inspector": REGISTER | {"/devices", "/api/v1/field/work",
                             "/api/v1/field/towers", "/inspections/<uuid:inspection_id>/edit",
                             "/towers/<code>/inspect", "/towers/<code>/propose",
                             "/field/sign-in"},
    "operator": {"/own-violations", "/own-notices/<uuid:own_notice_id>",
                 "/api/v1/own-notices/<uuid:own_notice_id>"},
}  # fmt: skip


# What is said of a campaign over two communes as a whole, to whoever sees both.
OF_THE_WHOLE = {
    "/api/v1/campaigns/<uuid:campaign_id>/work", "/campaigns/<uuid:campaign_id>/work/state.json",
}  # fmt: skip


# What users write is the same in both languages: a kind alone is looked at in one of them. Setting
# pages of print takes longest, and asks most of the longest text and of the tallest letters.
WALKS = [
    *((kind, "staff", (("vi", "en")[place % 2],)) for place, kind in enumerate(sorted(TEXTS))),
    *(("all together", role, ("vi", "en")) for role in ("admin", "inspector", "operator", "staff")),
]
PRINTED = {"all together", "combining"}


@pytest.mark.parametrize(
    ("kind", "role", "languages"), WALKS, ids=[f"{kind}-{role}" for kind, role, _ in WALKS]
)
def test_hostile_text_is_only_text(
    app: Flask, session: Session, kind: str, role: str, languages: tuple[str, ...]
) -> None:
    bad = TEXTS.get(kind, ALL)
    w = doors.world(app, session, names=bad, owner_name=bad)
    w.here.commune.name = bad
    w.here.commune.source = bad
    for person in w.people.values():
        person.name = bad
    w.here.tower.code = CODE
    w.owner.address = w.owner.phone = w.owner.responsible_person = bad
    session.commit()
    # A change of every text, so that history has something to tell.
    told = {"name": f"{bad[:299]}.", "note": f"{bad}.", "landowner": f"{bad[:299]}."}
    change = w["staff"].patch(
        f"/api/v1/towers/{quote(CODE, safe='')}", json=told, headers={"If-Match": "*"}
    )
    doors.answered(change, 200)
    draft = doors.visit(
        CODE,
        submit=False,
        note=bad,
        answers={
            "str_rust_grade": {"outcome": "ok", "value": bad, "note": bad},
            "sit_fence": {"outcome": "not_checked", "reason": bad, "note": bad},
        },
    )
    inspector = w["inspector"]
    own = str(uuid.uuid4())
    doors.answered(inspector.post("/api/v1/inspections", json={**draft, "id": own}), 201)
    named = doors.send_photo(inspector, uuid.UUID(own), name=bad.replace('"', "'") + ".jpg")
    doors.answered(named, 201)
    stored = unicodedata.normalize("NFC", bad)
    # An export of this list, so that the list of exports has one with these names.
    assert w[role].get("/follow-up.csv").status_code in {200, 403}
    seen: set[str] = set()
    for language in languages:
        for rule, method, endpoint in routes(app):
            if endpoint in OPEN or method != "GET" or role not in TABLE[rule, method]:
                continue
            # The picture of a sheet is made of its PDF; who asks makes no difference to either.
            printed = kind in PRINTED and (role == "staff" or "staff" not in TABLE[rule, method])
            if rule.endswith(".png") or (rule.endswith(".pdf") and not printed):
                continue
            values = of(w.here, w, role)
            values["form"] = "pdf" if printed else "docx"
            values["code"] = quote(CODE, safe="")
            if rule.startswith("/api/v1/areas/"):
                values["code"] = "90001"
            if "edit" in rule and "inspection" in rule:
                values["inspection_id"] = own
            path = address(rule, values)
            if not rule.startswith("/api/"):
                path += ("&" if "?" in path else "?") + f"lang={language}"
            response = w[role].get(path, headers={"Accept-Language": language})
            if rule in OF_THE_WHOLE and role == "inspector":
                assert response.status_code == 404
                continue
            assert response.status_code in {200, 302}, (rule, response.status_code)
            if _check(response, stored, bad, rule):
                seen.add(rule)
    assert seen >= SHOWN[role], SHOWN[role] - seen


# What a document holds itself.
HELD = re.compile(r'data-address="[^"]+">(.*?)</script>', re.DOTALL)


def _check(response, stored: str, bad: str, rule: str) -> bool:
    """No text was run or markup; returns whether the hostile text was seen whole."""
    assert PRODUCT.encode() not in response.data, rule
    kind = response.mimetype
    if kind == "text/html":
        page = response.get_data(as_text=True)
        assert SCRIPT not in page, rule
        assert "<img src=x" not in page, rule
        shown = html.unescape(page)
        return (
            stored in shown
            or bad in shown
            or any(_in_json(block, stored, bad) for block in HELD.findall(page))
        )
    if kind in {"application/json", "application/geo+json"}:
        return _in_json(response.data, stored, bad)
    if kind == "text/csv":
        rows = list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"))))
        cells = [cell for row in rows for cell in row]
        return any({cell, cell.removeprefix("'")} & {stored, bad} for cell in cells)
    if kind.endswith("spreadsheetml.sheet"):
        sheet = openpyxl.load_workbook(io.BytesIO(response.data)).active
        cells = [cell for row in sheet.iter_rows() for cell in row]
        assert all(cell.data_type != "f" for cell in cells)
        return any(cell.value in {stored, bad} for cell in cells)
    if kind in {"application/geopackage+sqlite3", "application/vnd.google-earth.kml+xml"}:
        _, _, _, columns = pyogrio.raw.read(response.data)
        return any({stored, bad} & {cell for cell in column if cell} for column in columns)
    return False


def _in_json(data: bytes | str, stored: str, bad: str) -> bool:
    text = json.dumps(json.loads(data), ensure_ascii=False)
    return any(json.dumps(one, ensure_ascii=False)[1:-1] in text for one in (stored, bad))


WORDS = (
    "q", "condition", "commune", "owner", "sort", "status", "kind", "lang", "area", "inspector",
    "standing",
)  # fmt: skip


@pytest.mark.parametrize("bad", [*TEXTS.values(), ALL], ids=[*TEXTS, "all together"])
def test_hostile_words_in_an_address_are_only_text(
    app: Flask, world: doors.World, bad: str
) -> None:
    for path in (
        "/towers",
        "/follow-up",
        "/map",
        "/violations",
        "/inspections",
        "/organisations",
        "/statistics",
        "/campaigns",
        "/campaigns/new",
        f"/campaigns/{world.here.campaign}",
        "/assignments",
    ):
        # Everywhere at once, and the longest text in each alone.
        alone = [{name: bad} for name in WORDS] if bad == ALL else []
        for query in [dict.fromkeys(WORDS, bad), *alone]:
            response = world["staff"].get(path, query_string=query)
            assert response.status_code == 200, (path, query)
            assert PRODUCT.encode() not in response.data
            assert SCRIPT.encode() not in response.data
    for path in (
        "/towers",
        "/follow-up",
        "/violations",
        "/inspections",
        "/campaigns",
        "/assignments",
    ):
        response = world["staff"].get(path, query_string={"cursor": bad})
        assert response.status_code == 400, path
        assert SCRIPT.encode() not in response.data
    for path in ("/sign-in", "/nowhere"):
        response = app.test_client().get(path, query_string={"next": bad, bad: bad})
        assert SCRIPT.encode() not in response.data
        assert PRODUCT.encode() not in response.data


@pytest.mark.parametrize("bad", [*TEXTS.values(), ALL], ids=[*TEXTS, "all together"])
def test_hostile_input_comes_back_in_the_form_as_text(
    app: Flask, session: Session, bad: str
) -> None:
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    for client, path, fields in (
        (staff, "/towers/new", "code name latitude longitude height_m built_year owner note"),
        (staff, "/campaigns/new", "name begins_on ends_on note"),
        (staff, "/organisations/new", "email phone address"),
        (admin, "/users/new", "email name"),
        (admin, "/areas/load", "province_code province_name source valid_from"),
    ):
        response = client.post(path, data=dict.fromkeys(fields.split(), bad))
        assert response.status_code in {409, 422}, (path, response.status_code)
        page = response.get_data(as_text=True)
        assert PRODUCT not in page
        assert SCRIPT not in page
        assert bad.strip() in html.unescape(page), path
