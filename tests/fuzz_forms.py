"""Every form of every page, sent with what does not belong into its fields: one of `make fuzz`.

The forms are those that the pages show; each field alone, and all of them at once, has each value.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from flask import Flask

from core.db import database
from tests import doors
from tests.authz import address, of, prints, routes

VALUES = ("\x00'\u202e{{7*7}}<b>", "9" * 20, "0001-01-01", "9999-12-31", "-1", "nan", "")
ROLES = ("staff", "admin", "inspector", "operator")
# Of larger forms only all fields at once.
MOST_FIELDS = 25


class Forms(HTMLParser):
    """The forms of a page that write something: where each goes, and its fields as they stand."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.open = (given.get("method") or "").lower() == "post"
            if self.open:
                self.found.append((given.get("action") or self.page, {}))
        elif self.open and given.get("name") and given["name"] != "csrf_token":
            self.found[-1][1].setdefault(str(given["name"]), given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "form"


def forms(app: Flask, world: doors.World) -> dict[tuple[str, ...], tuple[str, dict[str, str]]]:
    """Each form once: by its address and fields, who is shown it and how they stand."""
    found: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for rule, method, _ in routes(app):
        if method != "GET" or rule.startswith("/api/") or prints((method, rule)):
            continue
        for role in ROLES:
            page = address(rule, of(world.here, world, role))
            answer = world[role].get(page)
            if answer.status_code != 200 or answer.mimetype != "text/html":
                continue
            parser = Forms(page)
            parser.feed(answer.get_data(as_text=True))
            for action, fields in parser.found:
                if action != "/sign-out":
                    found.setdefault((action.partition("?")[0], *sorted(fields)), (role, fields))
    return found


def fillings(fields: dict[str, str]) -> Iterator[dict[str, str]]:
    for value in VALUES:
        yield dict.fromkeys(fields, value)
        if len(fields) <= MOST_FIELDS:
            yield from ({**fields, name: value} for name in fields)


def test_no_form_breaks(app: Flask, world: doors.World) -> None:
    connection = database().sessions.kw["bind"]
    asked, broken = forms(app, world), []
    sent = 0
    for (action, *_), (role, fields) in asked.items():
        for data in fillings(fields):
            # Each from the same beginning: nothing of one stays.
            beginning = connection.begin_nested()
            answer = world[role].post(action, data=data)
            beginning.rollback()
            sent += 1
            if answer.status_code >= 500:
                broken.append((role, action, data, answer.status_code))
    print(f"\n{sent} times {len(asked)} forms were sent")
    assert broken == []
    assert len(asked) > 100
