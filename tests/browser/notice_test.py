"""A walk notices what it looks for: each fault of a faulty page, and nothing of a sound one."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

SOUND = """<!doctype html><html lang="vi"><meta charset="utf-8">
<title>Trang · Tháp Canh</title><h1>Trang</h1>
<label for="a">Tên</label><input id="a"><a href="/x">Xem</a>"""

FAULTY = {
    '<input name="q">': "a field without a label",
    '<a href="/x"></a>': "nothing to read on it",
    '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">': "an image without alt",
    '<iframe src="about:blank"></iframe>': "a frame without a title",
    '<p id="a"></p>': "an id twice",
    '<label for="b">Mã</label>': "a label of nothing",
    '<div style="width: 3000px">rộng</div>': "wider than 1280 px",
    '<svg><use href="#none"></use></svg>': "an empty sign",
    "<h1>Trang khác</h1>": "its main headings are",
    "<script>console.warn('cảnh báo')</script>": "console warning",
    "<script>nothing.at.all</script>": "script error",
    '<img alt="" src="https://elsewhere.example/a.png">': "a request to another host",
    '<link rel="stylesheet" href="/static/x/dist/missing.css">': "console error",
    "<script type=module>await fetch('/missing')</script>": "404 GET",
}


def test_walk_notices_faults(walk, register):
    one = walk(register, "vi")
    one.page.route("https://elsewhere.example/**", lambda route: route.abort())
    given = [SOUND]
    one.page.route(
        "**/faulty", lambda route: route.fulfill(body=given[0], content_type="text/html")
    )
    one.open("/faulty")
    one.look("sound")
    assert one.troubles == []
    for fault, text in FAULTY.items():
        given[0] = SOUND + fault
        one.open("/faulty")
        one.look("faulty")
        assert any(text in trouble for trouble in one.troubles), (fault, one.troubles)
        one.troubles.clear()
    for changed, text in (("<title>", "the title is"), ('lang="vi"', "another language")):
        given[0] = SOUND.replace(changed, "")
        one.open("/faulty")
        one.look("faulty")
        assert any(text in trouble for trouble in one.troubles), (changed, one.troubles)
        one.troubles.clear()
