"""Phones in the field and the service that they work for, for the tests of the field app."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from PIL import Image
from playwright.sync_api import ConsoleMessage, Request, expect
from sqlalchemy import create_engine, text

from app import create_app
from core.cluster import PrivateCluster
from core.db import database
from tests.browser.server import PASSWORD, Server, commands, free_port, prepared, serving
from tests.browser.walk import Walk

PEOPLE = (
    ("anna@example.org", "Nguyễn Thị An", "inspector"),
    ("binh@example.org", "Trần Văn Bình", "inspector"),
    ("staff@example.org", "Trần Văn Sở", "staff"),
)
TOWERS = """code,name,structure_type,height_m,latitude,longitude,owner,services
FIELD-1,Trạm ven sông,guyed_mast,42,10.4604,105.6325,,bts
FIELD-2,Trạm cầu,lattice_self_support,60,10.4650,105.6400,,bts
FIELD-3,<img src=x onerror=alert(1)> ${alert(2)},monopole,30,10.5000,105.7000,,bts
"""


class Service:
    """The service of these tests: it can be stopped, and started again where it was."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.port = free_port()
        self.passwords = {email: PASSWORD for email, _, _ in PEOPLE}
        self._running = ExitStack()
        self.server: Server = self.start()

    def start(self) -> Server:
        self.server = self._running.enter_context(
            serving(self.settings, self.passwords, port=self.port)
        )
        return self.server

    def stop(self) -> None:
        self._running.close()

    @contextmanager
    def staff(self) -> Iterator[FlaskClient]:
        """The department at its desk."""
        app = create_app(self.settings)
        with app.app_context():
            token = app.test_cli_runner().invoke(
                args=["accounts", "token", "staff@example.org"], catch_exceptions=False
            )
            client = app.test_client()
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token.output.split()[-1]}"
            yield client
            database().engine.dispose()

    def send_back(self, reason: str) -> None:
        """Staff return the only inspection."""
        with self.staff() as client:
            (one,) = client.get("/api/v1/inspections").get_json()["items"]
            answer = client.post(
                f"/api/v1/inspections/{one['id']}/review",
                json={"decision": "return", "reason": reason},
                headers={"If-Match": "*"},
            )
            assert answer.status_code == 200, answer.text

    def read_in(self, queue: Path) -> None:
        """Staff read in the file of a phone that cannot send."""
        with self.staff() as client, queue.open("rb") as file:
            answer = client.post("/field/import", data={"file": (file, "queue.json")})
            assert answer.status_code == 200, answer.text

    def rows(self, statement: str) -> list[Any]:
        engine = create_engine(self.settings.migration_database_url)
        with engine.connect() as connection:
            found = list(connection.execute(text(statement)))
        engine.dispose()
        return found


@contextmanager
def in_service(
    cluster: PrivateCluster, migrated: str, called: str, instance: Path
) -> Iterator[Service]:
    """A new service with three people and three towers, in a database of this name."""
    with prepared(cluster, migrated, called, instance) as settings:
        listed = instance / f"{called}.csv"
        listed.write_text(TOWERS)
        commands(
            settings,
            ("checklists", "load"),
            *(
                ("accounts", "add", email, "--name", name, "--role", role, "--password", PASSWORD)
                for email, name, role in PEOPLE
            ),
            ("towers", "import", str(listed)),
        )
        running = Service(settings)
        yield running
        running.stop()


class Phone(Walk):
    """A phone in somebody's hand. Where there is no network, requests fail, and that is no fault
    of the page."""

    silent = False

    def _console(self, message: ConsoleMessage) -> None:
        if not (self.silent and "net::ERR" in message.text):
            super()._console(message)

    def _failed(self, request: Request) -> None:
        if not self.silent:
            super()._failed(request)

    def offline(self) -> None:
        self.silent = True
        self.page.context.set_offline(True)

    def online(self) -> None:
        self.page.context.set_offline(False)

    def begin(self, email: str) -> None:
        """Sign in on this phone, and fetch what offline work needs."""
        self.page.goto(f"{self.server.url}/field")
        self.page.locator(f"button.choice[lang={self.language}]").click()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        self.look("field-welcome")
        self.page.locator(".welcome a.btn").click()
        self.page.locator("main [name=email]").fill(email)
        password = self.page.locator("main [name=password]")
        password.fill(self.server.passwords[email])
        password.press("Enter")
        self.page.locator("#device button").click()
        self.page.wait_for_url("**/field")
        expect(self.page.locator(".tabs")).to_be_visible()

    def fetch(self, first: str = "How much is it?") -> None:
        self.go("phone")
        self.press(first)
        self.press("Fetch now")
        again = self.page.get_by_role("button", name=self.text("Fetch again"), exact=True)
        expect(again).to_be_visible()
        self.sees("Towers on this phone: %(count)s", count=3)
        # From now on the phone has the app itself too.
        self.page.wait_for_function("() => navigator.serviceWorker.controller !== null")

    def go(self, place: str) -> None:
        self.page.evaluate("(place) => { window.location.hash = `#/${place}`; }", place)

    def item(self, key: str) -> Any:
        return self.page.locator(f"[data-item={key}]")

    def start(self, code: str) -> None:
        self.go(f"tower/{code}")
        self.press("Start the inspection")
        expect(self.page.locator(".item").first).to_be_visible()

    def answer(self, key: str, english: str) -> None:
        self.item(key).get_by_role("button", name=self.text(english), exact=True).first.click()

    def choose_photo(self, key: str, seed: int, *, camera: bool = True) -> None:
        field = self.item(key).locator("input[type=file]").nth(0 if camera else 1)
        field.set_input_files(
            {"name": f"{seed}.jpg", "mimeType": "image/jpeg", "buffer": picture(seed)}
        )

    def photo(self, key: str, seed: int, *, camera: bool = True) -> None:
        shown = self.item(key).locator(".thumb")
        number = shown.count()
        self.choose_photo(key, seed, camera=camera)
        expect(shown).to_have_count(number + 1)

    @contextmanager
    def full_storage(self) -> Iterator[None]:
        """Within the block the phone has no room left."""
        # Chromium's own tool for this does nothing without a window: the browser's answer is given
        # in its place.
        self.page.evaluate(
            """() => {
              window.roomy = IDBObjectStore.prototype.add;
              IDBObjectStore.prototype.add = () => {
                throw new DOMException("full", "QuotaExceededError");
              };
            }"""
        )
        yield
        self.page.evaluate("() => { IDBObjectStore.prototype.add = window.roomy; }")

    def stored(self) -> None:
        """Everything that was given is on the disk."""
        expect(self.page.locator(".app-bar .chip").last).to_have_text(self.text("Kept"))

    def send(self) -> None:
        self.press("Finish")
        self.page.locator(".end-sheet").get_by_role(
            "button", name=self.text("Send"), exact=True
        ).click()

    def press(self, english: str, **facts: Any) -> None:
        """Buttons of this app stand below its content too."""
        name = self.text(english, **facts)
        self.page.locator("#app").get_by_role("button", name=name, exact=True).first.click()


def picture(seed: int) -> bytes:
    """A photo of a phone: larger than what is kept of it."""
    luck = random.Random(seed)
    small = Image.effect_noise((80, 60), 60).convert("RGB")
    small.putpixel((0, 0), (luck.randrange(256), luck.randrange(256), luck.randrange(256)))
    out = io.BytesIO()
    small.resize((2600, 1950)).save(out, "JPEG", quality=80)
    return out.getvalue()
