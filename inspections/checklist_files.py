"""A catalogue as a file: written as YAML or as a workbook, and read back from either.

What is read is a document for `Catalogue.parse`, which says what is wrong with it. A file cannot
name anything but plain data, and nothing in it can be larger or deeper than a catalogue is.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import xlsxwriter
import yaml

from core import confined
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.i18n import N_
from core.workbooks import OPTIONS
from inspections.rules.documents import normal, ordered

MAX_BYTES = 2_000_000
MAX_YAML_BYTES = 1_000_000
YAML_SECONDS = 10
ENDINGS = ("yaml", "yml", "xlsx")
MEDIA_TYPES = {
    "yaml": "application/yaml; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# The sheets: the column of each field with what stands in it. `one of` parts texts by commas.
TEXT, NUMBER, FLAG, TEXTS, LIMIT = "text", "number", "flag", "texts", "limit"
BETWEEN = ", "
ITEMS = {
    "key": TEXT, "group": TEXT, "vi": TEXT, "en": TEXT, "how": TEXT, "applies_to": TEXTS,
    "services": TEXTS, "min_height_m": NUMBER, "height_of": TEXT, "answer.type": TEXT,
    "answer.pass_value": TEXT, "answer.unit": TEXT, "answer.unit_en": TEXT,
    "answer.decimals": NUMBER, "answer.min": NUMBER, "answer.max": NUMBER,
    "answer.prompt.vi": TEXT, "answer.prompt.en": TEXT, "answer.derived.function": TEXT,
    "answer.risk_input_only": FLAG, "photo": TEXT, "basis": TEXT, "source": TEXT,
    "legal_basis.document": TEXT, "legal_basis.article": TEXT, "legal_basis.verified": FLAG,
    "note": TEXT, "asked_when.item": TEXT, "asked_when.input": TEXT, "asked_when.is": TEXT,
}  # fmt: skip
NUMBERS = {
    "key": TEXT, "unit": TEXT, "unit_en": TEXT, "min": NUMBER, "max": NUMBER, "one_of": TEXTS,
}  # fmt: skip
# What an item has several of: a sheet with a row for each, and where they belong in the item.
PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "levels": (
        "levels",
        {
            "severity": TEXT, "remedy_days": NUMBER, "op": TEXT, "value": LIMIT,
            "structures": TEXTS, "when.record_also": TEXT, "when.op": TEXT,
            "when.value": NUMBER, "when.if_unknown": FLAG, "basis": TEXT,
        },
    ),
    "values": ("answer.values", {"key": TEXT, "vi": TEXT, "en": TEXT}),
    "inputs": ("answer.derived.inputs", NUMBERS),
    "record_also": ("answer.record_also", NUMBERS),
}  # fmt: skip
LABELLED = {"key": TEXT, "vi": TEXT, "en": TEXT}
# What stands beside the items, by its key.
BESIDE = {
    "structure_types": {**LABELLED, "inspectable": FLAG},
    "severities": {
        **LABELLED, "default_remedy_days": NUMBER, "immediate_measures_hours": NUMBER,
    },
}  # fmt: skip
ABOUT = {"field": TEXT, "value": TEXT}
SHEETS: dict[str, dict[str, str]] = {
    "items": ITEMS,
    **{name: {"item": TEXT, **columns} for name, (_, columns) in PARTS.items()},
    "groups": LABELLED,
    **BESIDE,
    "about": ABOUT,
}
WIDE = {"vi": 48, "en": 48, "source": 40, "note": 40, "value": 24, "applies_to": 40}


def read_file(path: Path, filename: str) -> dict[str, Any]:
    """The document in a file that somebody sent; its name says which kind it is.

    Raises `UnsupportedMedia`, `TooLarge`, and `Invalid` with the place of what cannot be read.
    """
    ending = filename.lower().rpartition(".")[2]
    if ending not in ENDINGS:
        raise UnsupportedMedia(N_("A checklist is read from a file .yaml or .xlsx"))
    limit = MAX_BYTES if ending == "xlsx" else MAX_YAML_BYTES
    if path.stat().st_size > limit:
        raise TooLarge(N_("The file may have at most %(limit)s KB"), limit=limit // 1000)
    return read_workbook(path) if ending == "xlsx" else read_yaml(path)


def write_yaml(document: Mapping[str, Any]) -> bytes:
    text = yaml.dump(
        ordered(document), Dumper=DUMPER, allow_unicode=True, sort_keys=False, width=120
    )
    return text.encode()


def read_yaml(path: Path) -> dict[str, Any]:
    """The document in a file of YAML, of plain data; raises `Invalid` for anything else."""
    with closing(
        confined.answers("core.yaml_child", str(path), cpu_seconds=YAML_SECONDS, reads=(path,))
    ) as answers:
        document: Any = next(answers)
    if not isinstance(document, dict):
        raise Invalid(N_("The file is no checklist: it must begin with catalogue and version"))
    return document


def write_workbook(document: Mapping[str, Any]) -> bytes:
    """The document as a workbook with a sheet for the items and one for each thing they have."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="thap-canh-") as folder:
        book = xlsxwriter.Workbook(out, {**OPTIONS, "tmpdir": folder})
        head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        rows = _rows(normal(document))
        for name, columns in SHEETS.items():
            sheet = book.add_worksheet(name)
            for place, column in enumerate(columns):
                sheet.set_column(place, place, WIDE.get(column, 16))
                sheet.write_string(0, place, column, head)
            sheet.freeze_panes(1, 1)
            for line, row in enumerate(rows[name], 1):
                for place, (column, kind) in enumerate(columns.items()):
                    _write(sheet, line, place, row.get(column), kind, wrapped)
        book.close()
    return out.getvalue()


def _rows(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each sheet, as values by column."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SHEETS}
    for item in document["items"]:
        rows["items"].append(_flat(item))
        for name, (place, _) in PARTS.items():
            rows[name] += [{"item": item["key"], **_flat(one)} for one in _at(item, place) or ()]
    rows["groups"] = list(document["groups"])
    for name in BESIDE:
        rows[name] = [{"key": key, **ordered(one)} for key, one in ordered(document[name]).items()]
    about = {
        key: document[key]
        for key in ("catalogue", "version", "note", "evaluation")
        if key in document
    }
    rows["about"] = [{"field": key, "value": str(value)} for key, value in _flat(about).items()]
    return rows


def _write(sheet: Any, line: int, place: int, value: Any, kind: str, style: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, place, value, style)
    elif kind in {NUMBER, LIMIT} and isinstance(value, int | float):
        sheet.write_number(line, place, value, style)
    elif isinstance(value, list):
        sheet.write_string(line, place, BETWEEN.join(_plain(one) for one in value), style)
    else:
        sheet.write_string(line, place, str(value), style)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _flat(given: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A mapping by dotted names; lists of mappings are left to sheets of their own."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{before}{key}."))
        else:
            flat[f"{before}{key}"] = value
    return flat


def _at(given: Mapping[str, Any], place: str) -> Any:
    value: Any = given
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _put(target: dict[str, Any], place: str, value: Any) -> None:
    *parts, last = place.split(".")
    for key in parts:
        target = target.setdefault(key, {})
    target[last] = value


def read_workbook(path: Path) -> dict[str, Any]:
    """The document in a workbook as `write_workbook` makes it; raises `Invalid`."""
    said = confined.answers("core.workbook_child", str(path), "all", cpu_seconds=30, reads=(path,))
    with closing(said) as answers:
        names = next(answers)
        found = dict(zip(names, answers, strict=True))
    missing = [name for name in ("items", "groups", "severities", "about") if name not in found]
    if missing:
        raise Invalid(N_("The workbook has no sheet “%(sheet)s”"), sheet=missing[0])
    sheets = {
        name: list(_values(name, columns, found.get(name, []))) for name, columns in SHEETS.items()
    }
    document: dict[str, Any] = {}
    for row in sheets["about"]:
        value = row.get("value")
        if row.get("field") == "version" and value is not None and value.isdecimal():
            value = int(value[:9])
        _put(document, str(row.get("field")), value)
    document["groups"] = sheets["groups"]
    for name in BESIDE:
        document[name] = {str(row.pop("key", None)): row for row in sheets[name]}
    items: dict[str, dict[str, Any]] = {}
    for row in sheets["items"]:
        item: dict[str, Any] = {}
        for column, value in row.items():
            _put(item, column, value)
        if item.get("key") in items:
            raise Invalid(N_("The item %(key)s stands twice in the workbook"), key=item["key"])
        items[str(item.get("key"))] = item
    for name, (place, _) in PARTS.items():
        for number, row in enumerate(sheets[name], 2):
            owner = items.get(row.pop("item", ""))
            if owner is None:
                raise Invalid(
                    N_("Sheet “%(sheet)s”, row %(row)s: the item is not in the sheet “items”"),
                    sheet=name,
                    row=number,
                )
            part: dict[str, Any] = {}
            for column, value in row.items():
                _put(part, column, value)
            kept = _at(owner, place)
            if kept is None:
                _put(owner, place, kept := [])
            kept.append(part)
    document["items"] = list(items.values())
    return normal(document)


def _values(name: str, columns: Mapping[str, str], rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The rows of a sheet by column, in their types; its first row names the columns."""
    if not rows:
        return
    headers = [header.strip() for header in rows[0][1]]
    for header in headers:
        if header and header not in columns:
            raise Invalid(
                N_("Sheet “%(sheet)s”: the column “%(column)s” is not known"),
                sheet=name,
                column=header[:100],
            )
    for number, cells in rows[1:]:
        row: dict[str, Any] = {}
        for header, cell in zip(headers, cells, strict=False):
            if header and cell.strip():
                row[header] = _read(cell.strip(), columns[header])
        if row.get("op") in {"in", "outside"} and isinstance(row.get("value"), str):
            row["value"] = [_number(one) for one in _parted(row["value"])]
        if row:
            yield row
        elif any(cells):
            raise Invalid(
                N_("Sheet “%(sheet)s”, row %(row)s: values without a column"),
                sheet=name,
                row=number,
            )


def _read(text: str, kind: str) -> Any:
    if kind in {NUMBER, LIMIT}:
        return _number(text)
    if kind == FLAG:
        return {"true": True, "false": False}.get(text.lower(), text)
    return _parted(text) if kind == TEXTS else text


def _parted(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _number(text: str) -> Any:
    """A number where the text is one; else the text, of which the rules say what is wrong."""
    try:
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 16 else float(text)
    except ValueError:
        return text
