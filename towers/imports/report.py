"""What an import says about single rows: kept as files beside the list, shown and downloaded.

Rows of any number pass through one by one. Texts are kept untranslated, with their facts.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import xlsxwriter
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.i18n import N_, translate
from towers.imports.duplicates import LIKENESS
from towers.imports.rows import RowReader

# So many rows of each kind are shown on the page; the workbook has them all.
SHOWN = 200
# The workbook has at most so many rows.
MAX_REPORTED = 200_000
# So many points are drawn on the map, the doubtful ones first.
MAX_POINTS = 5_000
# A cell of a workbook has at most so many characters.
MAX_TEXT = 32_767

WRONG, DUPLICATE, SUSPICIOUS = "wrong", "duplicate", "suspicious"
RESULTS = {
    WRONG: N_("Wrong"),
    DUPLICATE: N_("Probable duplicate"),
    SUSPICIOUS: N_("To be checked"),
}
NEAR = N_("%(metres)s m from %(code)s, which has the same owner or none")
AT_PLACE = N_("%(metres)s m from %(code)s, which has another owner: one structure or two?")
ALIKE = N_("%(metres)s m from %(code)s, whose code or name is similar")
NEAR_ROW = N_("%(metres)s m from row %(line)s, which has the same owner or none")
AT_PLACE_ROW = N_("%(metres)s m from row %(line)s, which has another owner: one structure or two?")
ALIKE_ROW = N_("%(metres)s m from row %(line)s, whose code or name is similar")


class Outcome:
    """The files of one pass over a list, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def begin(self, headers: Sequence[str]) -> None:
        """What an earlier pass said stays until this one is at its end."""
        self._keep("headers.json", json.dumps(headers))

    def _keep(self, name: str, content: str) -> None:
        """Write a file that readers see whole, now as before."""
        new = self.folder / f"{name}.new"
        new.write_text(content, encoding="utf-8")
        new.replace(self.folder / name)

    @contextlib.contextmanager
    def refused(self) -> Iterator[IO[bytes]]:
        """The file of rows that are wrong as they are read."""
        with (self.folder / "refused.jsonl").open("wb") as file:
            yield file

    def finish(self, session: Session, reader: RowReader) -> None:
        """Write everything that the page, the map and the workbook show."""
        first: dict[str, list[dict[str, Any]]] = {name: [] for name in RESULTS}
        with (
            (self.folder / "refused.jsonl").open("rb") as refused,
            (self.folder / "report.new").open("wb") as report,
        ):
            read = ((json.loads(line)["row"], line) for line in refused)
            for _, line in heapq.merge(read, _judged(session), key=lambda pair: pair[0]):
                report.write(line)
                kept = json.loads(line)
                if len(first[kept["result"]]) < SHOWN:
                    first[kept["result"]].append(kept)
        (self.folder / "refused.jsonl").unlink()
        (self.folder / "report.new").replace(self.folder / "report.jsonl")
        shown = {**first, "changes": _changes(session), "sample": _sample(session, reader)}
        self._keep("first.json", json.dumps(shown, ensure_ascii=False, default=str))
        self._keep("points.json", _points(session))

    def first(self) -> dict[str, list[dict[str, Any]]]:
        """The first rows of each kind; nothing before the list was checked."""
        return self._read("first.json") or {}

    def points(self) -> str | None:
        """The rows on the map as GeoJSON, `None` before the list was checked."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "points.json").read_text(encoding="utf-8")
        return None

    def _read(self, name: str) -> Any:
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        return None

    def rows(self) -> Iterator[dict[str, Any]]:
        with (self.folder / "report.jsonl").open("rb") as file:
            for line in file:
                yield json.loads(line)

    def workbook(self, labels: Mapping[str, str]) -> IO[bytes]:
        """The rows that something is said about, as they stood in the list, with the reasons.

        A workbook in a temporary file, at its start, in the reader's language; the caller closes
        it. `labels` name the fields of the register.
        """
        file = tempfile.TemporaryFile(prefix="rows-", suffix=".xlsx")  # noqa: SIM115
        book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        sheet = book.add_worksheet(translate(N_("Rows")))
        heading = book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1})
        headers = self._read("headers.json") or []
        titles = [translate(one) for one in (N_("Row"), N_("Result"), N_("Reason"))]
        for place, title in enumerate([*titles, *headers]):
            sheet.set_column(place, place, (8, 20, 70)[place] if place < 3 else 22)
            sheet.write_string(0, place, title[:MAX_TEXT], heading)
        sheet.freeze_panes(1, 3)
        line = 0
        for row in self.rows():
            line += 1
            if line > MAX_REPORTED:
                sheet.write_string(line, 2, translate(N_("Only the first ones are listed.")))
                break
            sheet.write_number(line, 0, row["row"])
            sheet.write_string(line, 1, translate(RESULTS[row["result"]]))
            reasons = "\n".join(explained(one, labels) for one in row["reasons"])
            sheet.write_string(line, 2, reasons[:MAX_TEXT])
            for place, cell in enumerate(row["cells"], start=3):
                if cell:
                    sheet.write_string(line, place, cell[:MAX_TEXT])
        sheet.autofilter(0, 0, max(line, 1), len(titles) + len(headers) - 1)
        book.close()
        file.seek(0)
        return file


def explained(reason: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Why, in the reader's language: the column, its value and what is said of it."""
    said = translate(reason["message"], **reason["facts"])
    column = reason["column"]
    if not column or column.startswith("_"):
        return said
    name = translate(labels.get(column, column))
    return f"{name} “{reason['value']}”: {said}" if reason["value"] else f"{name}: {said}"


def _line(number: int, cells: str, result: str, reasons: list[dict[str, Any]]) -> bytes:
    kept = {"row": number, "cells": json.loads(cells), "result": result, "reasons": reasons}
    return json.dumps(kept, ensure_ascii=False, default=str).encode() + b"\n"


def _judged(session: Session) -> Iterator[tuple[int, bytes]]:
    """What was found out about rows in the database, by their numbers."""
    rows = session.execute(
        text(
            """
            SELECT line, cells, 'wrong' AS result,
                jsonb_build_array(jsonb_build_object('column', column_name, 'value', value,
                    'message', message, 'facts', facts)) AS reasons
            FROM refused
            UNION ALL
            SELECT s.line, s.cells, 'duplicate', x.reasons
            FROM (SELECT line, cells FROM staging WHERE line IN (SELECT line FROM suspect)) s
                JOIN (
                SELECT p.line, jsonb_agg(jsonb_build_object('column', '', 'value', '',
                    'message', CASE
                        WHEN p.tower_id IS NULL AND p.near THEN cast(:near_row AS text)
                        WHEN p.tower_id IS NULL AND p.likeness >= :likeness THEN :alike_row
                        WHEN p.tower_id IS NULL THEN :at_place_row
                        WHEN p.near THEN :near
                        WHEN p.likeness >= :likeness THEN :alike ELSE :at_place END,
                    'facts', jsonb_build_object('metres', round(p.metres),
                        'code', t.code, 'line', p.other_line)) ORDER BY p.metres) AS reasons
                FROM suspect p LEFT JOIN tower t ON t.id = p.tower_id GROUP BY p.line
            ) x ON x.line = s.line
            UNION ALL
            SELECT s.line, s.cells, 'suspicious', d.reasons
            FROM staging s JOIN doubted d ON d.line = s.line
            ORDER BY line
            """
        ),
        {
            "near": NEAR,
            "alike": ALIKE,
            "at_place": AT_PLACE,
            "near_row": NEAR_ROW,
            "alike_row": ALIKE_ROW,
            "at_place_row": AT_PLACE_ROW,
            "likeness": LIKENESS,
        },
        execution_options={"yield_per": 1000},
    )
    for number, cells, result, reasons in rows:
        yield number, _line(number, cells, result, reasons)


def _changes(session: Session) -> list[dict[str, Any]]:
    """The first changed rows: what was and what will be, keys by the names they stand for."""
    if session.scalar(text("SELECT to_regclass('pg_temp.altered')")) is None:
        return []
    rows = session.execute(
        text(
            """
            SELECT a.line, t.code, a.before, a.after
            FROM altered a JOIN tower t ON t.id = a.id ORDER BY a.line LIMIT :limit
            """
        ),
        {"limit": SHOWN},
    ).mappings()
    found = [dict(row) for row in rows]
    organisations = {key: name for key, name in session.execute(ORGANISATION_NAMES)}
    communes = {key: name for key, name in session.execute(COMMUNE_NAMES)}
    named = {"owner_id": organisations, "manager_id": organisations, "commune_id": communes}
    for row in found:
        for values in (row["before"], row["after"]):
            for key in named.keys() & values.keys():
                values[key] = named[key].get(str(values[key]), values[key])
    return found


# Of those that the first changes speak about.
ORGANISATION_NAMES = text(
    """
    WITH spoken AS (SELECT before, after FROM altered ORDER BY line LIMIT 200), ids AS (
        SELECT unnest(ARRAY[before->>'owner_id', after->>'owner_id', before->>'manager_id',
            after->>'manager_id']) AS id FROM spoken
    )
    SELECT id::text, name FROM organisation WHERE id::text IN (SELECT id FROM ids)
    UNION ALL SELECT id::text, name FROM named WHERE fresh AND id::text IN (SELECT id FROM ids)
    """
)
COMMUNE_NAMES = text(
    """
    WITH spoken AS (SELECT before, after FROM altered ORDER BY line LIMIT 200), ids AS (
        SELECT unnest(ARRAY[before->>'commune_id', after->>'commune_id']) AS id FROM spoken
    )
    SELECT id::text, name FROM area WHERE id::text IN (SELECT id FROM ids)
    """
)


def _sample(session: Session, reader: RowReader) -> list[dict[str, Any]]:
    """The first good rows by field."""
    fields = ", ".join(["s.code", *(f"s.{of.name}" for of in reader.given)])
    rows = session.execute(
        text(
            f"SELECT s.line, s.lat AS latitude, s.lon AS longitude, {fields}"  # noqa: S608
            " FROM staging s ORDER BY s.line LIMIT 5"
        )
    )
    return [dict(row) for row in rows.mappings()]


def _points(session: Session) -> str:
    """Where the rows lie, as GeoJSON: all that are doubtful or changed before some new ones."""
    total = session.scalar(text("SELECT count(*) FROM judged WHERE verdict <> 'same'")) or 0
    collection = session.scalar(
        text(
            """
            WITH doubtful AS (
                SELECT j.line, s.code, s.lon AS x, s.lat AS y,
                    CASE WHEN d.line IS NULL THEN j.verdict ELSE 'suspicious' END AS verdict
                FROM judged j JOIN staging s ON s.line = j.line
                    LEFT JOIN doubted d ON d.line = j.line
                WHERE j.verdict IN ('changed', 'duplicate') OR d.line IS NOT NULL
                LIMIT :limit
            ), new AS (
                SELECT line, code, ST_X(geom), ST_Y(geom), verdict FROM judged
                WHERE verdict = 'new' AND line % :step = 0
                    AND NOT EXISTS (SELECT FROM doubted d WHERE d.line = judged.line)
                LIMIT greatest(:limit - (SELECT count(*) FROM doubtful), 0)
            )
            SELECT json_build_object('type', 'FeatureCollection', 'total', cast(:total AS bigint),
                'features', coalesce(json_agg(json_build_object('type', 'Feature',
                    'geometry', json_build_object('type', 'Point',
                        'coordinates', json_build_array(x, y)),
                    'properties', json_build_object('row', line, 'code', code,
                        'verdict', verdict)) ORDER BY line), '[]'::json))::text
            FROM (SELECT * FROM doubtful UNION ALL SELECT * FROM new) drawn
            """
        ),
        {"limit": MAX_POINTS, "step": total // MAX_POINTS + 1, "total": total},
    )
    return str(collection)
