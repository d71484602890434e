"""Importing lists into the real register: every row checked, all or the good ones, idempotent."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal

import pytest
import xlsxwriter
from sqlalchemy import func, select

from accounts.models import Organisation
from core import store
from core.audit import AuditEntry
from core.errors import Forbidden, Invalid
from core.geo import to_position
from core.i18n import translate
from core.policy import SYSTEM
from inspections.services import condition
from tests import makers
from tests.inspections.visits import inspected, published
from tests.towers.imported import HEADER, Imported, load, load_lines
from towers.models import Tower
from towers.services import update_tower
from towers.services.merge import merge_towers

NOW = makers.NOW
GOOD = [
    "DT-001,Trạm Cao Lãnh,monopole,42.5,10.46,105.63,Viễn thông Đồng Tháp",
    "DT-002,Trạm Sa Đéc,Tháp giàn tự đứng,60,10.29,105.76,Viễn thông Đồng Tháp",
    "DT-003,Trạm Mỹ Tho,,,10.36,106.36,",
]


run = load_lines


def counts(made: Imported) -> tuple[int, int, int, int, int]:
    return made.short


def tower(session, code: str) -> Tower:
    return session.scalars(
        select(Tower).where(Tower.code == code).execution_options(populate_existing=True)
    ).one()


def number(session) -> int:
    return session.scalar(select(func.count()).select_from(Tower))


def reasons(made: Imported) -> dict[int, tuple[str, str]]:
    """Of every wrong row the first thing that is wrong: its column and the reason."""
    return {cell.number: (cell.column, cell.reason) for cell in reversed(made.wrong)}


def test_a_list_goes_in_with_everything_it_says(session) -> None:
    commune = makers.commune(session)
    report = run(session, *GOOD)
    assert counts(report) == (3, 3, 0, 0, 0)
    first = tower(session, "DT-001")
    assert (first.name, first.structure_type, first.height_m) == (
        "Trạm Cao Lãnh",
        "monopole",
        Decimal("42.5"),
    )
    position = to_position(first.geom)
    assert (position.latitude, position.longitude) == (10.46, 105.63)
    assert first.owner.name == "Viễn thông Đồng Tháp"
    assert first.commune_id == commune.id
    assert (first.condition, first.condition_reason) == ("unchecked", "never")
    assert first.source == "list.csv"
    assert tower(session, "DT-002").structure_type == "lattice_self_support"
    third = tower(session, "DT-003")
    assert (third.structure_type, third.height_m, third.owner_id) == ("unknown", None, None)
    assert third.commune_id is None
    assert session.scalar(select(func.count()).select_from(Organisation)) == 1


def test_the_same_list_twice_changes_nothing(session) -> None:
    run(session, *GOOD)
    entries = session.scalar(select(func.count()).select_from(AuditEntry))
    again = run(session, *GOOD)
    assert counts(again) == (3, 0, 0, 3, 0)
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries
    assert {row.version for row in session.scalars(select(Tower))} == {1}


def test_a_changed_row_is_one_change_with_its_history(session) -> None:
    run(session, *GOOD)
    report = run(session, GOOD[0].replace("42.5", "48"), *GOOD[1:])
    assert counts(report) == (3, 0, 1, 2, 0)
    changed = tower(session, "DT-001")
    assert (changed.height_m, changed.version) == (Decimal("48.0"), 2)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.edit")).one()
    assert entry.object_id == str(changed.id)
    assert (entry.before["height_m"], entry.after["height_m"]) == (42.5, 48)


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("address", "Ấp 1", "Ấp 2"),
        ("note", "cũ", "mới"),
        ("built_year", "1999", "2004"),
        ("services", "bts", "bts;microwave"),
        ("host_building_height_m", "9", "12"),
        ("lifecycle", "active", "inactive"),
        ("owner", "A", "B"),
        ("structure_type", "monopole", "guyed_mast"),
    ],
)
def test_the_history_says_what_changed(session, column, before, after) -> None:
    header = f"code,latitude,longitude,{column}"
    run(session, f"A,10,105,{before}", header=header)
    assert counts(run(session, f"A,10,105,{after}", header=header)) == (1, 0, 1, 0, 0)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.edit")).one()
    key = "owner_id" if column == "owner" else column
    assert entry.before[key] != entry.after[key]


def test_a_new_life_cycle_has_no_day_unless_the_list_says_one(session) -> None:
    both = "code,latitude,longitude,lifecycle,lifecycle_since"
    run(session, "A,10,105,active,2010-01-01", "B,10,106,active,2010-01-01", header=both)
    only = run(session, "A,10,105,dismantled", "B,10,106,active", header=both.rpartition(",")[0])
    assert counts(only) == (2, 0, 1, 1, 0)
    assert only.changes[0]["after"] == {"lifecycle": "dismantled", "lifecycle_since": None}
    assert tower(session, "A").lifecycle_since is None
    assert tower(session, "B").lifecycle_since == date(2010, 1, 1)
    run(session, "A,10,105,inactive,2026-01-05", "B,10,106,dismantled,", header=both)
    assert tower(session, "A").lifecycle_since == date(2026, 1, 5)
    assert tower(session, "B").lifecycle_since is None
    assert counts(run(session, "A,10,105,inactive,", header=both)) == (1, 0, 0, 1, 0)


def test_empty_cells_and_missing_columns_keep_what_is_known(session) -> None:
    run(session, *GOOD)
    report = run(session, "DT-001,,,,10.46,105.63,")
    assert counts(report) == (1, 0, 0, 1, 0)
    assert counts(run(session, "DT-001,10.46,105.63", header="code,latitude,longitude")) == (
        1,
        0,
        0,
        1,
        0,
    )
    kept = tower(session, "DT-001")
    assert (kept.name, kept.structure_type) == ("Trạm Cao Lãnh", "monopole")


def test_a_new_tower_without_a_name_is_named_by_its_code(session) -> None:
    run(session, "DT-009,,,,10.46,105.63,")
    assert tower(session, "DT-009").name == "DT-009"


def test_a_moved_tower_gets_the_commune_of_its_new_place(session) -> None:
    west = makers.commune(session, box=(105, 10, 105.5, 11))
    east = makers.commune(session, box=(105.5, 10, 106, 11))
    run(session, "A,10.4,105.2", header="code,latitude,longitude")
    assert tower(session, "A").commune_id == west.id
    run(session, "A,10.4,105.7", header="code,latitude,longitude")
    assert tower(session, "A").commune_id == east.id
    run(session, "A,12,108", header="code,latitude,longitude")
    assert tower(session, "A").commune_id is None


BAD = {
    "no code": (",X,,,10.46,105.63,", "code"),
    "code with a blank": ("DT 1,X,,,10.46,105.63,", "code"),
    "code with a slash": ("DT/1,X,,,10.46,105.63,", "code"),
    "code too long": (f"{'D' * 65},X,,,10.46,105.63,", "code"),
    "name too long": (f"B,{'x' * 301},,,10.46,105.63,", "name"),
    "no latitude": ("B,X,,,,105.63,", "latitude"),
    "nan": ("B,X,,,NaN,105.63,", "latitude"),
    "infinite": ("B,X,,,10.46,inf,", "longitude"),
    "zero": ("B,X,,,0,0,", "latitude"),
    "swapped": ("B,X,,,105.63,10.46,", "latitude"),
    "outside": ("B,X,,,51.5,-0.12,", "latitude"),
    "metres": ("B,X,,,1156789,567890,", "latitude"),
    "formula": ("B,X,,,=10.46,105.63,", "latitude"),
    "unknown type": ("B,X,balloon,,10.46,105.63,", "structure_type"),
    "negative height": ("B,X,,-3,10.46,105.63,", "height_m"),
    "no height": ("B,X,,0,10.46,105.63,", "height_m"),
    "giant height": ("B,X,,1001,10.46,105.63,", "height_m"),
    "height in words": ("B,X,,forty,10.46,105.63,", "height_m"),
    "owner too long": (f"B,X,,,10.46,105.63,{'x' * 301}", "owner"),
    "surplus": ("B,X,,,10.46,105.63,,more", "_row"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_row_is_named_and_nothing_is_written(session, name) -> None:
    line, column = BAD[name]
    report = run(session, GOOD[0], line)
    assert counts(report) == (2, 1, 0, 0, 1)
    assert not report.written
    assert number(session) == 0
    row, problems = 3, reasons(report)
    assert set(problems) == {row}
    assert problems[row][0] == column
    assert problems[row][1] and "%(" not in problems[row][1]


@pytest.mark.parametrize("name", BAD)
def test_the_good_rows_go_in_when_the_user_chose_so(session, name) -> None:
    report = run(session, GOOD[0], BAD[name][0], GOOD[1], good_rows=True)
    assert counts(report) == (3, 2, 0, 0, 1)
    assert session.scalars(select(Tower.code).order_by(Tower.code)).all() == ["DT-001", "DT-002"]


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("built_year", "1800"),
        ("built_year", "20155"),
        ("built_year", "năm ngoái"),
        ("services", "bts;teleport"),
        ("lifecycle", "exploded"),
        ("host_building_height_m", "-1"),
    ],
)
def test_other_columns_are_checked_too(session, header, cell) -> None:
    report = run(session, f"A,10.46,105.63,{cell}", header=f"code,latitude,longitude,{header}")
    assert reasons(report)[2][0] == header
    assert number(session) == 0


def test_a_code_twice_names_the_row_of_the_first(session) -> None:
    report = run(session, GOOD[0], GOOD[1], GOOD[0].replace("Cao", "Thấp"), good_rows=True)
    assert counts(report) == (3, 2, 0, 0, 1)
    column, reason = reasons(report)[4]
    assert column == "code"
    assert "2" in reason
    assert tower(session, "DT-001").name == "Trạm Cao Lãnh"


def test_years_of_a_column_of_numbers_with_gaps_go_in(session) -> None:
    header = "code,latitude,longitude,built_year"
    lines = ["A,10.46,105.63,2015.0", "B,10°30',105°30',1998.0", "C,10.6,105.6,", "D,10,105,98.0"]
    report = run(session, *lines, header=header, good_rows=True)
    assert [(one.number, one.value) for one in report.wrong] == [(5, "98.0")]
    assert [tower(session, code).built_year for code in "ABC"] == [2015, 1998, None]


ERRORS = ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")


@pytest.mark.parametrize("workbook", [False, True], ids=["csv", "xlsx"])
def test_a_formula_that_failed_is_no_value(session, workbook: bool) -> None:
    columns = HEADER.split(",")
    right = ["A-0", "Tên", "monopole", "30", "10.5", "105.5", "#N/A"]
    wrong = list(zip((*columns[1:], "name"), (*ERRORS, "#REF!"), strict=True))
    table = [columns, right]
    for number, (column, error) in enumerate(wrong, start=1):
        cells = [f"A-{number}", *right[1:4], f"10.{number:02}", *right[5:]]
        table.append(
            [error if one == column else cell for one, cell in zip(columns, cells, strict=True)]
        )
    if workbook:
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out)
        sheet = book.add_worksheet()
        for line, cells in enumerate(table):
            for place, cell in enumerate(cells):
                if cell.startswith("#"):
                    sheet.write_formula(line, place, "=1/0", value=cell)
                else:
                    sheet.write_string(line, place, cell)
        book.close()
        report = load(session, "list.xlsx", out.getvalue(), good_rows=True)
    else:
        content = "\n".join(",".join(cells) for cells in table).encode()
        report = load(session, "list.csv", content, good_rows=True)
    said = [(one.number, one.column, one.value) for one in report.wrong]
    assert said == [(line, *one) for line, one in enumerate(wrong, start=3)]
    assert {one.reason for one in report.wrong} == {
        "Công thức trong bảng tính bị lỗi tại ô này: hãy sửa công thức hoặc để trống ô"
    }
    assert report.counts.new == 1
    assert session.scalars(select(Organisation.name)).all() == []


def test_every_problem_of_a_row_is_named(session) -> None:
    report = run(session, ",,balloon,-1,x,,")
    assert {cell.column for cell in report.wrong} == {
        "code",
        "structure_type",
        "height_m",
        "latitude",
        "longitude",
    }
    assert report.counts.bad == 1


def test_semicolons_and_decimal_commas_go_in(session) -> None:
    content = f"{HEADER}\nA,X,monopole,42.5,10.46,105.63,Y\n".replace(",", ";").replace(".", ",")
    assert counts(load(session, "a.csv", b"\xef\xbb\xbf" + content.encode())) == (1, 1, 0, 0, 0)
    made = tower(session, "A")
    assert (made.height_m, to_position(made.geom).latitude) == (Decimal("42.5"), 10.46)


@pytest.mark.parametrize(
    "name", ["=1+1", "@SUM(A1)", "-2+3", "+84", "{{31337*31337}}", makers.HOSTILE, "'; DROP"]
)
def test_formulas_and_markup_are_only_text(session, name) -> None:
    content = json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [105.63, 10.46]},
                    "properties": {"code": "A", "name": name, "owner": name},
                }
            ],
        }
    ).encode()
    assert counts(load(session, "a.geojson", content)) == (1, 1, 0, 0, 0)
    made = tower(session, "A")
    assert (made.name, made.owner.name) == (name, name)


def test_composed_and_decomposed_letters_are_one_name(session) -> None:
    import unicodedata

    line = "A,Trạm Hồng Ngự,,,10.46,105.63,Viễn thông"
    run(session, unicodedata.normalize("NFD", line))
    assert counts(run(session, line)) == (1, 0, 0, 1, 0)


def test_owners_are_made_once_whatever_their_case(session) -> None:
    known = makers.organisation(session, "Công ty Đồng Tâm", kind="operator")
    run(session, "A,X,,,10,105,CÔNG TY ĐỒNG TÂM", "B,X,,,10,106,mới", "C,X,,,10,107,Mới")
    assert tower(session, "A").owner_id == known.id
    assert tower(session, "B").owner_id == tower(session, "C").owner_id
    assert session.scalar(select(func.count()).select_from(Organisation)) == 2


def test_the_envelope_is_a_setting(session) -> None:
    line = "A,X,,,38.6,-81.3,"
    assert run(session, line).counts.bad == 1
    store.set_value(session, "envelope", [-180, -90, 180, 90], by=SYSTEM, now=NOW)
    assert counts(run(session, line)) == (1, 1, 0, 0, 0)


def test_only_staff_of_the_whole_register_import(session) -> None:
    for role in ("inspector", "admin", "local_officer", "operator"):
        with pytest.raises(Forbidden):
            run(session, GOOD[0], by=makers.actor(session, role))
    local = makers.actor(session, "staff", territories=[makers.commune(session)])
    with pytest.raises(Invalid):
        run(session, GOOD[0], by=local)
    assert counts(run(session, GOOD[0], by=makers.actor(session, "staff"))) == (1, 1, 0, 0, 0)


def test_five_thousand_rows_go_in_and_change_nothing_again(session) -> None:
    commune = makers.commune(session)
    lines = [
        f"DT-{row:05d},Trạm {row},monopole,{20 + row % 80},"
        f"{10 + row / 10_000:.4f},105.5,Chủ {row % 7}"
        for row in range(5_000)
    ]
    assert counts(run(session, *lines)) == (5000, 5000, 0, 0, 0)
    assert counts(run(session, *lines)) == (5000, 0, 0, 5000, 0)
    assert session.scalar(select(func.count()).where(Tower.commune_id == commune.id)) == 5000
    assert session.scalar(select(func.count()).select_from(Organisation)) == 7
    history = session.scalar(select(func.count()).where(AuditEntry.action == "tower.create"))
    assert history == 5000


def test_a_list_with_many_mistakes_counts_all_and_reports_the_first(session) -> None:
    lines = [f"DT-{row},X,,,0,0," for row in range(3_000)]
    report = run(session, *lines)
    assert counts(report) == (3000, 0, 0, 0, 3000)
    assert {cell.number for cell in report.wrong} == set(range(2, 202))


def test_the_sample_shows_the_first_good_rows(session) -> None:
    report = run(session, *GOOD)
    assert [row["code"] for row in report.sample] == ["DT-001", "DT-002", "DT-003"]


def test_a_call_sign_makes_a_code_of_its_own_for_every_place(session) -> None:
    for distance in ("duplicate_metres", "similar_metres", "same_place_metres"):
        store.set_value(session, distance, 0, by=SYSTEM, now=NOW)
    header = "Call Sign,Overall Height of Structure,Latitude,Longitude"
    lines = ["K1,50,10.1,105.1", "K1,60,10.2,105.2", "K1,70,10.1,105.1", "K 2,80,10.1,105.1"]
    assert counts(run(session, *lines, header=header)) == (4, 4, 0, 0, 0)
    assert counts(run(session, *lines, header=header)) == (4, 0, 0, 4, 0)
    codes = session.scalars(select(Tower.code).order_by(Tower.code)).all()
    assert codes == [
        "K1-10.10000N105.10000E",
        "K1-10.10000N105.10000E-2",
        "K1-10.20000N105.20000E",
        "K2-10.10000N105.10000E",
    ]
    assert {row.name for row in session.scalars(select(Tower))} == {"K1", "K 2"}


def test_the_list_of_the_fcc_goes_in_twice(session, reference) -> None:
    path = reference("data/towers-fcc-uls/fcc_uls_tower_2016.csv")
    lines = len(path.read_text(encoding="utf-8").splitlines()) - 1
    content = path.read_bytes()
    store.set_value(session, "envelope", [-180, -90, 180, 90], by=SYSTEM, now=NOW)
    first = load(session, path.name, content, good_rows=True)
    assert first.counts.rows == lines
    held = first.counts.duplicate
    assert first.counts.new + held + first.counts.bad == lines
    assert first.counts.bad < lines / 20
    assert 0 < held < lines / 20
    again = load(session, path.name, content, good_rows=True)
    assert counts(again) == (lines, 0, 0, first.counts.new + held, first.counts.bad)
    assert number(session) == first.counts.new
    assert set(session.scalars(select(Tower.structure_type).distinct())) == {"unknown"}


def test_a_new_structure_type_is_not_ok_on_the_strength_of_the_old_checklist(session) -> None:
    """A self-supporting tower that turns out to be guyed was never asked about its guys."""
    published(session)
    made = makers.tower(session, code="A", structure_type="lattice_self_support")
    inspected(session, made, by=makers.actor(session, "inspector"))
    assert (made.condition, made.ok_until) == ("ok", date(2031, 11, 23))
    run(session, "A,10.46,105.63,guyed_mast", header="code,latitude,longitude,structure_type")
    now_guyed = tower(session, "A")
    assert (now_guyed.condition, now_guyed.condition_reason) == ("unchecked", "incomplete")
    assert [code for code, differs in condition.recompute(session) if differs] == []


def test_where_the_list_had_its_positions_in_vn2000_they_are_kept_as_written(session) -> None:
    report = run(
        session,
        "A;Trạm;1156833,58;569044,81",
        header="Mã;Tên;X (VN-2000, KTT 105°00');Y (VN-2000, KTT 105°00')",
    )
    assert counts(report) == (1, 1, 0, 0, 0)
    made = tower(session, "A")
    assert (made.source_srid, made.source_x, made.source_y) == (5897, 569044.81, 1156833.58)
    position = to_position(made.geom)
    assert (round(position.latitude, 4), round(position.longitude, 4)) == (10.4603, 105.6325)


def test_a_row_in_other_letters_and_a_shape_that_is_no_point_are_bad_rows(session) -> None:
    content = "code,name,latitude,longitude\nA,Trạm,10.5,105.5\nC,Trạm,10.6,105.6\n".encode()
    report = load(session, "list.csv", content + b"B,Tra\xf2m,10.5,105.5\n")
    assert counts(report) == (3, 2, 0, 0, 1)
    assert reasons(report)[4][0] == "_row"
    line = {"type": "LineString", "coordinates": [[105, 10], [106, 11]]}
    feature = {"type": "Feature", "geometry": line, "properties": {"code": "A"}}
    collection = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
    report = load(session, "list.geojson", collection)
    assert reasons(report)[1] == ("_geometry", translate("The geometry is not a point"))


def test_a_list_with_a_merged_duplicate_does_not_bring_it_back(session) -> None:
    keep, drop = makers.tower(session, code="A-1"), makers.tower(session, code="A-2")
    merge_towers(session, keep, drop, by=SYSTEM, now=NOW, today=NOW.date())
    report = run(session, "A-2,Hai,monopole,30,10.5,105.5,", "A-3,Ba,monopole,30,10.6,105.6,")
    assert [(cell.number, cell.column) for cell in report.wrong] == [(2, "code")]
    assert "A-1" in report.wrong[0].reason
    assert report.counts.bad == 1


def test_a_list_with_the_code_of_before_does_not_make_a_second_tower(session) -> None:
    made = makers.tower(session, code="A-2")
    update_tower(session, made, values={"code": "A-22"}, by=SYSTEM, now=NOW)
    report = run(session, "A-2,Hai,monopole,30,10.5,105.5,", "A-3,Ba,monopole,30,10.6,105.6,")
    assert [(cell.number, cell.column) for cell in report.wrong] == [(2, "code")]
    assert "A-22" in report.wrong[0].reason
