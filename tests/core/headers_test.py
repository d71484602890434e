"""Security headers on every answer, documents that fit their policy, and no other host anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.dist import DIST
from core.settings import ROOT, Settings
from tests import doors, makers
from tests.conftest import Note
from tests.core.guard_test import address, ask, missing, of, routes

pytestmark = pytest.mark.slow

BUILT = ROOT / "core" / "static" / "dist"
MAPS = (
    "/map/document", "/map/picker", "/map/places", "/map/tower/TRU-here", "/map/area/1",
    "/map/choose", "/map/campaign/00000000-0000-0000-0000-000000000007",
)  # fmt: skip
MAP_RULES = {
    *MAPS, "/map/tower/<code>", "/map/area/<int:area_id>", "/map/import/<uuid:batch_id>",
    "/map/campaign/<uuid:campaign_id>", "/map/towers.html",
}  # fmt: skip


@pytest.fixture(scope="module")
def built() -> Path:
    """The assets as the build makes them; built where nobody has yet."""
    if not (BUILT / "core-app.js").exists():
        node = shutil.which("node")
        if node is None or not (ROOT / "node_modules").exists():
            pytest.fail("the assets are not built, and cannot be: run `make`")
        subprocess.run([node, "core/assets/build.mjs"], cwd=ROOT, check=True, timeout=120)
    return BUILT


def directives(policy: str) -> dict[str, set[str]]:
    parts = [one.split() for one in policy.split(";") if one.strip()]
    return {part[0]: set(part[1:]) for part in parts}


class Parts(HTMLParser):
    """What a browser would run, style or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.inline_scripts: list[str] = []
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.styles = 0
        self._script: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.styles += "style" in given or tag == "style"
        for name in ("src", "href", "action", "data", "poster", "formaction"):
            if given.get(name):
                self.addresses.append(str(given[name]))
        if tag == "script":
            self._script = given

    def handle_data(self, data: str) -> None:
        if self._script is not None and "src" not in self._script:
            self.inline_scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None


def parts(page: str) -> Parts:
    found = Parts()
    found.feed(page)
    return found


def check_headers(response, rule: str) -> None:
    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff", rule
    assert headers["X-Frame-Options"] == "SAMEORIGIN", rule
    assert headers["Referrer-Policy"] == "same-origin", rule
    assert headers["Permissions-Policy"] == "geolocation=(self), camera=(self)", rule
    assert headers["X-Request-Id"], rule
    assert len(headers.getlist("Content-Security-Policy")) == 1, rule
    policy = directives(headers["Content-Security-Policy"])
    assert policy["default-src"] in ({"'self'"}, {"'none'"}), rule
    assert policy["frame-ancestors"] == {"'self'"}, rule
    assert policy["base-uri"] == {"'none'"}, rule
    assert "'unsafe-inline'" not in policy["script-src"], rule
    assert "'unsafe-eval'" not in policy["script-src"], rule
    if not rule.startswith(("/static", "/fs-static")):
        cache = headers["Cache-Control"]
        assert "private" in cache or "no-store" in cache, (rule, cache)
        vary = {word.strip() for word in ", ".join(headers.getlist("Vary")).split(",")}
        assert {"Cookie", "Authorization"} <= vary, rule


def test_every_answer_carries_the_headers_and_every_page_fits_them(
    app: Flask, world: doors.World, built: Path, figure: Note
) -> None:
    """One walk for all: no inline script, no handler, no other host, no icon that is not there."""
    icons = set(re.findall(r'<symbol[^>]*id="([^"]+)"', (built / "icons.svg").read_text("utf-8")))
    assert icons
    stranger = app.test_client()
    pages = answers = 0
    walked = routes(app)
    for rule, method, endpoint in walked:
        check_headers(ask(stranger, method, address(rule, missing())), rule)
        answers += 1
        if method != "GET":
            continue
        for role in ("staff", "admin", "inspector"):
            values = of(world.here, world, role)
            if rule.startswith("/api/v1/areas"):
                values["code"] = "90001"
            response = world[role].get(address(rule, values))
            check_headers(response, rule)
            answers += 1
            if response.mimetype != "text/html" or endpoint in {"static", "security.static"}:
                continue
            page = response.get_data(as_text=True)
            used = set(re.findall(r"icons\.svg#([\w-]+)", page))
            assert used <= icons, (rule, used - icons)
            if rule not in MAP_RULES:
                check_page(page, rule)
                pages += 1
    figure("P13", "rules and methods", len(walked))
    figure("P13", "answers with all headers", answers)
    figure("P13", "pages without inline script, handler or other host", pages)
    assert pages > 30
    for path in ("/nowhere", "/api/v1/nowhere", "/static/nowhere.js"):
        check_headers(world["staff"].get(path), path)


def check_page(page: str, rule: str) -> None:
    found = parts(page)
    assert found.inline_scripts == [], rule
    assert found.handlers == [], rule
    for place in found.addresses:
        assert not re.match(r"(?i)(https?:|//|javascript:)", place), (rule, place)


def test_over_https_cookies_are_secure_and_the_host_is_remembered(
    app: Flask, settings: Settings
) -> None:
    from app import create_app

    secure = create_app(replace(settings, https=True))
    secure.extensions["database"].sessions = app.extensions["database"].sessions
    secure.test_client_class = app.test_client_class
    response = secure.test_client().get("/sign-in", base_url="https://localhost")
    remembered = response.headers["Strict-Transport-Security"]
    assert remembered == "max-age=31536000; includeSubDomains"
    cookies = response.headers.getlist("Set-Cookie")
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
    # The prefix holds only for a cookie of this host and of all of its paths.
    (signed,) = [cookie for cookie in cookies if cookie.startswith("__Host-session=")]
    assert "Path=/" in signed and "Domain" not in signed


@pytest.mark.parametrize("path", MAPS)
def test_a_map_document_fits_its_own_policy(world: doors.World, path: str) -> None:
    response = world["staff"].get(path)
    policy = directives(response.headers["Content-Security-Policy"])
    assert policy["default-src"] == {"'none'"}
    found = parts(response.get_data(as_text=True))
    assert found.inline_scripts
    for script in found.inline_scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy["script-src"]
    assert len(policy["script-src"]) == len(found.inline_scripts) + 1
    assert found.handlers == []
    for place in found.addresses:
        assert place.startswith(f"{DIST}/"), place
    assert "http:" not in response.get_data(as_text=True).replace("http://www.w3.org/", "")


def test_every_address_of_a_page_is_served(app: Flask, world: doors.World, built: Path) -> None:
    seen: set[str] = set()
    for path in ("/", "/towers", "/towers/TRU-here", "/map", "/towers/new", "/follow-up",
                 "/api/docs", "/sign-in", *MAPS):  # fmt: skip
        found = parts(world["staff"].get(path).get_data(as_text=True))
        seen |= {place.partition("#")[0] for place in found.addresses if "/static/" in place}
    assert seen
    for place in sorted(seen):
        assert app.test_client().get(place).status_code == 200, place


# Where an asset would make a browser ask another host: not the names of XML spaces or licences.
FETCHES = re.compile(
    r"""(?ix) url\(\s*['"]?(?:https?:)?//
    | @import\s+(?:url\()?['"]?(?:https?:)?//
    | \bsrc\s*=\s*\\?['"](?:https?:)?// | <link[^>]{0,200}href\s*=\s*\\?['"](?:https?:)?//
    | (?:fetch|importScripts|import)\(\s*['"`](?:https?:)?//
    """
)


def test_no_asset_asks_another_host(built: Path) -> None:
    looked = 0
    for path in sorted(built.rglob("*")):
        # The documentation page shows links that a reader may follow; it fetches nothing.
        if path.suffix in {".js", ".css", ".svg", ".html"} and "swagger" not in path.name:
            text = path.read_text(encoding="utf-8")
            assert not FETCHES.search(text), (path, FETCHES.search(text))
            looked += 1
    assert looked >= 5


def test_what_is_shown_once_is_not_kept_by_the_browser(app: Flask, session: Session) -> None:
    admin = doors.browser_of(app, session, makers.user(session, "admin"))
    person = makers.user(session, "staff")
    session.commit()
    for response in (
        admin.post(f"/users/{person.id}/link", data={"show": "1"}),
        admin.post("/account/tokens", data={"name": "x"}),
    ):
        assert response.status_code == 200
        assert "no-store" in response.headers["Cache-Control"]


def test_files_of_ours_are_kept_for_good_and_other_versions_still_answer(
    app: Flask, session: Session, built: Path
) -> None:
    """A page names some ten of them: nobody has to ask whether they are still the same."""
    client = doors.signed_in(app, doors.with_password(session, "staff").email)
    kept = client.get(f"{DIST}/core-app.css")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert not {"Vary", "Set-Cookie"} & set(kept.headers.keys())
    earlier = client.get("/static/0123456789ab/dist/core-app.css")
    assert (earlier.status_code, earlier.data) == (200, kept.data)
    assert "no-cache" in earlier.headers["Cache-Control"]
    for path in (f"{DIST}/none.css", "/static/x/none.css", "/static/x/../dist.py"):
        missing_file = client.get(path)
        assert missing_file.status_code == 404
        assert "immutable" not in missing_file.headers.get("Cache-Control", "")
