"""Work in the field: without a signal, through reloads and dead batteries, and home again whole."""

from __future__ import annotations

import io
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, expect
from sqlalchemy import create_engine, text

from app import create_app
from core.db import database
from tests.browser.conftest import FAILED, FLAGS
from tests.browser.server import PASSWORD, Server, commands, free_port, prepared, serving
from tests.browser.walk import PHONE, WAIT_MS, Walk

pytestmark = pytest.mark.browser
PEOPLE = (
    ("anna@example.org", "Nguyễn Thị An", "inspector"),
    ("binh@example.org", "Trần Văn Bình", "inspector"),
    ("staff@example.org", "Trần Văn Sở", "staff"),
)
FULL = "The phone's storage is full: this photo was not kept. Free some room, then take it again."
TOWERS = """code,name,structure_type,height_m,latitude,longitude,owner,services
FIELD-1,Trạm ven sông,guyed_mast,42,10.4604,105.6325,,bts
FIELD-2,Trạm cầu,lattice_self_support,60,10.4650,105.6400,,bts
FIELD-3,<img src=x onerror=alert(1)> ${alert(2)},monopole,30,10.5000,105.7000,,bts
"""


SENT = (
    "SELECT tower.code FROM inspection JOIN tower ON tower.id = tower_id"
    " WHERE inspection.status = 'submitted'"
)


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


@pytest.fixture(scope="module")
def service(cluster, migrated: str, instance: Path) -> Iterator[Service]:
    with prepared(cluster, migrated, "browser_field", instance) as settings:
        listed = instance / "field.csv"
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


Open = Callable[..., BrowserContext]


@pytest.fixture
def phones(
    chromium: Browser, tmp_path: Path, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """`phones("anna")` takes a phone by its name out of the pocket; what it stored is there."""
    opened: list[BrowserContext] = []

    def take(name: str, locale: str = "vi-VN") -> BrowserContext:
        context = chromium.browser_type.launch_persistent_context(
            tmp_path / name,
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium",
            args=FLAGS,
            viewport=PHONE,
            has_touch=True,
            is_mobile=True,
            locale=locale,
            timezone_id="Asia/Ho_Chi_Minh",
            geolocation={"latitude": 10.4603, "longitude": 105.6325, "accuracy": 8},
            permissions=["geolocation"],
        )
        context.set_default_timeout(WAIT_MS)
        opened.append(context)
        return context

    yield take
    if request.node.stash.get(FAILED, False):
        opened[-1].pages[0].screenshot(path=screenshots / f"failed-{request.node.name}.png")
    for context in opened:
        context.close()


def battery_dies(folder: Path) -> None:
    """Every process of the browser that works on this folder ends at once."""
    mark = f"--user-data-dir={folder}".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def test_a_visit_below_the_mast_comes_home_once_and_whole(service, phones, screenshots, tmp_path):
    context = phones("anna")
    one = Phone(context.pages[0], service.server, "vi", screenshots)
    one.begin("anna@example.org")
    one.look("field-work-new")
    one.fetch()
    one.look("field-phone")

    # Out of the village: no network, and the service is away as well.
    one.offline()
    service.stop()
    one.page.reload()
    one.go("towers")
    expect(one.page.locator(".task-card")).to_have_count(3)
    # What somebody named a tower is a text, whatever it looks like.
    expect(one.page.locator("main")).to_contain_text("<img src=x onerror=alert(1)> ${alert(2)}")
    one.look("field-towers")
    one.go("map")
    expect(one.page.locator("#field-map canvas")).to_be_visible()
    expect(one.page.locator("#field-map path.land").first).to_be_attached()
    one.look("field-map")
    one.start("FIELD-1")
    one.answer("sit_fence", "No")
    expect(one.item("sit_fence").locator(".verdict")).to_be_visible()
    one.item("fnd_settlement").locator("input[inputmode]").fill("4,5")
    one.answer("fnd_concrete", "Not checked")
    one.item("fnd_concrete").get_by_label(one.text("Reason")).fill("ngập nước")
    # From the ground nothing can be said of what is checked by climbing.
    expect(one.page.locator(".item.unreached").first).to_be_visible()
    expect(one.page.locator(".item.unreached input, .item.unreached button")).to_have_count(0)
    one.photo("sit_fence", 1)
    # Where the phone has no room left it says so, and goes on when there is room again.
    with one.full_storage():
        one.choose_photo("sit_fence", 9)
        expect(one.page.get_by_role("alert")).to_contain_text(one.text(FULL))
        expect(one.item("sit_fence").locator(".thumb")).to_have_count(1)
    one.photo("sit_fence", 2)
    one.photo("fnd_settlement", 3, camera=False)
    one.stored()
    one.look("field-form")
    one.page.reload()
    expect(one.item("sit_fence").locator(".thumb")).to_have_count(2)

    battery_dies(tmp_path / "anna")
    context = phones("anna")
    context.set_offline(True)
    one = Phone(context.pages[0], service.server, "vi", screenshots)
    one.silent = True
    one.page.goto(f"{service.server.url}/field")
    one.sees("Unfinished on this phone")
    one.look("field-work-resume")
    one.page.get_by_role("link", name=one.text("Resume")).click()
    expect(one.item("fnd_settlement").locator("input[inputmode]")).to_have_value("4,5")
    expect(one.item("fnd_concrete").get_by_label(one.text("Reason"))).to_have_value("ngập nước")
    expect(one.item("sit_fence").locator(".thumb")).to_have_count(2)
    one.press("Finish")
    one.look("field-finish")
    one.press("Go on filling in")
    one.send()
    one.sees("Waiting for a network")
    one.look("field-waiting")
    assert service.rows("SELECT id FROM inspection") == []

    # Home: it starts by itself.
    service.start()
    one.online()
    one.sees("Everything is safe")
    one.look("field-safe")
    one.page.reload()
    one.sees("Everything is safe")
    (found,) = service.rows("SELECT status, distance_m, complete FROM inspection")
    assert (found.status, found.complete) == ("submitted", False)
    assert found.distance_m < 50
    photos = service.rows("SELECT item_key, source FROM photo ORDER BY item_key, source")
    assert [tuple(one) for one in photos] == [
        ("fnd_settlement", "file"), ("sit_fence", "camera"), ("sit_fence", "camera"),
    ]  # fmt: skip
    assert [row.item_key for row in service.rows("SELECT item_key FROM violation")] == ["sit_fence"]
    left = one.page.evaluate(
        """async () => {
          const names = (await indexedDB.databases()).map((one) => one.name);
          const found = {};
          for (const name of names.filter((one) => one !== "thap-canh-phone")) {
            const db = await new Promise((done) => {
              const asked = indexedDB.open(name); asked.onsuccess = () => done(asked.result);
            });
            for (const store of ["drafts", "answers", "photos", "queue", "receipts"]) {
              found[store] = await new Promise((done) => {
                const asked = db.transaction(store).objectStore(store).count();
                asked.onsuccess = () => done(asked.result);
              });
            }
          }
          return found;
        }"""
    )
    assert left == {"drafts": 0, "answers": 0, "photos": 0, "queue": 0, "receipts": 1}

    # The department sends it back: it returns with the reason and all that was said.
    service.send_back("Đo lại độ lún")
    one.fetch("Fetch again")
    one.go("work")
    one.sees("Returned")
    one.look("field-work-returned")
    one.page.locator(".task-card").first.click()
    expect(one.page.locator(".reason")).to_have_text("Đo lại độ lún")
    one.press("Correct it")
    expect(one.item("fnd_settlement").locator("input[inputmode]")).to_have_value("4,5")
    one.item("fnd_settlement").locator("input[inputmode]").fill("12")
    expect(one.item("fnd_settlement").locator(".verdict")).to_be_visible()
    one.stored()
    one.send()
    expect(one.page.locator(".receipt")).to_have_count(2)
    one.look("field-safe-again")
    (found,) = service.rows("SELECT status, draft FROM inspection")
    assert (found.status, found.draft) == ("submitted", None)
    assert {row.item_key for row in service.rows("SELECT item_key FROM violation")} == {
        "fnd_settlement", "sit_fence",
    }  # fmt: skip
    assert one.troubles == []


def test_two_people_on_one_phone_and_a_check_that_is_refused(service, phones, screenshots):
    context = phones("shared", "en-GB")
    one = Phone(context.pages[0], service.server, "en", screenshots)
    page = one.page
    page.on("dialog", lambda dialog: dialog.accept())
    one.begin("anna@example.org")
    one.fetch()

    # Two checks wait: one whose day the service cannot accept, and one that is in order.
    one.offline()
    for code, day in (("FIELD-2", "2031-01-01"), ("FIELD-1", "")):
        one.start(code)
        one.answer("sit_sign", "Not checked")
        one.press("No access")
        one.answer("sit_fence", "Yes")
        if code == "FIELD-2":
            page.locator("summary", has_text=one.text("Weather, people, date")).click()
            page.get_by_label(one.text("Date of the inspection")).fill(day)
            page.get_by_label(one.text("Why so far away?")).fill("the bridge is closed")
        else:
            page.locator("summary", has_text=one.text("Weather, people, date")).click()
            one.press("Rain")
        one.stored()
        one.send()
        one.sees("Waiting for a network")
    one.look("field-queue")

    # Were this phone never to find a network again, the department could read in what waits.
    page.locator("summary", has_text=one.text("This phone cannot send?")).click()
    with page.expect_download() as saved:
        one.press("Save into a file")
    service.read_in(saved.value.path())
    assert [row.code for row in service.rows(f"{SENT} AND weather = 'rain'")] == ["FIELD-1"]

    one.go("phone")
    one.press("Sign out on this phone")
    one.sees("Sign in")
    expect(page.locator(".welcome .note")).to_contain_text("2")
    one.look("field-others-wait")

    # The next one on this phone sees nothing of it, and sends nothing of it either.
    # The session of the browser that was left open ends before anybody can go on with it.
    one.online()
    page.goto(f"{one.server.url}/field/sign-in?lang=en")
    page.wait_for_url("**/field")
    one.begin("binh@example.org")
    one.go("sending")
    one.sees("Nothing waits to be sent")
    one.go("work")
    expect(page.locator("main")).not_to_contain_text("FIELD")
    assert service.rows(f"{SENT} AND code = 'FIELD-2'") == []

    one.go("phone")
    one.press("Sign out on this phone")
    expect(page.locator(".welcome")).to_be_visible()
    one.begin("anna@example.org")
    one.go("sending")
    one.sees("Not taken: correct it and send it again")
    one.sees("The day of the inspection lies in the future")
    expect(page.locator("main .task-card")).to_have_count(1)
    one.look("field-refused")
    one.press("Open and correct")
    page.locator("summary", has_text=one.text("Weather, people, date")).click()
    page.get_by_label(one.text("Date of the inspection")).fill("2026-01-05")
    one.stored()
    one.send()
    one.sees("Everything is safe")
    assert len(service.rows(f"{SENT} AND code = 'FIELD-2'")) == 1
    # What was read in and sent as well is there once.
    assert len(service.rows(f"{SENT} AND weather = 'rain'")) == 1
    assert one.troubles == []
