"""A real server, a real Chromium, and walks through the pages that notice what goes wrong."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from core.settings import Settings
from tests.browser.server import PASSWORD, Server, commands, prepared, serving
from tests.browser.walk import PHONE, WAIT_MS, Walk, start_walk

# Debian's browser, without whatever talks to other hosts or needs a graphics card.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCREENSHOTS = Settings.from_environment().instance / "screenshots"
PEOPLE = (("admin", "Lê Thị Quản"), ("staff", "Trần Văn Sở"), ("inspector", "Nguyễn Thị Kiểm"))
DEMO_TOWERS = "600"
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Tell the fixtures of a test whether it failed, so that they keep what the window shows."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(autouse=True, scope="session")
def screenshots(testrun_uid: str) -> Path:
    """The folder of this run's screenshots; its first process removes those of the last run."""
    SCREENSHOTS.parent.mkdir(parents=True, exist_ok=True)
    with SCREENSHOTS.with_suffix(".run").open("a+") as run:
        fcntl.flock(run, fcntl.LOCK_EX)
        run.seek(0)
        if run.read() != testrun_uid:
            shutil.rmtree(SCREENSHOTS, ignore_errors=True)
            SCREENSHOTS.mkdir()
            run.truncate(0)
            run.write(testrun_uid)
    return SCREENSHOTS


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(cluster, migrated: str, instance: Path) -> Iterator[Server]:
    """A new service: four accounts and the checklist, neither areas nor towers."""
    with prepared(cluster, migrated, "browser_new", instance) as settings:
        passwords = {f"{role}@example.org": PASSWORD for role, _ in PEOPLE}
        commands(
            settings,
            ("checklists", "load"),
            *(
                ("accounts", "add", f"{role}@example.org", "--name", name,
                 "--role", role, "--password", PASSWORD)
                for role, name in PEOPLE
            ),
        )  # fmt: skip
        with serving(settings, passwords) as running:
            yield running


@pytest.fixture(scope="session")
def register(server: Server, instance: Path) -> Server:
    """The new service with some guyed masts, far from those that walks register themselves."""
    rows = ["code,name,structure_type,height_m,latitude,longitude,owner,services"]
    for number, code in enumerate(("VI-PHONE", "EN-PHONE", "VI-TAP")):
        rows.append(f"{code},Trạm {number},guyed_mast,42,{10.7 + number / 50},105.4,,bts")
    listed = instance / "masts.csv"
    listed.write_text("\n".join(rows))
    commands(server.settings, ("towers", "import", str(listed)))
    return server


@pytest.fixture(scope="session")
def province(cluster, migrated: str, instance: Path) -> Iterator[Server]:
    """A service with the demo province."""
    with prepared(cluster, migrated, "browser_demo", instance) as settings:
        commands(settings, ("demo", "load", "--towers", DEMO_TOWERS))
        kept = (settings.instance / "demo-accounts.txt").read_text()
        passwords = dict(line.split("  ") for line in kept.splitlines())
        with serving(settings, passwords) as running:
            yield running


@pytest.fixture
def walk(
    chromium: Browser, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Walk]]:
    """`walk(server, "vi", phone=True)` opens a browser window of its own.

    At the end of the test every window must have stayed free of errors, warnings and requests to
    other hosts.
    """
    walks: list[Walk] = []

    def begin(server: Server, language: str, *, phone: bool = False, signed_in: str = "") -> Walk:
        made = start_walk(chromium, server, language, screenshots, phone=phone)
        walks.append(made)
        if signed_in:
            made.be_signed_in(signed_in)
        return made

    yield begin
    for number, one in enumerate(walks):
        if request.node.stash.get(FAILED, False):
            one.page.screenshot(path=screenshots / f"failed-{request.node.name}-{number}.png")
        one.page.context.close()
    for one in walks:
        log = (one.server.settings.instance / "server.log").read_text(errors="replace")
        assert one.troubles == [], "\n".join([*one.troubles, log[-3000:]])


@pytest.fixture
def phones(
    chromium: Browser, tmp_path: Path, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
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
