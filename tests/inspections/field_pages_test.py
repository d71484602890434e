"""What a phone keeps of the field app: the same for everybody, whole, and nothing of anybody."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
from flask import Flask

from core.dist import DIST, FOLDER
from core.settings import ROOT
from inspections.labels import VOCABULARIES
from towers.labels import VOCABULARIES as TOWER_VOCABULARIES


def test_the_page_is_the_same_bytes_for_everybody(app: Flask, sign_in) -> None:
    stranger = app.test_client().get("/field")
    inspector = sign_in("inspector", name="Nguyễn Thị Kiểm").get("/field")
    assert stranger.status_code == inspector.status_code == 200
    assert stranger.data == inspector.data
    assert "Set-Cookie" not in stranger.headers
    assert "no-cache" in stranger.headers["Cache-Control"]


def test_the_worker_looks_after_the_page_and_keeps_what_is_there(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/field/worker.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Service-Worker-Allowed"] == "/field"
    assert "no-cache" in answer.headers["Cache-Control"]
    script = answer.get_data(as_text=True)
    assert "__DIST__" not in script and "__SHELL__" not in script
    kept = set(re.findall(rf'url:"({re.escape(DIST)}/[^"]+)"', script))
    assert len(kept) > 12
    for address in kept:
        assert (FOLDER / address.removeprefix(DIST.removesuffix("/dist") + "/")).is_file(), address
    # What the page and its scripts load themselves is among it.
    page = client.get("/field").get_data(as_text=True)
    assert set(re.findall(rf'"({re.escape(DIST)}/[^"]+)"', page)) <= kept


def test_the_manifest_makes_an_app_of_it(app: Flask) -> None:
    manifest = app.test_client().get("/field/manifest.json").get_json()
    assert manifest["start_url"] == manifest["scope"] == "/field"
    assert manifest["display"] == "standalone"
    assert (FOLDER / "dist/logo.svg").is_file()


def test_the_phone_uses_the_words_of_the_service() -> None:
    module = (ROOT / "inspections/assets/field/words.js").as_uri()
    done = subprocess.run(
        [Path(sys.executable).parent / "node", "--input-type=module", "-e",
         f'import {{ WORDS }} from "{module}"; console.log(JSON.stringify(WORDS));'],
        capture_output=True, check=True,
    )  # fmt: skip
    words = orjson.loads(done.stdout)
    ours = {**TOWER_VOCABULARIES, **VOCABULARIES}
    assert words == {name: ours[name] for name in words}


def test_the_phone_hashes_a_body_as_the_service_does() -> None:
    from inspections.services.sync import content_hash

    body = {
        "id": "6f0c", "z": {"é": [1, 0.1, 10.4603, -3, 1e-7, 123456.75], "a": None, "B": True},
        "text": "Trạm “Đồng Tháp”\n\t\\ \u0007 \U0001f4f7 \u2028", "empty": {}, "none": [],
    }  # fmt: skip
    module = (ROOT / "inspections/assets/field/receipts.js").as_uri()
    script = f"""
    globalThis.indexedDB = undefined;
    import {{ readFileSync }} from "node:fs";
    const {{ contentHash }} = await import("{module}");
    console.log(await contentHash(JSON.parse(readFileSync(0, "utf8"))));
    """
    done = subprocess.run(
        [Path(sys.executable).parent / "node", "--input-type=module", "-e", script],
        input=orjson.dumps(body), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == content_hash(body).hex()


def test_the_way_round_is_short() -> None:
    """Towers along a river, given in disorder, are gone along one after the other."""
    module = (ROOT / "inspections/assets/field/route.js").as_uri()
    script = f"""
    import {{ ordered }} from "{module}";
    const at = (x) => ({{ latitude: 10 + x / 100, longitude: 105, x }});
    const {{ way, metres }} = ordered(at(0), [5, 2, 9, 1, 7, 3, 8, 4, 6].map(at));
    const two = ordered(at(0), [at(-1), at(3), at(2), at(-2)]);
    console.log(JSON.stringify([way.map((one) => one.x), metres, two.metres]));
    """
    done = subprocess.run(
        [Path(sys.executable).parent / "node", "--input-type=module", "-e", script],
        capture_output=True, check=True,
    )  # fmt: skip
    way, metres, both_ways = orjson.loads(done.stdout)
    assert way == list(range(1, 10))
    assert abs(metres - 9 * 1111.95) < 10
    assert both_ways < 7.1 * 1112


def test_nothing_is_let_go_without_a_receipt_of_all_of_it() -> None:
    module = (ROOT / "inspections/assets/field/receipts.js").as_uri()
    script = f"""
    const {{ contentHash, doubt }} = await import("{module}");
    const row = {{ id: "one", body: {{ id: "visit", answers: {{ a: 1 }} }} }};
    const photos = [{{ id: "p", sha256: "aa" }}, {{ id: "q", sha256: "bb" }}];
    const safe = photos.map((one) => ({{ ...one, state: "safe" }}));
    const whole = {{ operation: "one", complete: true, signature: "s", photos: safe,
      content_sha256: await contentHash(row.body) }};
    const cases = [
      whole, null, {{ ...whole, complete: false }}, {{ ...whole, signature: "" }},
      {{ ...whole, operation: "two" }}, {{ ...whole, content_sha256: "00" }},
      {{ ...whole, photos: safe.slice(1) }},
      {{ ...whole, photos: [safe[0], {{ ...safe[1], sha256: "cc" }}] }},
      {{ ...whole, photos: [safe[0], {{ ...safe[1], state: "waiting" }}] }},
    ];
    const found = [];
    for (const one of cases) found.push(await doubt(row, photos, one));
    console.log(JSON.stringify(found.map((one) => one === "")));
    """
    done = subprocess.run(
        [Path(sys.executable).parent / "node", "--input-type=module", "-e", script],
        capture_output=True, check=True,
    )  # fmt: skip
    assert orjson.loads(done.stdout) == [True, *[False] * 8]
