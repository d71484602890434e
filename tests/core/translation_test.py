"""Every text of the interface has its Vietnamese, and nothing is written past the catalogue."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import ngettext
from flask_security import core as flask_security_core
from flask_security import hash_password
from sqlalchemy.orm import Session

import accounts.rules
import areas.rules
import inspections.rules.condition
import inspections.rules.evaluation
import inspections.rules.evidence
import inspections.rules.violation
import towers.rules
from accounts.passwords import normalised
from app import LABELS, MENU
from areas.readers import Choice, read_boundaries
from core.assets import texts
from core.errors import Invalid
from core.i18n import force_locale, translate
from core.policy import Actor
from core.problems import field_texts
from core.settings import ROOT
from inspections.rules.catalogue import Catalogue as Checklist
from inspections.services.checklists import publish, shipped_document
from tests import makers

PACKAGES = ("accounts", "areas", "core", "inspections", "maps", "towers")
MAPPINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
VIETNAMESE = re.compile(
    r"[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]", re.IGNORECASE
)
# What stays as it is in both languages: names, and the name of a language in itself.
NAMES = ("Tháp Canh", "Tiếng Việt", "Tỉnh Đồng Tháp", "Đồng Tháp")
# Data in programs: the made-up rows of the demo, and the words in which people write coordinates.
DATA = (
    "inspections/demo/",
    "towers/coordinate_texts.py",
    # Official documents are in Vietnamese, whoever prints them.
    "inspections/rules/notice.py",
    "inspections/services/notice",
)


def extracted() -> dict[tuple[str, ...], str]:
    """Every text of the code with a file that says it; a plural is a pair."""
    found: dict[tuple[str, ...], str] = {}
    methods = [(one["pattern"], one["method"]) for one in MAPPINGS]
    options = {
        one["pattern"]: {
            key: str(value) for key, value in one.items() if key not in {"pattern", "method"}
        }
        for one in MAPPINGS
    }
    for package in PACKAGES:
        for file, _, text, _, _ in extract_from_dir(ROOT / package, methods, options):
            found.setdefault((text,) if isinstance(text, str) else tuple(text), f"{package}/{file}")
    for _, text, _, _ in extract_from_file("python", ROOT / "app.py"):
        found.setdefault((text,) if isinstance(text, str) else tuple(text), "app.py")
    return found


def strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def faults(catalogue: Catalog) -> list[str]:
    """What is wrong with the translations of a catalogue."""
    found = []
    for message in catalogue:
        if not message.id:
            continue
        if message.fuzzy:
            found.append(f"not certain: {ids(message)[0]}")
        for text in strings(message):
            if not text.strip():
                found.append(f"not translated: {ids(message)[0]}")
            elif sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(ids(message)[-1])):
                found.append(f"other facts than its text: {text}")
    return found


@pytest.fixture(scope="module")
def vietnamese() -> Catalog:
    return texts.catalogue("vi")


def test_every_text_of_the_code_is_in_the_catalogue(vietnamese: Catalog) -> None:
    found = extracted()
    assert len(found) > 500, "the extraction reads the whole code"
    known = {ids(message) for message in vietnamese if message.id}
    missing = {text: file for text, file in found.items() if text not in known}
    assert not missing, "run `make i18n` and translate"


def test_the_catalogue_keeps_no_text_that_the_code_lost(vietnamese: Catalog) -> None:
    assert {ids(message) for message in vietnamese if message.id} <= set(extracted())


CATALOGUES = [("vi", "messages"), ("vi", "flask_security"), ("en", "flask_security")]


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_every_translation_is_whole_and_keeps_the_facts_of_its_text(
    language: str, domain: str
) -> None:
    assert faults(texts.catalogue(language, domain)) == []


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_the_compiled_catalogue_is_the_one_of_the_source(language: str, domain: str) -> None:
    source = texts.CATALOGUES / language / "LC_MESSAGES" / f"{domain}.po"
    compiled = source.with_suffix(".mo")
    assert compiled.exists(), "run `make`"
    with compiled.open("rb") as file:
        read = read_mo(file)
    for message in texts.catalogue(language, domain):
        if message.id:
            there = read.get(ids(message)[0])
            assert there is not None and strings(there) == strings(message), "run `make`"


# Labels


def labels() -> Iterator[tuple[str, str, str]]:
    for vocabulary, values in LABELS.items():
        for value, text in values.items():
            yield vocabulary, value, text


def test_every_label_is_said_in_both_languages(app: Flask) -> None:
    # The same word in both: a unit of measure or a name would stand here.
    alike: set[str] = set()
    for vocabulary, value, text in labels():
        assert text and not re.search(r"[a-z]_[a-z]", text), f"{vocabulary}.{value} has no English"
        with force_locale("en"):
            assert translate(text) == text
        with force_locale("vi"):
            said = translate(text)
            assert text in alike or said != text, f"{vocabulary}.{value} stays English: {text}"


def test_every_menu_item_is_said_in_vietnamese(app: Flask) -> None:
    with force_locale("vi"):
        for item in MENU:
            assert translate(item.label) != item.label


@pytest.mark.parametrize(
    ("vocabulary", "kind"),
    [
        ("role", accounts.rules.Role),
        ("organisation_kind", accounts.rules.OrganisationKind),
        ("area_level", areas.rules.Level),
        ("structure_type", towers.rules.StructureType),
        ("service", towers.rules.Service),
        ("lifecycle", towers.rules.Lifecycle),
        ("permit_kind", towers.rules.PermitKind),
        ("permit_state", towers.rules.PermitState),
        ("condition", towers.rules.Condition),
        ("condition_reason", towers.rules.ConditionReason),
        ("outcome", inspections.rules.evaluation.Outcome),
        ("violation_state", inspections.rules.violation.State),
        ("violation_event", inspections.rules.violation.EventKind),
        ("reinspection_outcome", inspections.rules.violation.ReinspectionOutcome),
        ("weather", inspections.rules.evidence.Weather),
        ("verdict", inspections.rules.evidence.Verdict),
        ("evidence_grade", inspections.rules.evidence.Grade),
        ("evidence_check", inspections.rules.evidence.Check),
        ("evidence_reason", inspections.rules.evidence.Reason),
        ("signature_place", inspections.rules.evidence.SignaturePlace),
        ("assessment_outcome", inspections.rules.load_safety.AssessmentOutcome),
        ("photo_source", inspections.rules.evidence.PhotoSource),
    ],
)
def test_every_value_of_an_enum_has_its_label(vocabulary: str, kind: type[StrEnum]) -> None:
    assert set(LABELS[vocabulary]) == {str(value) for value in kind}


def test_every_vocabulary_that_a_template_names_exists() -> None:
    named = {
        name
        for file in templates()
        for name in re.findall(r"""\|\s*(?:zip_)?labels?\(["'](\w+)["']\)""", file.read_text())
    }
    assert named and named <= set(LABELS)


def test_every_input_and_severity_of_the_checklist_has_its_label() -> None:
    catalogue = Checklist.parse(shipped_document())
    inputs: set[str] = set()
    for item in catalogue.items:
        if item.answer.derived:
            inputs |= {one.key for one in item.answer.derived.inputs}
        for one in item.answer.record_also:
            inputs |= {one.key, *one.choices}
        assert item.how in LABELS["how"]
        assert all(level.severity in LABELS["severity"] for level in item.levels)
        assert item.text("vi") != item.text("en")
    assert inputs <= set(LABELS["input"])


def test_every_change_in_the_history_of_a_tower_has_its_label() -> None:
    recorded = {
        call.args[1].value
        for file in sources("*.py")
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "audit.record"
        and len(call.args) > 2
        and isinstance(call.args[1], ast.Constant)
        and ast.unparse(call.args[2]) == "'tower'"
    }
    assert recorded and recorded <= set(LABELS["audit_action"])


# Scripts


def test_every_text_of_the_scripts_is_in_the_file_that_they_load(tmp_path: Path) -> None:
    texts.write(tmp_path)
    written = json.loads((tmp_path / "texts.vi.json").read_text("utf-8"))
    assert set(written) == set(texts.script_texts())
    assert all(written.values())


def test_the_extraction_finds_every_call_of_the_scripts() -> None:
    calls, extracted = 0, texts.script_texts()
    for file in ROOT.glob("*/assets/**/*.js"):
        if file.name == "_texts.js":  # It defines the function.
            continue
        source = re.sub(r"^\s*//.*$", "", file.read_text("utf-8"), flags=re.MULTILINE)
        for said in re.findall(r"(?<![\w.$])_\(\s*(\S[^,)]*)", source):
            literal = re.match(r"""(["'])(.*?)\1""", source[source.index(f"_({said}") + 2 :])
            assert literal, f"{file.name}: a text is a literal, not {said}"
            assert literal[2] in extracted, f"{file.name}: {said}"
            calls += 1
    assert calls > 20


# What is written past the catalogue


def sources(pattern: str) -> list[Path]:
    return [
        file
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob(pattern))
        if "static" not in file.parts
        and "data" not in file.parts
        and not file.relative_to(ROOT).as_posix().startswith(DATA)
    ]


def templates() -> list[Path]:
    return sources("*.html")


def without_names(text: str) -> str:
    for name in NAMES:
        text = text.replace(name, "")
    return text


def literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """The strings of a program: neither docstrings nor texts marked for translation."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"N_", "_", "gettext"}:
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node


def test_no_program_holds_a_vietnamese_sentence() -> None:
    for file in [*sources("*.py"), ROOT / "app.py"]:
        for one in literals(ast.parse(file.read_text("utf-8"))):
            # A letter alone is a letter that a program speaks of.
            for word in re.findall(r"[^\W\d_]{2,}", without_names(one.value)):
                assert not VIETNAMESE.search(word), f"{file}:{one.lineno}: {one.value}"


def test_no_script_holds_a_vietnamese_sentence() -> None:
    for file in sources("*.js"):
        assert not VIETNAMESE.search(without_names(file.read_text("utf-8"))), file


EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
SHOWN_ATTRIBUTE = re.compile(r"""\b(?:aria-label|alt|title|placeholder|data-confirm)="([^"]*)\"""")
# Names of formats and units, and the name of the other language in itself.
SAME_EVERYWHERE = {
    "API", "CSV", "Excel", "GeoJSON", "YAML", "PDF", "PNG", "English", "EN", "VI", "m", "km",
    "OpenStreetMap", "FCC", "TT", "TTLT",
}  # fmt: skip


def test_no_template_holds_a_text_of_its_own() -> None:
    for file in templates():
        source = re.sub(r"{% block main_class %}\w*", "", file.read_text("utf-8"))
        source = EXPRESSION.sub(" ", source)
        source = re.sub(r"<(code|style)>.*?</\1>", " ", source, flags=re.DOTALL)
        said = SHOWN_ATTRIBUTE.findall(source) + re.sub(r"<[^>]*>", "\n", source).split("\n")
        for text in said:
            rest = re.sub(r"&\w+;", " ", without_names(text))
            words = {word for word in re.findall(r"[^\W\d_]+", rest)}
            assert words <= SAME_EVERYWHERE, f"{file}: {text.strip()}"


# Pages


TEXT_OF_PAGE = re.compile(r">([^<>]+)<")


@pytest.fixture
def english_only(vietnamese: Catalog) -> set[str]:
    """English texts that must not stand in a Vietnamese page."""
    said = {text for message in vietnamese if message.id for text in strings(message)}
    return {
        ids(message)[0]
        for message in vietnamese
        if message.id and ids(message)[0] not in said and "%(" not in ids(message)[0]
    }


PAGES = {
    "admin": ("/users", "/users/new", "/organisations", "/areas", "/areas/load",
              "/towers/reassign"),
    "staff": (
        "/checklists",
        "/", "/towers", "/towers/new", "/towers/import", "/towers/VI-1", "/towers/VI-1/edit",
        "/inspections", "/violations", "/follow-up", "/follow-up/return",
        "/exports", "/outbox", "/map", "/map/document", "/map/tower/VI-1",
        "/map/picker", "/organisations/new", "/account",
    ),
    "inspector": ("/", "/towers/VI-1", "/towers/VI-1/inspect", "/field/sign-in"),
}  # fmt: skip


@pytest.mark.parametrize("role", PAGES)
def test_a_vietnamese_page_says_nothing_in_english(
    role: str, sign_in, session: Session, english_only: set[str]
) -> None:
    makers.tower(session, code="VI-1", name="VI", commune=makers.commune(session))
    client = sign_in(role, name="VI")
    for address in PAGES[role]:
        answer = client.get(address)
        assert answer.status_code == 200, address
        page = answer.get_data(as_text=True)
        assert 'lang="vi"' in page
        assert not {text.strip() for text in TEXT_OF_PAGE.findall(page)} & english_only, address


def test_a_checklist_and_what_is_wrong_with_it_are_said_in_vietnamese(
    sign_in, session: Session, english_only: set[str], system: Actor, now: datetime
) -> None:
    publish(session, shipped_document(), by=system, now=now)
    makers.tower(session, code="VI-2", name="VI", structure_type="rooftop_guyed")
    client = sign_in("inspector", name="VI")
    begun = client.post("/towers/VI-2/inspect", data={"kind": "periodic"})
    assert begun.status_code == 302, begun.get_data(as_text=True)
    version = re.search(r'name="version" value="(\d+)"', client.get(begun.location).text)
    assert version
    answer = client.post(
        begun.location,
        data={
            "version": version[1],
            "action": "submit",
            "inspected_on": "2999-01-01",
            "value.gnd_resistance": "rất lớn",
        },
    )
    assert answer.status_code == 422
    said = {text.strip() for text in TEXT_OF_PAGE.findall(answer.text)}
    assert "Ngày kiểm tra nằm trong tương lai" in said
    assert not said & english_only


def test_a_page_that_is_refused_says_so_in_vietnamese(sign_in, english_only: set[str]) -> None:
    client = sign_in("inspector", name="VI")
    for address, status in (("/no-such-page", 404), ("/users", 403), ("/sign-out", 405)):
        answer = client.get(address)
        assert answer.status_code == status
        assert not {text.strip() for text in TEXT_OF_PAGE.findall(answer.text)} & english_only


def test_an_english_page_says_nothing_in_vietnamese(sign_in, session: Session) -> None:
    client = sign_in("admin", name="VI")
    for address in ("/", "/towers", "/users/new", "/organisations", "/account"):
        answer = client.get(f"{address}?lang=en")
        assert answer.status_code == 200
        page = answer.get_data(as_text=True)
        assert '<html lang="en">' in page
        for text in TEXT_OF_PAGE.findall(page):
            assert not VIETNAMESE.search(without_names(text)), text


def test_a_plural_reads_well_in_both_languages(app: Flask) -> None:
    late = ("%(num)s day late", "%(num)s days late")
    with force_locale("en"):
        assert [ngettext(*late, n) for n in (1, 2)] == ["1 day late", "2 days late"]
    with force_locale("vi"):
        assert [ngettext(*late, n) for n in (1, 2)] == ["quá hạn 1 ngày", "quá hạn 2 ngày"]


# Sign-in: Flask-Security has no Vietnamese, so ours must hold what its forms can say.

# Features that the service does not have; their messages cannot be shown.
OFF = {
    "REGISTERABLE": (
        "EMAIL_ALREADY_ASSOCIATED", "IDENTITY_ALREADY_ASSOCIATED", "IDENTITY_NOT_REGISTERED",
        "PHONE_INVALID", "INVALID_INPUT_LENGTH",
    ),
    "CONFIRMABLE": (
        "ALREADY_CONFIRMED", "CONFIRMATION_EXPIRED", "CONFIRMATION_REQUEST",
        "CONFIRMATION_REQUIRED", "CONFIRM_REGISTRATION", "EMAIL_CONFIRMED",
        "INVALID_CONFIRMATION_TOKEN",
    ),
    "RECOVERABLE": (
        "FORGOT_PASSWORD", "GENERIC_RECOVERY", "INVALID_RESET_PASSWORD_TOKEN", "PASSWORD_RESET",
        "PASSWORD_RESET_EXPIRED", "PASSWORD_RESET_NO_LOGIN", "PASSWORD_RESET_REQUEST",
    ),
    "PASSWORDLESS": ("INVALID_LOGIN_TOKEN", "LOGIN_EMAIL_SENT", "LOGIN_EXPIRED"),
    "UNIFIED_SIGNIN": (
        "GENERIC_US_SIGNIN", "US_CURRENT_METHODS", "US_METHOD_NOT_AVAILABLE", "US_SETUP_EXPIRED",
        "US_SETUP_SUCCESSFUL", "US_SPECIFY_IDENTITY",
    ),
    "CHANGE_EMAIL": ("CHANGE_EMAIL_CONFIRMED", "CHANGE_EMAIL_EXPIRED", "CHANGE_EMAIL_SENT"),
    "USERNAME_ENABLE": (
        "USERNAME_ALREADY_ASSOCIATED", "USERNAME_CHANGE", "USERNAME_DISALLOWED_CHARACTERS",
        "USERNAME_INVALID_LENGTH", "USERNAME_NOT_PROVIDED", "USERNAME_RECOVERY_REQUEST",
    ),
    "OAUTH_ENABLE": ("OAUTH_HANDSHAKE_ERROR",),
    "REFRESH_TOKEN": ("REFRESH_TOKEN_INVALID",),
}  # fmt: skip


def test_every_message_that_sign_in_can_show_is_translated(app: Flask) -> None:
    known = texts.catalogue("vi", "flask_security")
    off: set[str] = set()
    for feature, keys in OFF.items():
        assert not app.config.get(f"SECURITY_{feature}"), f"{feature} is on: translate its texts"
        off |= set(keys)
    assert not app.config.get("SECURITY_WEBAUTHN")
    for key, (text, _) in flask_security_core._default_messages.items():
        if key not in off and not key.startswith("WEBAUTHN_"):
            assert known.get(str(text)) is not None, f"{key}: {text}"


def test_every_page_that_flask_security_brings_is_translated() -> None:
    known = texts.catalogue("vi", "flask_security")
    folder = Path(flask_security_core.__file__).parent / "templates" / "security"
    shown = [
        text
        for name in (
            "two_factor_setup", "two_factor_verify_code", "two_factor_select", "verify",
            "mf_recovery", "mf_recovery_codes", "logout_user",
        )
        for text in re.findall(
            r"""_fsdomain\(\s*"([^"]+)\"""", (folder / f"{name}.html").read_text()
        )
    ]  # fmt: skip
    assert len(shown) > 20
    # Passkeys and sign-in through others do not exist here.
    here = [text for text in shown if not re.search("passkey|social", text, re.IGNORECASE)]
    assert not [text for text in here if known.get(text) is None]


def test_the_texts_of_flask_security_are_still_those_of_the_library() -> None:
    template = Path(flask_security_core.__file__).parent / "translations" / "flask_security.pot"
    with template.open("rb") as file:
        library = read_po(file)
    for language in ("vi", "en"):
        for message in texts.catalogue(language, "flask_security"):
            if message.id:
                assert library.get(message.id) is not None, message.id


PASSWORD = "đúng-mật-khẩu-của-tôi"


def token_of(client: FlaskClient, address: str) -> str:
    page = client.get(address).get_data(as_text=True)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]


def signed_in(app: Flask, session: Session) -> FlaskClient:
    person = makers.user(session, "staff", name="VI", password=hash_password(normalised(PASSWORD)))
    session.commit()
    client = app.test_client()
    answer = client.post(
        "/sign-in",
        data={
            "email": person.email,
            "password": PASSWORD,
            "csrf_token": token_of(client, "/sign-in"),
        },
    )
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return client


def test_a_refused_sign_in_is_explained_in_the_readers_language(client: FlaskClient) -> None:
    data = {"email": "nobody@example.org", "password": "x", "csrf_token": ""}
    for language, text in (
        ("vi", "Đăng nhập không thành công"),
        ("en", "The e-mail address or the password is wrong"),
    ):
        data["csrf_token"] = token_of(client, f"/sign-in?lang={language}")
        page = client.post(f"/sign-in?lang={language}", data=data).get_data(as_text=True)
        assert text in page


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"password": ""}, "Chưa nhập mật khẩu"),
        ({"password": "sai"}, "Mật khẩu không đúng"),
        ({"new_password_confirm": "khác"}, "Hai mật khẩu không khớp nhau"),
        ({"new_password": "ngắn", "new_password_confirm": "ngắn"}, "ít nhất 15 ký tự"),
        (
            {"new_password": PASSWORD, "new_password_confirm": PASSWORD},
            "Mật khẩu mới phải khác mật khẩu hiện tại",
        ),
        ({}, "Bạn đã đổi mật khẩu"),
    ],
)
def test_the_change_of_a_password_is_answered_in_vietnamese(
    given: dict[str, str], text: str, app: Flask, session: Session
) -> None:
    client = signed_in(app, session)
    data = {
        "password": PASSWORD,
        "new_password": "một-mật-khẩu-khác",
        "new_password_confirm": "một-mật-khẩu-khác",
        "csrf_token": token_of(client, "/password"),
        **given,
    }
    page = client.post("/password", data=data, follow_redirects=True).get_data(as_text=True)
    assert text in page
    wrong = re.findall(r'class="(?:wrong|alert)[^"]*"[^>]*>([^<]+)<', page)
    assert wrong and all(VIETNAMESE.search(one) for one in wrong)


# What our own readers say about a document that they refuse.


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"code": ', "Không đọc được JSON: có lỗi ở dòng 1, cột 10"),
        (b'{"code": "A", "code": "B"}', "một khóa xuất hiện hai lần trong cùng một đối tượng"),
        (b'{"height_m": NaN}', "có số không hữu hạn"),
        (b'{"height_m": 1e999}', "có số không hữu hạn"),
        (b'{"name": "\\u0000"}', "có văn bản chứa ký tự không lưu được"),
        (b'{"name": "\xff"}', "không phải là văn bản UTF-8"),
        (b"[" * 500, "JSON lồng nhau quá"),
    ],
)
def test_a_refused_body_is_explained_in_the_language_of_the_client(
    body: bytes, text: str, sign_in
) -> None:
    answer = sign_in("staff").post(
        "/api/v1/towers",
        data=body,
        content_type="application/json",
        headers={"Accept-Language": "vi"},
    )
    assert answer.status_code == 400
    assert text in answer.json["detail"]


def test_a_boundary_that_crosses_itself_is_named_with_the_place_alone(
    app: Flask, tmp_path: Path
) -> None:
    ring = [[105.0, 10.0], [106.0, 11.0], [106.0, 10.0], [105.0, 11.0], [105.0, 10.0]]
    feature = {
        "type": "Feature",
        "properties": {"code": "90001", "fullName": "Xã Thử"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    file = tmp_path / "xa.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(Invalid) as refused:
        read_boundaries(file, file.name, "commune", Choice())
    with force_locale("vi"):
        (said,) = field_texts(refused.value).values()
    assert said == ["Ranh giới của 90001 tự cắt gần điểm 105.5 10.5"]
