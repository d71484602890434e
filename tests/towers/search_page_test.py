"""The box of every page and the list it leads to; the API says the same."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.plans import Crowd


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return html.unescape(answer.get_data(as_text=True))


def listed(page: str) -> list[str]:
    return re.findall(r'<a class="main" href="/towers/([^"]+)"', page)


@pytest.mark.parametrize("path", ["/", "/towers", "/map", "/follow-up", "/account"])
def test_the_box_stands_on_every_page(staff: FlaskClient, path: str) -> None:
    page = text_of(staff, path)
    assert page.count('role="search"') == 1
    assert 'aria-keyshortcuts="/"' in page


def test_the_box_is_not_shown_to_who_may_not_search(app: Flask, session: Session) -> None:
    operator = doors.client_of(app, session, makers.user(session, "operator"))
    assert 'role="search"' not in text_of(operator, "/account")
    assert operator.get("/search?q=x").status_code == 403
    assert 'role="search"' not in app.test_client().get("/sign-in").get_data(as_text=True)


def test_a_code_leads_to_its_tower_and_other_texts_to_the_list(
    staff: FlaskClient, session: Session
) -> None:
    for code in ("DT-77", "DT-770", "Ab-1", "aB-1"):
        makers.tower(session, code=code)
    session.commit()
    for q, target in (
        ("DT-77", "/towers/DT-77"),
        (" dt-77 ", "/towers/DT-77"),
        ("DT-7", "/towers?q=DT-7"),
        ("ab-1", "/towers?q=ab-1"),  # two towers have it
        ("cao lãnh", "/towers?q=cao+l%C3%A3nh"),
        ("", "/towers"),
        ("\x00", "/towers"),
    ):
        answer = staff.get("/search", query_string={"q": q})
        assert (answer.status_code, answer.headers["Location"]) == (302, target), q


def test_what_is_found_nearly_is_said_on_page_api_and_in_suggestions(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="DT-1", name="Trạm Cao Lãnh")
    session.commit()
    for q, nearly in (("cao lanh", False), ("cao lanj", True)):
        page = text_of(staff, f"/towers?q={q}&lang=en")
        assert listed(page) == ["DT-1"]
        assert ("Nothing is written exactly as" in page) is nearly
        found = staff.get("/api/v1/towers", query_string={"q": q}).json
        assert ([one["code"] for one in found["items"]], found["nearly"]) == (["DT-1"], nearly)
        found = staff.get("/search.json", query_string={"q": q}).json
        assert ([one["code"] for one in found["items"]], found["nearly"]) == (["DT-1"], nearly)
        page = text_of(staff, f"/follow-up?q={q}&lang=en")
        assert ("Nothing is written exactly as" in page) is nearly


@pytest.mark.parametrize(
    "q",
    [
        "10.4603, 105.6325",
        "10°27'37\"N 105°37'57\"E",
        "X=1156833 Y=569044 KTT 105°00'",
        "X=1156833.58, Y=569044.12 (VN-2000, KTT 105-00)",
        "48P 569200 1156375",
        "POINT(105.6325 10.4603)",
        "105.6325; 10.4603",
    ],
)
def test_a_position_in_any_form_gives_the_towers_round_it(
    staff: FlaskClient, session: Session, q: str
) -> None:
    for code, latitude in (("NEAR", 10.4703), ("FAR", 10.9), ("NEXT", 10.4753)):
        makers.tower(session, code=code, latitude=latitude, longitude=105.6325)
    session.commit()
    answer = staff.get("/towers", query_string={"q": q, "lang": "en"})
    page = html.unescape(answer.get_data(as_text=True))
    assert listed(page) == ["NEAR", "NEXT", "FAR"]
    (latitude, longitude) = re.search(
        r'href="/towers/new\?latitude=([\d.]+)&longitude=([\d.]+)"', page
    ).groups()
    assert float(latitude) == pytest.approx(10.4603, abs=0.0003)
    assert float(longitude) == pytest.approx(105.6325, abs=0.0003)
    assert f'href="/map#16/{latitude}/{longitude}"' in page
    found = staff.get("/api/v1/towers", query_string={"q": q}).json["items"]
    assert [one["code"] for one in found] == ["NEAR", "NEXT", "FAR"]
    assert found[0]["distance_m"] == pytest.approx(1106, abs=40)
    suggested = staff.get("/search.json", query_string={"q": q}).json["items"]
    assert [one["code"] for one in suggested] == ["NEAR", "NEXT", "FAR"]
    assert suggested[0]["metres"] == round(found[0]["distance_m"])


def test_a_position_elsewhere_and_metres_without_a_system_are_explained(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session)
    session.commit()
    assert "lies outside the area" in text_of(staff, "/towers?q=48.8567,2.3522&lang=en")
    assert "say which coordinate system" in text_of(staff, "/towers?q=X=1156833 Y=569044&lang=en")
    assert "outside" not in text_of(staff, "/towers?q=khong co 12&lang=en")


def test_numbers_of_a_name_are_no_position(staff: FlaskClient, session: Session) -> None:
    makers.tower(session, code="DT-1", name="Trạm 10 105")
    session.commit()
    assert listed(text_of(staff, "/towers?q=10 105")) == ["DT-1"]


def test_suggestions_are_few_and_only_the_readers(app: Flask, session: Session) -> None:
    commune = makers.commune(session)
    for number in range(12):
        makers.tower(session, code=f"IN-{number:02d}", commune=commune)
        makers.tower(session, code=f"OUT-{number}")
    local = doors.client_of(
        app, session, makers.user(session, "local_officer", territories=[commune])
    )
    items = local.get("/search.json?q=thu nghiem").json["items"]
    assert [one["code"] for one in items] == [f"IN-{number:02d}" for number in range(8)]
    assert items[0]["url"] == "/towers/IN-00"
    assert local.get("/search.json?q=out").json["items"] == []
    assert local.get("/search.json").json == {"items": [], "nearly": False}
    assert app.test_client().get("/search.json?q=x").status_code == 401


def test_what_is_nearly_written_elsewhere_is_not_told(app: Flask, session: Session) -> None:
    here = makers.commune(session, code="90001")
    there = makers.commune(session, code="90002", box=(106.0, 10.0, 107.0, 11.0))
    makers.tower(session, code="IN", commune=here)
    makers.tower(session, code="OUT", name="Quzzorbel", longitude=106.5, commune=there)
    readers = {
        commune.code: doors.client_of(
            app, session, makers.user(session, "inspector", territories=[commune])
        )
        for commune in (here, there)
    }
    told = {code: one.get("/search.json?q=quzzorbol").json for code, one in readers.items()}
    assert told["90001"] == {"items": [], "nearly": False}
    assert told["90001"] == readers["90001"].get("/search.json?q=zxzxzxzx").json
    assert (len(told["90002"]["items"]), told["90002"]["nearly"]) == (1, True)
    listed = "/api/v1/towers?q=quzzorbol"
    assert [readers[code].get(listed).json["nearly"] for code in ("90001", "90002")] == [
        False,
        True,
    ]


def test_the_columns_are_those_of_the_address_else_of_the_reader(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, address="Ấp Mỹ Phú", built_year=1999)
    session.commit()
    page = text_of(staff, "/towers?lang=en")
    assert 'data-label="Owner"' in page and 'data-label="Address"' not in page
    page = text_of(staff, "/towers?lang=en&column=address&column=nonsense")
    assert 'data-label="Address"' in page and 'data-label="Owner"' not in page
    assert 'data-label="Address"' not in text_of(staff, "/towers?lang=en"), "nothing was kept"

    chosen = {"column": ["built_year", "address", "nonsense"], "next": "/towers?q=my&lang=en"}
    answer = staff.post("/towers/columns", data=chosen)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/towers?q=my&lang=en")
    page = text_of(staff, "/towers?lang=en")
    assert re.findall(r'data-label="([^"]+)"', page) == ["Address", "Year built"]
    staff.post("/towers/columns", data={**chosen, "usual": "1"})
    assert 'data-label="Owner"' in text_of(staff, "/towers?lang=en")
    answer = staff.post("/towers/columns", data={**chosen, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_every_column_can_be_shown(staff: FlaskClient, session: Session) -> None:
    from towers.browsing import COLUMNS

    makers.tower(session, condition="ok", condition_reason=None, ok_until=doors.day("2027-01-01"))
    session.commit()
    page = text_of(staff, "/towers?lang=en&" + "&".join(f"column={one}" for one in COLUMNS))
    assert len(re.findall("data-label=", page)) == len(COLUMNS)
    for shown in ("01/01/2027", "10.460000, 105.630000", "Mobile base station (BTS)"):
        assert shown in page


@pytest.mark.parametrize(("size", "rows"), [("50", 50), ("100", 100), ("200", 200), ("7", 50)])
def test_the_sizes_of_a_page(crowd: Crowd, size: str, rows: int) -> None:
    page = crowd.client.get(f"/towers?limit={size}&lang=en").get_data(as_text=True)
    assert len(listed(page)) == rows
    assert "more than 10,000 towers" in page
    assert "19,666 towers" in crowd.client.get("/towers?count=all&lang=en").get_data(as_text=True)


def test_the_heads_of_the_table_turn_the_order_round(crowd: Crowd) -> None:
    for query, head in (("", "code"), ("&sort=height", "height"), ("&sort=name", "name")):
        page = text_of(crowd.client, f"/towers?lang=en{query}")
        assert re.search(rf'aria-sort="ascending"><a href="/towers\?lang=en&sort=-{head}">', page)


@pytest.mark.parametrize(
    "query",
    [
        "bbox=1,2,3", "bbox=105,11,106,10", "bbox=nan,1,2,3", "bbox=1e999,1,2,3",
        "sort=height_m", "sort=--code", "height_from=tall", "height_from=nan",
        "built_before=12", "service=wifi", "lifecycle=gone", "managing_department=x",
        "area=105_10*106_11", "area=105_10*106_11*nan_10", "area=1_2*3_4*200_5", "area=1,2,3",
        "area=" + "*".join(f"{n / 10}_10" for n in range(300)), "inspection_due_before=soon",
        "inspection_due_before=9999-01-01", "without_commune=perhaps", "count=5",
        "limit=1001", "q=" + "x" * 201,
    ],
)  # fmt: skip
def test_a_wrong_filter_of_the_api_is_named(staff: FlaskClient, query: str) -> None:
    answer = staff.get(f"/api/v1/towers?{query}")
    assert answer.status_code == 422, answer.json
    assert query.partition("=")[0] in str(answer.json)


@pytest.mark.parametrize(
    "query",
    [
        "bbox=1,2,3", "sort=x", "height_from=tall", "height_to=1e9", "built_before=x",
        "service=wifi&lifecycle=gone", "limit=9999999999", "column=x", "commune=%00", "owner=x",
        "managing_department=x", "count=x", "area=105_10*106_11", "area=x", "area=nan_1*2_3*4_5",
        "inspection_due_before=x",
    ],
)  # fmt: skip
def test_a_wrong_filter_of_the_page_is_left_out(staff, session, query: str) -> None:
    makers.tower(session, code="DT-1")
    session.commit()
    assert listed(text_of(staff, f"/towers?{query}")) == ["DT-1"]


def test_the_api_counts_when_it_is_asked(crowd: Crowd) -> None:
    def count_of(**query: str) -> dict | None:
        return crowd.client.get("/api/v1/towers", query_string=query).json.get("count")

    assert count_of() is None
    assert count_of(count="true") == {"number": 10_000, "more": True}
    few = count_of(count="true", commune="80123")
    assert few is not None and not few["more"] and 40 <= few["number"] <= 60


def test_the_page_and_the_api_have_the_same_filters(staff, session) -> None:
    for number, facts in enumerate(
        (
            {}, {"height_m": 10}, {"services": ["radio_tv"]}, {"lifecycle": "planned"},
            {"built_year": 1990},
        )
    ):  # fmt: skip
        makers.tower(session, code=f"T-{number}", latitude=10.1 + number / 10, **facts)
    session.commit()
    for query in (
        "height_from=20", "height_to=20", "service=radio_tv", "lifecycle=planned",
        "built_before=2000", "without_commune=true", "bbox=105,10,106,10.25", "sort=-height",
        "q=t-&sort=-code",
    ):  # fmt: skip
        items = [one["code"] for one in staff.get(f"/api/v1/towers?{query}").json["items"]]
        assert listed(text_of(staff, f"/towers?{query}")) == items
        assert items
