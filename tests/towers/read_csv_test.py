"""Reading CSV as people have it: encodings, delimiters, headers, quotes, rows unlike the others."""

from __future__ import annotations

import codecs
import csv
import io
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DomainError, Invalid, TooLarge, UnsupportedMedia
from core.settings import ROOT
from core.words import unprotected
from tests.towers.lists import raw
from towers.readers import csv_lists, listing

HEADER = "code,name,structure_type,height_m,latitude,longitude,owner"
LINE = "DT-001,Trạm Cao Lãnh,monopole,42,10.46,105.63,Viễn thông Đồng Tháp"


def read(content: str | bytes, name: str = "list.csv"):
    """The headers, rows and facts of a list."""
    data = content.encode() if isinstance(content, str) else content
    with raw(name, data) as opened:
        return opened.headers, list(opened.rows), opened.facts


def cells(content: str | bytes) -> list[list[str]]:
    return [row.cells for row in read(content)[1]]


def typed_for_windows(text: str) -> str:
    """The text as Windows-1258 keeps it: tone marks are letters of their own."""

    def split(letter: str) -> str:
        marks = unicodedata.normalize("NFD", letter)
        tone = [mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323"]
        base = unicodedata.normalize("NFC", "".join(mark for mark in marks if mark not in tone))
        return base + "".join(tone)

    kept = "ăâêôơưđĂÂÊÔƠƯĐ"
    return "".join(one if one.isascii() or one in kept else split(one) for one in text)


@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-8", b"", "UTF-8"),
        ("utf-8", b"\xef\xbb\xbf", "UTF-8"),
        ("utf-16-le", b"\xff\xfe", "UTF-16"),
        ("utf-16-be", b"\xfe\xff", "UTF-16"),
        ("utf-16-le", b"", "UTF-16"),
        ("utf-16-be", b"", "UTF-16"),
        ("cp1258", b"", "Windows-1258"),
    ],
)
def test_vietnamese_text_in_every_common_encoding(encoding, mark, said) -> None:
    text = f"{HEADER}\n{LINE}\n"
    if encoding == "cp1258":
        text = typed_for_windows(text)
    headers, (row,), facts = read(mark + text.encode(encoding))
    assert headers == tuple(HEADER.split(","))
    assert row.cells == [unicodedata.normalize("NFC", cell) for cell in LINE.split(",")]
    assert (facts.format, facts.encoding) == ("CSV", said)
    assert row.problems == ()


def test_windows_western_text_is_read_too() -> None:
    content = "code,name,latitude,longitude\nA,Café à Orléans – Žilina,10,105\n".encode("cp1252")
    _, (row,), facts = read(content)
    assert row.cells[1] == "Café à Orléans – Žilina"
    assert facts.encoding == "Windows-1252"


OLD_FONTS = {
    "TCVN3": "A,Tr¹m Cao L·nh §ång Th¸p\n",
    "TCVN3, few signs": "A,Cét Mü Thä\nB,Cét Hïng V­¬ng\nC,Cét Hé Cét\n",
    "TCVN3, capitals": "A,CéT Mü THä\nB,TR¹M T©N HéI\n",
    "VNI": "A,Traïm Cao Laõnh Ñoàng Thaùp\n",
    "VNI, few signs": "A,Coät Taân Hoäi\nB,Coät Myõ Thoï\n",
}


@pytest.mark.parametrize("rows", OLD_FONTS.values(), ids=OLD_FONTS)
def test_letters_of_old_fonts_are_named_and_not_made_a_mess_of(rows: str) -> None:
    content = "code,name\n" + rows * 5
    with pytest.raises(Invalid, match="old Vietnamese font"):
        read(content.encode("cp1252"))
    # Somebody saved it as UTF-8 as it is.
    with raw("list.csv", content.encode()) as listing:
        ((text, _),) = listing.notes
    assert "old Vietnamese font" in text


def communes() -> list[str]:
    with (ROOT / "areas/data/dong-thap-reform-2025.csv").open(encoding="utf-8") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        return sorted({row["new_name"] for row in table} | {row["old_name"] for row in table})


@pytest.mark.parametrize("encoding", ["cp1258", "utf-8"])
@pytest.mark.parametrize("before", ["", "Cột ", "Trạm BTS ", "Tự đứng, dây co "])
def test_names_in_windows_letters_are_not_taken_for_an_old_font(encoding: str, before: str) -> None:
    names = communes()
    for some in (names[at : at + 3] for at in range(0, len(names), 3)):
        content = "code;name\n" + "".join(f"A;{before}{name}\n" for name in some)
        if encoding == "cp1258":
            content = typed_for_windows(content)
        assert [row[1] for row in cells(content.encode(encoding))] == [
            unicodedata.normalize("NFC", before + name) for name in some
        ]


def test_a_row_in_other_letters_than_its_file_is_named() -> None:
    """Somebody pasted two exports together."""
    old = typed_for_windows("B,Trạm Sa Đéc,10,105\n").encode("cp1258")
    new = "A,Trạm Cao Lãnh,10,105\n".encode()
    head, plain = b"code,name,latitude,longitude\n", b"C,Tram,10,105\n"
    for content, wrong, encoding in (
        (head + new + new + old + plain + new, [4], "UTF-8"),
        (codecs.BOM_UTF8 + head + new + new + old + plain + new, [4], "UTF-8"),
        # Its mark says what the file is, however many rows are not.
        (codecs.BOM_UTF8 + head + new + old + plain + old, [3, 5], "UTF-8"),
        (head + old + new + old + plain + old, [3], "Windows-1258"),
    ):
        _, rows, facts = read(content)
        assert facts.encoding == encoding
        assert [row.number for row in rows if row.problems] == wrong
        right = [row for row in rows if not row.problems and row.cells[0] != "C"]
        assert len({row.cells[1] for row in right}) == 1
        assert right[0].cells[1] in {"Trạm Cao Lãnh", "Trạm Sa Đéc"}
        (problem,) = next(row for row in rows if row.problems).problems
        assert problem[0] == "_row" and encoding in problem[1] % problem[2]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_common_delimiter(delimiter) -> None:
    headers, (row,), facts = read(f"{HEADER}\n{LINE}\n".replace(",", delimiter))
    assert headers == tuple(HEADER.split(","))
    assert row.cells == LINE.split(",")
    assert facts.delimiter == delimiter


def test_semicolons_with_decimal_commas() -> None:
    content = "code;latitude;longitude;height_m\n" + "A;10,46;105,63;42,5\n" * 9
    assert cells(content)[0] == ["A", "10,46", "105,63", "42,5"]
    assert cells("a;10,46;105,63\nb;10,47;105,64\n")[0] == ["a", "10,46", "105,63"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending(ending) -> None:
    content = ending.join([HEADER, LINE, "", LINE.replace("001", "002"), ""])
    assert [row[0] for row in cells(content)] == ["DT-001", "DT-002"]


def test_quotes_hold_delimiters_and_line_breaks() -> None:
    content = 'code,name,latitude,longitude\nA,"Trạm ""1"", xã\nTân Thuận",10,105\n'
    assert cells(content)[0][1] == 'Trạm "1", xã\nTân Thuận'


FOUR = "code,name,latitude,longitude\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (FOUR + 'A,"Một,10,105\nB,Hai,10,105\nC,Ba,10,105\n', 2),
        (FOUR + 'A,Một,10,105\nB,"Hai,10,105\nC,Ba,10,105', 3),
        (FOUR + 'A,Một,10,105\r\n"B\r\n1",Hai,10,"105\r\nC,Ba,10,105\r\n', 4),
        ("\n" * 60 + FOUR + "A,Một,10,105\n" * 60 + 'B,Hai,10,105,"', 122),
        ('code,"name,latitude,longitude\nA,Một,10,105\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_is_named_with_its_line(content: str, line: int) -> None:
    with pytest.raises(Invalid, match="quote") as caught:
        read(content)
    assert caught.value.facts == {"row": line}


@pytest.mark.parametrize(
    ("content", "line", "swallowed"),
    [
        # Up to the quote of a later row: whole rows between, or none.
        (FOUR + 'A,"Một,10,105\nB,Hai,10,105\nC,Ba ""3"",10,105\nD,Bốn",10,105\n', 2, "B,Hai"),
        (FOUR + 'A,Một,10,105\nB,"Hai,10,105\nC,Ba",10.2,105.2\n', 3, "C,Ba"),
        (FOUR + 'A,Một,10,105\nB,"Hai,10,105\nC,"Ba",10.2,105.2\n', 3, "C,"),
        ('code;lat;lon;name\nA;10,5;105,5;"Một\nB;10,6;105,6;Hai"\n', 2, "B;10,6"),
    ],
)
def test_a_row_that_a_quote_swallowed_makes_its_row_wrong(
    content: str, line: int, swallowed: str
) -> None:
    _, rows, _ = read(content + "Z,Cuối,10,105\n".replace(",", ";" if ";" in content else ","))
    wrong = [row for row in rows if row.problems]
    assert len(wrong) == 1 and wrong[0] is not rows[-1]
    ((column, text, facts, value),) = wrong[0].problems
    assert column == "_row" and "quote" in text
    assert facts == {"line": line}
    assert swallowed in value


@pytest.mark.parametrize(
    "text",
    [
        "dòng một\ndòng hai",
        "gỉ, nghiêng, cũ\nđã nhắc, chưa sửa",
        "10.5,\n105.5",
        "Cao 42,5 m\r\nMóng 3,2 m",
        '"trong ngoặc"\n',
    ],
)
def test_line_breaks_and_commas_of_a_note_are_its_own(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["code", "name", "latitude", "longitude", "note"]])
    csv.writer(out).writerows([["A", "Một", "10.5", "105.5", text]] * 2)
    rows = read(out.getvalue())[1]
    assert [(row.cells[4], row.problems) for row in rows] == [(text.strip(), ())] * 2


def test_rows_have_the_numbers_that_an_editor_shows() -> None:
    _, rows, facts = read("code,latitude,longitude\nA,1,2\n\nB,3,4\n")
    assert [(row.number, row.cells[0]) for row in rows] == [(2, "A"), (4, "B")]
    assert facts.header_row == 1


def test_short_rows_are_filled_and_long_rows_are_marked() -> None:
    short, long, blank = read("code,latitude,longitude\nA,1\nB,1,2,extra\nC,1,2,,\n")[1]
    assert short.cells == ["A", "1", ""]
    assert [one[0] for one in long.problems] == ["_row"]
    assert (blank.cells, blank.problems) == (["C", "1", "2"], ())


# Where the columns are named


def test_titles_above_the_headers_are_passed_over() -> None:
    headers, rows, facts = read(
        "SỞ KHOA HỌC VÀ CÔNG NGHỆ,,,\nTỈNH ĐỒNG THÁP,,,\n,,,\n"
        'DANH SÁCH CỘT ĂNG-TEN,"Kèm theo Công văn số 12, ngày 01/02/2026",,\n'
        "Mã trạm,Tên trạm,Vĩ độ,Kinh độ\nA,Một,10.5,105.5\nB,Hai,10.6,105.6\n"
    )
    assert headers == ("Mã trạm", "Tên trạm", "Vĩ độ", "Kinh độ")
    assert [(row.number, row.cells[0]) for row in rows] == [(6, "A"), (7, "B")]
    assert facts.header_row == 5


def test_headers_of_two_rows_and_a_row_of_numbers() -> None:
    headers, rows, _ = read(
        "STT;Mã trạm;Tọa độ;;;;;;Chiều cao\n"
        ";;Vĩ độ;;;Kinh độ;;;\n"
        "(1);(2);(3);(4);(5);(6);(7);(8);(9)\n"
        "1;A;10;30;0;105;30;0;42\n"
    )
    assert headers[:3] == ("STT", "Mã trạm", "Tọa độ / Vĩ độ")
    assert headers[5] == "Tọa độ / Kinh độ"
    assert [row.cells[1] for row in rows] == ["A"]
    headers, rows, _ = read(
        "Mã;Vĩ độ;;;Kinh độ;;\n;Độ;Phút;Giây;Độ;Phút;Giây\nA;10;30;0;105;30;0\nB;10;31;0;105;30;0\n"
    )
    assert headers == (
        "Mã", "Vĩ độ / Độ", "Vĩ độ / Phút", "Vĩ độ / Giây",
        "Kinh độ / Độ", "Kinh độ / Phút", "Kinh độ / Giây",
    )  # fmt: skip
    assert [row.number for row in rows] == [3, 4]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (
            # The lower row knows more names than the upper one.
            [
                "STT;Mã trạm;Tên trạm;Tọa độ VN-2000 (KTT 105°45');;Thông số cột;",
                ";;;X;Y;Chiều cao;Loại cột",
            ],
            ("STT", "Mã trạm", "Tên trạm", "Tọa độ VN-2000 (KTT 105°45') / X",
             "Tọa độ VN-2000 (KTT 105°45') / Y", "Thông số cột / Chiều cao",
             "Thông số cột / Loại cột"),
        ),
        (
            ["STT;Mã trạm;Tọa độ;;;;Chiều cao", ";;VN-2000;;WGS84;;", ";;X;Y;Vĩ độ;Kinh độ;"],
            ("STT", "Mã trạm", "Tọa độ / VN-2000 / X", "Tọa độ / VN-2000 / Y",
             "Tọa độ / WGS84 / Vĩ độ", "Tọa độ / WGS84 / Kinh độ", "Chiều cao"),
        ),
        (
            # A group in a group of the same width, below more names than stand at the bottom.
            ["STT;Mã trạm;Tên trạm;Chủ sở hữu;Tọa độ;;Ghi chú", ";;;;VN-2000;;", ";;;;X;Y;"],
            ("STT", "Mã trạm", "Tên trạm", "Chủ sở hữu", "Tọa độ / VN-2000 / X",
             "Tọa độ / VN-2000 / Y", "Ghi chú"),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("numbers", ["", "(1);(2);(3);(4);(5);(6);(7)\n"])
def test_headers_of_several_rows_are_joined_wherever_most_names_stand(
    rows: list[str], names: tuple[str, ...], numbers: str
) -> None:
    titles = "SỞ KHOA HỌC VÀ CÔNG NGHỆ;;;;CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM;;\n;;;;;;\n"
    content = titles + "\n".join(rows) + f"\n{numbers}1;A;a;b;c;d;45\n2;B;a;b;c;d;46\n"
    headers, found, facts = read(content)
    assert headers == names
    assert [row.cells[1] for row in found] == ["A", "B"]
    assert facts.header_row == 3


def test_titles_right_above_the_headers_are_no_groups() -> None:
    titles = "UBND TỈNH ĐỒNG THÁP;;;Mẫu số 01;\n"
    headers, rows, facts = read(f"{titles};Mã trạm;Tên trạm;Vĩ độ;Kinh độ\n1;A;a;10,5;105,5\n")
    assert headers == ("Column 1", "Mã trạm", "Tên trạm", "Vĩ độ", "Kinh độ")
    assert (len(rows), facts.header_row) == (1, 2)


def test_a_file_without_headers_has_numbered_columns() -> None:
    headers, rows, facts = read("74167;0162290002;45;46;N\n1121219;0160230003;45;41;N\n")
    assert headers == ("Column 1", "Column 2", "Column 3", "Column 4", "Column 5")
    assert [row.number for row in rows] == [1, 2]
    assert facts.header_row is None


def test_headers_that_nobody_knows_are_headers_all_the_same() -> None:
    headers, rows, _ = read("Anlage,Standort,Nord,Ost\nA,Ulm,48.4,10.0\nB,Bonn,50.7,7.1\n")
    assert headers == ("Anlage", "Standort", "Nord", "Ost")
    assert len(rows) == 2


def test_one_row_below_its_headers_is_not_taken_for_a_second_row_of_names() -> None:
    headers, rows, _ = read("code,name,latitude,longitude,note\nA,,10.5,105.5,\n")
    assert headers == ("code", "name", "latitude", "longitude", "note")
    assert len(rows) == 1


# Cells


def test_our_mark_of_protection_is_taken_off_and_no_other_apostrophe() -> None:
    written = ["'=1+1", "'+84 277", "'-5", "'@x", "'quoted'", "''=1", "it's", "'", "'\t=x"]
    content = "code,name\n" + "".join(f'A,"{one}"\n' for one in written)
    assert [row[1] for row in cells(content)] == [
        "=1+1", "+84 277", "-5", "@x", "'quoted'", "'=1", "it's", "'", "\t=x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b",,,\n",
        b"\x00\x01\x02binary",
        b"PK\x03\x04" + b"\x00" * 30,
        b"\xff\xfec\x00o",
        b"code,name\nA,\x00\n",
        b"code,name\nA,B\xe3\n\x00",
    ],
)
def test_what_is_no_text_with_rows_is_refused(content) -> None:
    with pytest.raises(Invalid):
        read(content)


@pytest.mark.parametrize("name", ["a.xls", "a.shp", "a", "a.vrt", ".csv.exe", "a.kmz"])
def test_other_endings_are_refused(name) -> None:
    with pytest.raises(UnsupportedMedia):
        read(f"{HEADER}\n{LINE}\n", name)


def test_a_giant_cell_is_refused_with_its_row() -> None:
    with pytest.raises(Invalid, match="near row"):
        read(f"code,name,latitude,longitude\nA,{'x' * 200_000},10,105\n")


def test_a_row_without_an_end_is_refused_before_it_is_held() -> None:
    """In one line or in many, of thousands of cells or of one."""
    most = csv_lists.MAX_ROW
    for row in ("," * (most + 1), '"a\n",' * (most // 4), '"' + "x" * (most + 1)):
        with pytest.raises(Invalid, match=r"longer than any list has|near row"):
            read(f"{HEADER}\n{LINE}\n{row}")
    # Empty cells behind every row, as some programs write them, are none; others make it wrong.
    wide = "," * 2_000
    rows = read(f"{HEADER}{wide}\n{LINE}{wide}\n{LINE}{wide}x\n{LINE}{wide}\n")[1]
    assert [len(row.problems) for row in rows] == [0, 1, 0]


def test_too_many_rows_and_bytes_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(listing, "MAX_ROWS", 2)
    with pytest.raises(TooLarge):
        read("code,latitude,longitude\nA,1,2\nB,1,2\nC,1,2\n")
    monkeypatch.setattr(csv_lists, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        read(f"{HEADER}\n{LINE}\n")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_reason(content) -> None:
    try:
        read(content)
    except DomainError as error:
        assert error.message


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=20)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_what_a_spreadsheet_writes_is_read_as_it_was(rows) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["code", "name", "latitude", "longitude"])
    writer.writerows([("X", first, second, "105") for first, second in rows])

    def clean(text: str) -> str:
        text = unicodedata.normalize("NFC", text.strip())
        return unprotected(text)

    assert [row[1:3] for row in cells(out.getvalue())] == [
        [clean(first), clean(second)] for first, second in rows
    ]


def peak_of_reading(path: Path) -> int:
    """The most memory in kB that another process took to read the list."""
    program = (
        "import re, sys; from pathlib import Path; from towers.readers import opened\n"
        "with opened(Path(sys.argv[1]), 'list.csv') as listing:\n"
        "    assert sum(1 for _ in listing.rows) == int(sys.argv[2])\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    rows = path.read_bytes().count(b"\n") - 1
    asked = [sys.executable, "-c", program, str(path), str(rows)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_long_list_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    lines = [LINE.replace("001", f"{number:07d}") for number in range(150_000)]
    peaks = []
    for name, some in (("short.csv", lines[:1000]), ("long.csv", lines)):
        path = tmp_path / name
        path.write_text("\n".join([HEADER, *some, ""]), encoding="utf-8")
        peaks.append(peak_of_reading(path))
    assert peaks[1] < peaks[0] + 5_000
