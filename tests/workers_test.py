"""The real server under everything that is bad: its workers stay the same processes, and small.

`HOSTILE_ROUNDS=20 python -m pytest tests/workers_test.py -s` goes on for longer; the figures are
printed.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from app import create_app
from core.db import database
from core.settings import Settings
from tests import doors, hostile
from tests.authz import address, of, routes
from tests.browser.server import Server, prepared, serving
from tests.conftest import Note
from tests.soak.running import children, waited

pytestmark = pytest.mark.slow

WORKERS = 2
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "1"))
MOST_GROWTH = 200_000_000
PAGES = ("/", "/towers", "/follow-up", "/violations", "/inspections", "/map", "/notices", "/audit")
# One of each way to take JSON: a schema, a body of one's own, a list, a polygon, a phone.
JSON_RULES = (
    ("POST", "/api/v1/towers"), ("POST", "/api/v1/towers/bulk"), ("PATCH", "/api/v1/towers/<code>"),
    ("PUT", "/api/v1/towers/<code>/footprint"), ("POST", "/api/v1/inspections"),
    ("POST", "/api/v1/sync"), ("POST", "/api/v1/uploads"), ("POST", "/api/v1/campaigns/preview"),
    ("PUT", "/api/v1/checklists/<int:number>"),
)  # fmt: skip


@dataclass
class Attack:
    """A server with a world, and somebody who sends everything bad to it."""

    server: Server
    world: doors.World
    rules: set[tuple[str, str]]
    sent: int = 0

    def __post_init__(self) -> None:
        self.sessions = {role: self._session(role) for role in self.world.clients}

    def _session(self, role: str) -> requests.Session:
        made = requests.Session()
        made.trust_env = False
        token = self.world.clients[role].environ_base["HTTP_AUTHORIZATION"]
        made.headers.update({"Authorization": token, "Accept-Language": "en"})
        return made

    def ask(self, role: str, method: str, path: str, **options) -> requests.Response:
        self.sent += 1
        answer = self.sessions[role].request(
            method, self.server.url + path, timeout=60, allow_redirects=False, **options
        )
        assert answer.status_code < 500, (role, method, path, answer.status_code, answer.text)
        return answer

    def values(self, role: str) -> dict[str, object]:
        return {**of(self.world.here, self.world, role), "new": uuid.uuid4()}

    def json(self, method: str, rule: str) -> None:
        role = "inspector" if "/sync" in rule or "/uploads" in rule else "staff"
        path = address(rule, self.values(role))
        for name, (data, says) in hostile.JSON.items():
            headers = {"Content-Type": "application/json", "If-Match": "*"}
            answer = self.ask(role, method, path, data=data, headers=headers)
            if answer.status_code != 403:
                assert answer.status_code == 400, (rule, name, answer.text)
                assert answer.json()["detail"].startswith(says), (rule, name)

    def too_much(self) -> None:
        """Bodies that are too large, as such, in chunks, and by what they become."""
        kind = {"Content-Type": "application/json"}
        large = b'{"note": "' + b"x" * hostile.TOO_LARGE + b'"}'
        values = b"[" + b"[]," * 1_000_000 + b"[]]"
        for body in (large, (piece for piece in (large[:-5], large[-5:])), values):
            # What is answered before it was read may cost the connection afterwards.
            self.sessions["staff"] = self._session("staff")
            answer = self.ask("staff", "POST", "/api/v1/towers/bulk", data=body, headers=kind)
            assert answer.status_code == 413, answer.text
        self.sessions["staff"] = self._session("staff")

    def bomb(self, one: hostile.Bomb) -> None:
        values = self.values(one.role)
        answer = self.ask(
            one.role, "POST", f"{address(one.rule, values)}?lang=en",
            data={key: text.format(**values) for key, text in one.fields.items()},
            files={one.file: (one.filename, one.content())},
            headers={"If-Match": "*"} if one.tag else None,
        )  # fmt: skip
        said = unescape(answer.text)
        assert answer.status_code == one.status, (one.name, answer.status_code, said)
        assert one.says in said, (one.name, said)

    def pieces(self) -> None:
        """A photo of many pixels as phones send it, in pieces."""
        content, number = hostile.bursting_picture(), str(uuid.uuid4())
        facts = {
            "id": number, "inspection": str(self.world.here.inspection),
            "sha256": hashlib.sha256(content).hexdigest(), "byte_size": len(content),
        }  # fmt: skip
        assert self.ask("inspector", "POST", "/api/v1/uploads", json=facts).status_code == 201
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        path = f"/api/v1/uploads/{number}"
        answer = self.ask("inspector", "PATCH", path, data=content, headers=kind)
        assert answer.status_code == 413, answer.text
        assert hostile.PIXELS in answer.json()["detail"]

    def texts(self) -> None:
        """Hostile text into a tower, and back on its pages."""
        code = quote(self.world.here.tower.code, safe="")
        told = {"name": hostile.ALL[:300], "note": hostile.ALL, "landowner": hostile.ALL[:300]}
        answer = self.ask(
            "staff", "PATCH", f"/api/v1/towers/{code}", json=told, headers={"If-Match": "*"}
        )
        assert answer.status_code == 200, answer.text
        for path in (f"/towers/{code}", "/towers", f"/towers/{code}/history", "/towers.geojson"):
            page = self.ask("staff", "GET", path).text
            assert "982007569" not in page and "<script>alert" not in page, path
        for path in PAGES:
            self.ask("staff", "GET", path, params={"q": hostile.ALL, "cursor": "x", "sort": "x"})

    def round(self) -> None:
        for method, rule in JSON_RULES:
            assert (method, rule) in self.rules
            self.json(method, rule)
        self.too_much()
        for one in hostile.BOMBS:
            self.bomb(one)
        self.pieces()
        self.texts()


@pytest.fixture(scope="module")
def attack(cluster, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    folder = tmp_path_factory.mktemp("hostile")
    with prepared(cluster, migrated, "hostile", folder) as settings:
        world, rules = made_world(settings)
        with serving(settings, {}, workers=WORKERS) as server:
            waited(lambda: len(children(server.process)) == WORKERS, "all workers", 30)
            yield Attack(server, world, rules)


def made_world(settings: Settings) -> tuple[doors.World, set[tuple[str, str]]]:
    app = create_app(settings)
    with app.app_context():
        session = database().new_session()
        world = doors.world(app, session)
        session.commit()
        session.close()
        database().engine.dispose()
    return world, {(method, rule) for rule, method, _ in routes(app)}


def memory(processes: list[int]) -> list[int]:
    """Bytes that each process holds."""
    found = []
    for one in processes:
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        found.append(next(int(line.split()[1]) * 1024 for line in lines if "VmRSS" in line))
    return found


def test_the_workers_are_the_same_and_as_small_as_before(attack: Attack, figure: Note) -> None:
    for _ in range(3):
        for path in PAGES:
            attack.ask("staff" if path != "/audit" else "admin", "GET", path)
        attack.texts()
    before, held = children(attack.server.process), memory(children(attack.server.process))
    sent, begun = attack.sent, time.monotonic()
    for _ in range(ROUNDS):
        attack.round()
    after = children(attack.server.process)
    growth = [now - then for now, then in zip(memory(after), held, strict=True)]
    print(
        f"\nworkers {before} before, {after} after {attack.sent - sent} bad requests and"
        f" {ROUNDS * len(hostile.BOMBS)} harmful files in {time.monotonic() - begun:.0f} s;"
        f" memory {[one // 2**20 for one in held]} MB,"
        f" grown by {[round(one / 2**20) for one in growth]} MB"
    )
    figure("P7", "bad requests to the server", attack.sent - sent)
    figure("P7", "harmful files", ROUNDS * len(hostile.BOMBS))
    figure("P7", "workers that ended", len(set(before) - set(after)), wrong=True)
    assert after == before
    assert max(growth) < MOST_GROWTH
    # Nothing of what was decoded is still at work.
    assert [one for worker in after for one in children(worker)] == []
