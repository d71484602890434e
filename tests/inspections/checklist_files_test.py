"""A checklist leaves as a file and comes back unchanged; a harmful or wrong file is refused."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import confined, yaml_child
from core.confined_child import Refused
from core.errors import Invalid, TooLarge, UnsupportedMedia
from inspections import checklist_files as files
from inspections.rules.catalogue import Catalogue, CatalogueError
from inspections.rules.documents import differences, normal, ordered
from inspections.services.checklists import shipped_document

WRITE = {"yaml": files.write_yaml, "xlsx": files.write_workbook}


def written(document: dict[str, Any], ending: str, folder: Path) -> Path:
    path = folder / f"checklist.{ending}"
    path.write_bytes(WRITE[ending](document))
    return path


@pytest.mark.parametrize("ending", ["yaml", "xlsx"])
def test_export_and_import_change_nothing(ending: str, tmp_path: Path) -> None:
    document = shipped_document()
    back = files.read_file(written(document, ending, tmp_path), f"x.{ending}")
    assert not differences(document, back)
    assert normal(back) == normal(document)
    assert len(Catalogue.parse(back).items) == 52


def test_a_document_is_written_in_the_order_in_which_people_read_it() -> None:
    document = shipped_document()
    shuffled = {key: document[key] for key in sorted(document)}
    text = files.write_yaml(shuffled).decode()
    assert text.startswith("catalogue: tower-safety-checklist\nversion: 1\nnote:")
    assert list(ordered(shuffled["items"][0]))[:4] == ["key", "group", "vi", "en"]
    assert "Lún lệch giữa các chân" in text


def test_the_workbook_has_numbers_as_numbers_and_no_formula(tmp_path: Path) -> None:
    document = shipped_document()
    document["items"][0]["note"] = '=HYPERLINK("http://evil.example")'
    data = written(document, "xlsx", tmp_path).read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(data))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    levels = book["levels"]
    head = [cell.value for cell in levels[1]]
    first = dict(zip(head, [cell.value for cell in levels[2]], strict=True))
    assert (first["item"], first["op"], first["value"]) == ("fnd_settlement", ">", 10)
    back = files.read_file(written(document, "xlsx", tmp_path), "x.xlsx")
    assert back["items"][0]["note"] == document["items"][0]["note"]


TEXTS = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1)
    .map(str.strip)
    .filter(bool)
)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(
    -1e9, 1e9, allow_nan=False, allow_infinity=False, width=32
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TEXTS, TEXTS, NUMBERS, st.sampled_from(["yaml", "xlsx"]))
def test_any_text_and_number_survives(tmp_path: Path, vi, en, limit, ending) -> None:
    document = shipped_document()
    document["items"][0].update(vi=vi[:500].strip(), en=en[:500].strip(), source=vi)
    document["items"][0]["levels"][0]["value"] = limit
    back = files.read_file(written(document, ending, tmp_path), f"x.{ending}")
    before, after = document["items"][0], back["items"][0]
    assert [before[key] for key in ("vi", "en", "source")] == [
        after[key] for key in ("vi", "en", "source")
    ]
    # A spreadsheet has 15 digits.
    assert after["levels"][0]["value"] == pytest.approx(limit, rel=1e-14)


def changed(path: Path, sheet: str, change) -> Path:
    book = openpyxl.load_workbook(path)
    change(book[sheet])
    book.save(path)
    return path


def test_an_edit_in_the_spreadsheet_is_the_only_change(tmp_path: Path) -> None:
    document = shipped_document()
    path = changed(
        written(document, "xlsx", tmp_path), "items", lambda sheet: sheet.cell(2, 3, "Lún móng")
    )
    found = differences(document, files.read_file(path, "x.xlsx"))
    assert [(one.key, [each.field for each in one.fields]) for one in found.items] == [
        ("fnd_settlement", ["vi"])
    ]


@pytest.mark.parametrize(
    ("sheet", "change", "said"),
    [
        ("items", lambda s: s.cell(1, 1, "code"), "code"),
        ("items", lambda s: s.cell(3, 1, "fnd_settlement"), "fnd_settlement"),
        ("levels", lambda s: s.cell(2, 1, "nobody"), "levels"),
        ("groups", lambda s: s.cell(1, 4, "colour"), "colour"),
    ],
)
def test_a_wrong_sheet_is_refused_by_its_place(
    app: Flask, tmp_path: Path, sheet, change, said
) -> None:
    path = changed(written(shipped_document(), "xlsx", tmp_path), sheet, change)
    with app.test_request_context(), pytest.raises(Invalid) as caught:
        files.read_file(path, "x.xlsx")
    assert said in str(caught.value.facts)


def test_a_wrong_cell_is_told_by_the_code_of_its_item(tmp_path: Path) -> None:
    path = changed(
        written(shipped_document(), "xlsx", tmp_path), "levels", lambda s: s.cell(2, 5, "mười")
    )
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse(files.read_file(path, "x.xlsx"))
    assert [one.where for one in caught.value.problems] == ["fnd_settlement"]


HARMFUL = {
    "alias": b"catalogue: &a [x]\nversion: *a\n",
    "bomb": b"a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
    "object": b"!!python/object/apply:os.system ['true']\n",
    "tag": b"catalogue: !!set {a, b}\n",
    "deep": b"[" * 30 + b"]" * 30,
    "very deep": b"[" * 300_000,
    "blocks": b"- " * 100_000,
    "key twice": b"catalogue: a\ncatalogue: b\n",
    "key no text": b"catalogue: a\n1: b\n",
    "key a list": b"? [a]\n: b\n",
    "a date": b"catalogue: 2026-01-01\n",
    "nul": b'catalogue: "\\0"\n',
    "surrogate": b'catalogue: "\\ud800"\n',
    "merge": b"<<: {a: 1}\nb: 2\n",
    "not utf-8": b"catalogue: \xff\xfe\n",
    "no mapping": b"- a\n- b\n",
    "text": b"just a text",
    "empty": b"",
    "broken": b"catalogue: [a\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "infinite": b"version: .inf\ncatalogue: x\n",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_yaml_is_refused(name: str) -> None:
    with pytest.raises((Refused, CatalogueError)):
        Catalogue.parse(yaml_child.document(HARMFUL[name]))


def test_yaml_is_read_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is wrong, and what takes minutes ends there."""
    path = tmp_path / "x"
    for name, says in (
        ("alias", "an anchor or alias in line 1"),
        ("a date", "“/catalogue”"),
        ("infinite", "too large"),
        ("no mapping", "no checklist"),
    ):
        path.write_bytes(HARMFUL[name])
        with pytest.raises(Invalid) as caught:
            files.read_file(path, "x.yaml")
        assert says in caught.value.message % caught.value.facts
    monkeypatch.setattr(files, "YAML_SECONDS", 1)
    path.write_bytes(b"catalogue: x\nversion: 1" + b":1" * 400_000)
    with pytest.raises(Invalid) as caught:
        files.read_file(path, "x.yaml")
    assert caught.value.message == confined.TOO_LONG


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_reader_of_yaml(data: bytes) -> None:
    try:
        yaml_child.document(data)
    except Refused as error:
        assert error.status == 422


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a workbook"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(Invalid):
        files.read_file(path, "x.xlsx")


def test_a_large_file_and_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"#" * (files.MAX_YAML_BYTES + 1))
    with pytest.raises(TooLarge):
        files.read_file(path, "x.yaml")
    with pytest.raises(UnsupportedMedia):
        files.read_file(path, "x.exe")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(each for key, one in inner for each in places(one, (*path, key)))]


DOCUMENT = normal(shipped_document())
PLACES = [path for path in places(DOCUMENT) if path]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_whatever_stands_in_a_document_is_read_or_refused(path, value) -> None:
    document = copy.deepcopy(DOCUMENT)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    try:
        Catalogue.parse(document)
    except CatalogueError as error:
        assert error.problems
        assert str(error)
