"""Files that are no lists, or do harm: the page and the command say why, and nothing is kept."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import geofiles
from core.settings import Settings
from tests import doors, makers
from tests.browser.walk import vietnamese
from towers.imports import batches
from towers.readers import csv_lists, listing, workbooks

HEAD = "code,name,latitude,longitude\n"
GOOD = HEAD + "A-1,Một,10.5,105.5\n"
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
PLACE = "<Placemark><name>A</name><Point><coordinates>105.5,10.5</coordinates></Point></Placemark>"
ENTITIES = "The file declares XML entities or a document type, which is not taken here"
OTHER_CONTENT = "The content of the file does not fit its ending %(ending)s"


def zipped(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def workbook(**parts: str) -> bytes:
    """A workbook whose parts are these texts."""
    usual = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": "<workbook/>",
    }
    return zipped(**{**usual, **parts})


def lying() -> bytes:
    """A zip that says of its member that it is small."""
    content = zipped(**{"a.shp": b"0" * 50_000_000, "a.shx": b"", "a.dbf": b""})
    size = (50_000_000).to_bytes(4, "little")
    return content.replace(size, (10).to_bytes(4, "little"))


# What each line of the promises about files is answered with; the facts are those of the message.
FILES: dict[str, tuple[str, bytes | Callable[[], bytes], str, dict[str, object]]] = {
    "empty": ("x.csv", b"", "The file is empty: its first row must name the columns", {}),
    "only headers": ("x.csv", HEAD.encode(), "The file has no rows below its headers", {}),
    "binary": ("x.csv", b"\x00\x01\x02", "This is not a text file", {}),
    "torn utf-16": (
        "x.csv", b"\xff\xfea\x00b", "The encoding of the file is not known: save it as UTF-8", {},
    ),
    "old font": (
        "x.csv",
        b"m\xb7,t\xb8n,latitude,longitude\nA-1,Tr\xb9m \xa7\xe5ng Th\xb8p c\xb8i nh\xb8t,10,105\n",
        "The letters are those of an old Vietnamese font (TCVN3 or VNI): save as UTF-8",
        {},
    ),
    "wrong ending": ("x.exe", b"MZ", "Files that end in %(ending)s are not read here", {}),
    "no ending": ("x", b"code", "Files that end in %(ending)s are not read here", {}),
    "script": ("../../x.php", GOOD.encode(), "Files that end in %(ending)s", {}),
    "csv as workbook": ("x.xlsx", GOOD.encode(), OTHER_CONTENT, {"ending": ".xlsx"}),
    "csv as package": ("x.gpkg", GOOD.encode(), OTHER_CONTENT, {"ending": ".gpkg"}),
    "csv as kml": ("x.kml", GOOD.encode(), OTHER_CONTENT, {"ending": ".kml"}),
    "zip without a shapefile": (
        "x.zip", zipped(**{"a.txt": "x"}), "The zip has no Shapefile (.shp) in it", {},
    ),
    "zip path": (
        "x.zip",
        zipped(**{"../a.shp": "x"}),
        "The zip has a file with a path that leads out of it",
        {},
    ),
    "zip in a zip": (
        "x.zip",
        zipped(**{"a.zip": "x"}),
        "The zip has another archive in it: pack the files themselves",
        {},
    ),
    "lying zip": ("x.zip", lying, "The zip file is damaged", {}),
    "entities in kml": (
        "x.kml", b'<!DOCTYPE kml [<!ENTITY a "b">]>' + KML.format(PLACE).encode(), ENTITIES, {},
    ),
    "network link": (
        "x.kml",
        KML.format("<NetworkLink><Link><href>http://x/</href></Link></NetworkLink>").encode(),
        "The KML loads another file (NetworkLink): save the layer itself as KML",
        {},
    ),
    "entities in a workbook": (
        "x.xlsx",
        workbook(**{"xl/workbook.xml": '<!DOCTYPE x [<!ENTITY a "b">]><workbook/>'}),
        ENTITIES,
        {},
    ),
    "broken workbook": (
        "x.xlsx", workbook(), "The workbook is damaged: open it and save it again", {},
    ),
    "deep json": ("x.geojson", b"[" * 100_000, "", {}),
    "no features": (
        "x.geojson", b'{"type":"FeatureCollection","features":[]}', "", {},
    ),
}  # fmt: skip


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def message(english: str, facts: dict[str, object]) -> str:
    """The beginning of the Vietnamese text, up to the first fact that is not known here."""
    text = next((vietnamese(one) for one in catalogue_of(english)), "") if english else ""
    for name, value in facts.items():
        text = text.replace(f"%({name})s", str(value))
    return text.split("%(")[0].strip()


def catalogue_of(beginning: str) -> list[str]:
    from tests.browser.walk import catalogue

    return [one for one in catalogue() if isinstance(one, str) and one.startswith(beginning)]


def kept_folders(settings: Settings) -> set[str]:
    folder = settings.instance / "uploads"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("name", FILES)
def test_the_page_says_why_and_keeps_nothing(
    staff: FlaskClient, session: Session, settings: Settings, name: str
) -> None:
    filename, content, english, facts = FILES[name]
    data = content() if callable(content) else content
    before, folders = doors.counts(session), kept_folders(settings)
    answer = staff.post(
        "/towers/import",
        data={"file": (io.BytesIO(data), filename)},
        headers={"Accept": "application/json"},
    )
    assert 400 <= answer.status_code < 500, answer.status_code
    says = answer.get_json()["detail"]
    wanted = message(english, facts)
    assert says and says.startswith(wanted), (says, wanted)
    assert "%(" not in says
    assert doors.counts(session) == before
    assert kept_folders(settings) == folders


@pytest.mark.parametrize("name", [name for name in FILES if "ending" not in name])
def test_the_command_says_the_same(app: Flask, session: Session, tmp_path: Path, name: str) -> None:
    filename, content, english, facts = FILES[name]
    path = tmp_path / Path(filename).name
    path.write_bytes(content() if callable(content) else content)
    before = doors.counts(session)
    result = app.test_cli_runner().invoke(args=["towers", "import", str(path)])
    assert result.exit_code == 1
    assert message(english, facts) in result.output
    assert "Traceback" not in result.output
    assert doors.counts(session) == before


def refused(staff: FlaskClient, name: str, content: bytes) -> tuple[int, str]:
    answer = staff.post(
        "/towers/import",
        data={"file": (io.BytesIO(content), name)},
        headers={"Accept": "application/json"},
    )
    return answer.status_code, answer.get_json().get("detail", "")


def test_a_file_that_is_too_large(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = doors.counts(session)
    monkeypatch.setattr(batches, "MAX_BYTES", 10)
    status, says = refused(staff, "x.csv", GOOD.encode())
    assert (status, doors.counts(session)) == (413, before)
    assert "MB" in says
    monkeypatch.undo()
    for module, name, file in (
        (csv_lists, "MAX_BYTES", "x.csv"),
        (workbooks, "MAX_WORKBOOK_BYTES", "x.xlsx"),
        (geofiles, "MAX_KML_BYTES", "x.kml"),
        (geofiles, "MAX_BYTES", "x.geojson"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, 10)
            assert refused(staff, file, GOOD.encode())[0] == 413, file
    assert doors.counts(session) == before


def test_a_request_far_beyond_the_limit_is_not_read(staff: FlaskClient) -> None:
    length = str(batches.MAX_BYTES * 2)
    answer = staff.post(
        "/towers/import",
        data={"file": (io.BytesIO(GOOD.encode()), "x.csv")},
        headers={"Content-Length": length},
        environ_overrides={"CONTENT_LENGTH": length},
    )
    assert answer.status_code == 413


def test_a_list_with_too_many_rows(
    app: Flask, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_ROWS", 20)
    rows = "".join(f"A-{number},x,10.5,105.{number + 100}\n" for number in range(30))
    path = tmp_path / "x.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    result = app.test_cli_runner().invoke(args=["towers", "import", str(path)])
    assert result.exit_code == 1
    assert message("The file has more than %(limit)s rows", {"limit": 20}) in result.output
    session.commit()
    assert doors.counts(session)["tower"] == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_encoding_and_delimiter(
    app: Flask, session: Session, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    name = "Trạm Cầu Kè" if encoding not in {"cp1252", "cp1258"} else "Quán cà phê"
    lines = ["ma,ten,vi do,kinh do", f"A-1,{name},10.5,105.5"]
    path = tmp_path / "x.csv"
    path.write_bytes("\r\n".join(lines).replace(",", delimiter).encode(encoding))
    result = app.test_cli_runner().invoke(args=["towers", "import", str(path)])
    assert result.exit_code == 0, result.output
    assert "1 new" in result.output
