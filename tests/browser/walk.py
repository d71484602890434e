"""One reader's window: walks pages, looks at each, and notes whatever goes wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel.messages.pofile import read_po
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    Request,
    Response,
    Route,
    ViewportSize,
    expect,
)

from core.settings import ROOT
from tests.browser.server import Server

WAIT_MS = 20_000
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
expect.set_options(timeout=WAIT_MS)
# A picture takes as long as all the looking: `make browser` keeps them, `make test` does not.
PICTURES = os.environ.get("SCREENSHOTS") == "1"

# What a page must have for those who do not see it or have no mouse: its faults as texts.
FAULTS = """() => {
  const faults = [];
  const shown = (element) => element.checkVisibility();
  const say = (text, element) => faults.push(`${text}: ${element.outerHTML.slice(0, 160)}`);
  for (const field of document.querySelectorAll("input, select, textarea")) {
    if (["hidden", "submit"].includes(field.type) || !shown(field)) continue;
    const named = field.labels.length ? field.labels[0].textContent.trim() : field.ariaLabel;
    if (!named) say("a field without a label", field);
  }
  for (const one of document.querySelectorAll("a[href], button, summary")) {
    if (!shown(one)) continue;
    const image = one.querySelector("img[alt]");
    const named = one.textContent.trim() || one.ariaLabel || one.title || (image && image.alt);
    if (!named) say("nothing to read on it", one);
  }
  for (const image of document.querySelectorAll("img")) {
    if (!image.hasAttribute("alt")) say("an image without alt", image);
    if (shown(image) && image.complete && !image.naturalWidth) say("a broken image", image);
  }
  for (const frame of document.querySelectorAll("iframe")) {
    if (!frame.title) say("a frame without a title", frame);
  }
  const ids = new Set();
  for (const one of document.querySelectorAll("[id]")) {
    if (ids.has(one.id)) say("an id twice", one);
    ids.add(one.id);
  }
  for (const label of document.querySelectorAll("label[for]")) {
    if (!ids.has(label.htmlFor)) say("a label of nothing", label);
  }
  for (const use of document.querySelectorAll("use")) {
    const box = use.getBBox();
    if (shown(use.ownerSVGElement) && !box.width && !box.height) say("an empty sign", use);
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.right > root.clientWidth + 1 && !one.closest(".scroll, .leaflet-container");
    });
    for (const one of wide.slice(0, 3)) say(`wider than ${root.clientWidth} px`, one);
    if (!wide.length) faults.push(`scrolls sideways: ${root.scrollWidth} px`);
  }
  return faults;
}"""


# Pictures further down wait until they are near: a look at the whole page needs all.
ALL_IMAGES = """() => Promise.all([...document.images].filter((one) => !one.complete).map((one) => {
  one.loading = "eager";
  return new Promise((done) => { one.onload = one.onerror = done; });
}))"""

AT_REST = """() => Promise.allSettled(document.getAnimations()
  .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
  .map((one) => one.finished))"""


@cache
def catalogue() -> dict[str, str]:
    with (ROOT / "translations/vi/LC_MESSAGES/messages.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale="vi") if one.id}


def vietnamese(english: str) -> str:
    """The Vietnamese of a text of the interface; raises `KeyError` where there is none."""
    return catalogue()[english]


class Walk:
    """A window of one reader in one language."""

    def __init__(self, page: Page, server: Server, language: str, screenshots: Path) -> None:
        self.page = page
        self.server = server
        self.language = language
        self.screenshots = screenshots
        self.width = page.viewport_size["width"] if page.viewport_size else 0
        self.troubles: list[str] = []
        self.allowed: set[int] = set()
        context = page.context
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"script error: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("requestfailed", self._failed)

    def _note(self, text: str) -> None:
        self.troubles.append(f"{self.page.url}: {text}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        refused = re.search(r"responded with a status of (\d+)", message.text)
        if refused and int(refused[1]) in self.allowed:
            return
        self._note(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"data", "blob", "about"}:
            return
        if f"{parts.scheme}://{parts.netloc}" != self.server.url:
            self._note(f"a request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.allowed:
            self._note(f"{response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left, or a newer view of the map, ends what is still under way.
        if request.failure and "ERR_ABORTED" not in request.failure:
            self._note(f"failed: {request.url} {request.failure}")

    @contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """Within the block the service may refuse with this status."""
        self.allowed.add(status)
        try:
            yield
            self.page.wait_for_load_state()
        finally:
            self.allowed.discard(status)

    def text(self, english: str, **facts: Any) -> str:
        """A text of the interface in the language of this walk."""
        text = english if self.language == "en" else vietnamese(english)
        return text % facts if facts else text

    def open(self, path: str) -> None:
        self.page.goto(self.server.url + path)

    def open_without(self, script: str, path: str, *, until: str) -> Route:
        """Open a page, and hold one of its scripts until this address has been answered.

        Returns the request for it, to let it go on: a document inside the page was quicker.
        """
        held: list[Route] = []
        self.page.route(script, lambda route: held.append(route))
        with self.page.expect_response(until) as told, self.page.expect_request(script):
            self.page.goto(self.server.url + path, wait_until="commit")
        told.value.finished()
        while not held:
            self.page.wait_for_timeout(20)
        return held[0]

    def sign_in(self, email: str) -> None:
        """Sign in by the form, in this walk's language."""
        self.open("/")
        self.choose_language()
        self.page.get_by_label(self.text("E-mail address")).fill(email)
        password = self.page.get_by_label(self.text("Password"))
        password.fill(self.server.passwords[email])
        password.press("Enter")
        self.page.wait_for_url(f"{self.server.url}/")

    def be_signed_in(self, email: str) -> None:
        """Sign in, or go on with the session that this account has: sign-ins are limited."""
        known = self.server.sessions.get(email)
        if known is None:
            self.sign_in(email)
            self.server.sessions[email] = self.page.context.cookies()
            return
        self.page.context.add_cookies(known)
        self.open("/")
        self.choose_language()

    def choose_language(self) -> None:
        """Press the language button where the page is in the other language."""
        if self.page.locator("html").get_attribute("lang") != self.language:
            self.unfold_menu()
            self.page.locator("button.language").click()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)

    def unfold_menu(self) -> None:
        burger = self.page.locator(".burger")
        if burger.is_visible() and not self.page.locator("button.language").is_visible():
            burger.click()

    def press(self, english: str, **facts: Any) -> None:
        """Press the button or link of this name in the page's content."""
        name = self.text(english, **facts)
        content = self.page.locator("main")
        button = content.get_by_role("button", name=name, exact=True)
        found = button.or_(content.get_by_role("link", name=name, exact=True))
        found.first.click()

    def sees(self, english: str, **facts: Any) -> None:
        """The text stands in the content."""
        expect(self.page.locator("main")).to_contain_text(self.text(english, **facts))

    def decimal(self, number: str) -> str:
        """A number as people write it in this language."""
        return number.replace(".", ",") if self.language == "vi" else number

    def unfold_filters(self) -> None:
        panel = self.page.locator("details.filter-panel:has(form.filters)")
        if not panel.evaluate("one => one.open"):
            panel.locator("> summary").click()

    def choose(self, name: str, *labels: str) -> None:
        """Of a filter that takes several answers choose those with these texts and no others."""
        answers = self.page.locator("details.several").filter(
            has=self.page.locator(f"[name='{name}']")
        )
        answers.locator("> summary").click()
        for label in answers.locator(".sheet label").all():
            label.locator("input").set_checked(label.inner_text().strip() in labels)
        self.page.keyboard.press("Escape")
        expect(answers.locator(".sheet")).to_be_hidden()

    def choose_other_language_and_back(self) -> None:
        """The same page in the other language, then in this one again."""
        page, here, mine = self.page, self.page.url, self.language
        heading = page.locator("h1").inner_text()
        self.language = "en" if mine == "vi" else "vi"
        self.choose_language()
        expect(page).to_have_url(here)
        expect(page.locator("h1")).not_to_have_text(heading)
        self.language = mine
        self.choose_language()
        expect(page).to_have_url(here)
        expect(page.locator("h1")).to_have_text(heading)

    def field(self, name: str) -> Locator:
        return self.page.locator(f"main [name='{name}']")

    def map(self, selector: str = "#map") -> FrameLocator:
        return self.page.frame_locator(selector)

    def look(self, name: str) -> None:
        """The page must be sound; a picture of it is kept where somebody wants to see them."""
        page = self.page
        page.wait_for_load_state()
        page.evaluate(ALL_IMAGES)
        for frame in page.frames:
            frame.evaluate(AT_REST)
            frame.evaluate("() => document.fonts.ready.then(() => null)")
        faults = page.evaluate(FAULTS)
        title = page.title()
        if not re.fullmatch(r"\S.* · Tháp Canh", title):
            faults.append(f"the title is {title!r}")
        heads = [one.strip() for one in page.locator("h1:visible").all_inner_texts()]
        if len(heads) != 1 or not heads[0]:
            faults.append(f"its main headings are {heads}")
        if page.locator("html").get_attribute("lang") != self.language:
            faults.append("another language")
        self.troubles.extend(f"{page.url} ({name}, {self.width} px): {text}" for text in faults)
        if PICTURES:
            # A picture of the whole page shows what sticks to the window where it belongs.
            style = ".sticky-actions, .topbar { position: static !important; }"
            # JPEG takes half the time of PNG.
            path = self.screenshots / f"{name}-{self.language}-{self.width}.jpg"
            page.screenshot(path=path, full_page=True, style=style, quality=80)

    def look_wide_and_narrow(self, name: str) -> None:
        """Look at the page in this window, then in one as narrow as a phone."""
        self.look(name)
        wide = self.page.viewport_size or WIDE
        self.resize(PHONE)
        self.look(name)
        self.resize(wide)

    def resize(self, size: ViewportSize) -> None:
        self.page.set_viewport_size(size)
        self.width = size["width"]


def start_walk(
    browser: Browser,
    server: Server,
    language: str,
    screenshots: Path,
    *,
    phone: bool = False,
) -> Walk:
    """A new window without cookies: 1280 pixels wide, or a phone of 390 pixels with touch."""
    context = browser.new_context(
        viewport=PHONE if phone else WIDE,
        has_touch=phone,
        is_mobile=phone,
        locale="vi-VN" if language == "vi" else "en-GB",
        timezone_id="Asia/Ho_Chi_Minh",
        accept_downloads=True,
        geolocation={"latitude": 10.4603, "longitude": 105.6325, "accuracy": 8},
        permissions=["geolocation"],
    )
    context.set_default_timeout(WAIT_MS)
    return Walk(context.new_page(), server, language, screenshots)
