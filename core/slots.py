"""Menu entries and panels: features fill them, `app.py` lists who fills what."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from flask import Flask, current_app, request, url_for
from sqlalchemy import Executable, ScalarSelect, select

from core import paging, policy
from core.db import current_session
from core.guard import current_actor
from core.i18n import translate
from core.paging import ANY, LATEST, Behind
from core.policy import Actor


@cache
def _address(endpoint: str, script_root: str) -> str:
    """The address of a page without arguments; every page names those of the menu."""
    return url_for(endpoint)


@dataclass(frozen=True)
class MenuItem:
    """One entry of the menu; it is shown to those who may do its action."""

    endpoint: str
    label: str
    icon: str
    action: str
    section: str = "main"
    # How many things wait there for somebody; nothing is shown for none.
    waiting: Callable[[Actor], ScalarSelect[int]] | None = None

    @property
    def url(self) -> str:
        return _address(self.endpoint, request.script_root)

    @property
    def active(self) -> bool:
        here = request.endpoint or ""
        if self.endpoint == "inspections.dashboard":
            return here == self.endpoint
        return here.partition(".")[0] == self.endpoint.partition(".")[0] and (
            request.path == self.url or request.path.startswith(self.url + "/")
        )

    @property
    def text(self) -> str:
        return translate(self.label)


class Entry(NamedTuple):
    """What a page writes of one entry of the menu, in the reader's language."""

    section: str
    url: str
    text: str
    icon: str
    active: bool
    waiting: int


@dataclass(frozen=True)
class Panel:
    """A part of somebody else's page: a template and what it shows for a thing."""

    template: str
    context: Callable[[Any], dict[str, Any]]
    action: str


@dataclass(frozen=True)
class Column:
    """A column of somebody else's list: its heading, and the text of each row by the row's id."""

    label: str
    cells: Callable[[Sequence[Any]], Mapping[uuid.UUID, str]]
    action: str


@dataclass(frozen=True)
class Event:
    """Something that happened to a thing, as its timeline tells it; texts for the reader."""

    at: datetime
    title: str
    detail: str = ""
    url: str = ""
    sign: str = ""
    # Whether only the day is known of it; then `at` is its noon.
    day_only: bool = False
    # Tells apart what one source tells of one moment, as `paging.Behind` compares keys.
    key: str = ""
    # What is shown below the detail, where a text is not enough.
    template: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EventSource:
    """What a feature tells of a thing: so many of its latest events behind a place, in any order.

    Those of one moment are ordered by their keys, the greatest first. `kind` is what programs call
    them.
    """

    events: Callable[[Any, int, Behind], Sequence[Event]]
    action: str
    kind: str = ""


@dataclass(frozen=True)
class Timeline:
    """Some events, the latest first, and the cursor of earlier ones; `None` after the first."""

    events: Sequence[Event]
    earlier: str | None
    # Whether these are the latest of all.
    latest: bool
    # The kind of the source of each of them.
    kinds: Sequence[str] = ()


@dataclass
class Slots:
    menu: list[MenuItem] = field(default_factory=list)
    # The parts of the menu that unfold: the section of their items, their text and icon.
    folds: list[tuple[str, str, str]] = field(default_factory=list)
    panels: dict[str, list[Panel]] = field(default_factory=dict)
    columns: dict[str, list[Column]] = field(default_factory=dict)
    events: dict[str, list[EventSource]] = field(default_factory=dict)


def _menu(actor: Actor, items: tuple[MenuItem, ...], *, broken: bool) -> tuple[Entry, ...]:
    """The menu with how many things wait behind its entries; a broken page asks for no numbers."""
    asked = [] if broken else [item for item in items if item.waiting]
    numbers = current_session().execute(_numbers(actor, items)).one() if asked else ()
    waiting = {item.endpoint: number for item, number in zip(asked, numbers, strict=True)}
    return tuple(
        Entry(
            item.section,
            item.url,
            item.text,
            item.icon,
            item.active,
            waiting.get(item.endpoint, 0),
        )
        for item in items
    )


@lru_cache(maxsize=64)
def _numbers(actor: Actor, items: tuple[MenuItem, ...]) -> Executable:
    """The statement for somebody who goes from page to page: made once, it is soon understood."""
    return select(*(item.waiting(actor) for item in items if item.waiting))


def init_app(app: Flask) -> Slots:
    slots = Slots()
    app.extensions["slots"] = slots

    @app.context_processor
    def menu() -> dict[str, Any]:
        actor = current_actor()
        items = tuple(item for item in slots.menu if policy.allows(actor, item.action))
        return {
            "actor": actor,
            "may": lambda action, thing=None: policy.may(actor, action, thing),
            "menu_entries": lambda broken: _menu(actor, items, broken=broken),
            "menu_folds": [(key, translate(text), icon) for key, text, icon in slots.folds],
            "topbar": panels("topbar", None),
        }

    return slots


def panels(slot: str, thing: Any) -> list[tuple[str, dict[str, Any]]]:
    """The templates that fill a slot for this thing, each with its values."""
    slots: Slots = current_app.extensions["slots"]
    actor = current_actor()
    return [
        (panel.template, panel.context(thing))
        for panel in slots.panels.get(slot, [])
        if policy.allows(actor, panel.action)
    ]


def columns(slot: str, rows: Sequence[Any]) -> list[tuple[str, Mapping[uuid.UUID, str]]]:
    """The columns that others add to a list of these rows: headings with their texts."""
    slots: Slots = current_app.extensions["slots"]
    actor = current_actor()
    return [
        (translate(column.label), column.cells(rows))
        for column in slots.columns.get(slot, [])
        if policy.allows(actor, column.action)
    ]


def timeline(slot: str, thing: Any, *, limit: int, cursor: str | None = None) -> Timeline:
    """What the features tell of a thing, the latest first; `cursor` begins behind earlier pages.

    Of one moment the sources tell in the order of `app.py`. Raises `BadRequest` for a cursor that
    no timeline gave.
    """
    slots: Slots = current_app.extensions["slots"]
    actor = current_actor()
    at, last, key = LATEST.at, -1, ANY
    if cursor:
        kinds = (paging.moment, paging.whole_number, paging.text_value)
        at, last, key = paging.decode(cursor, kinds)
    found: list[tuple[datetime, int, str, Event]] = []
    for place, source in enumerate(slots.events.get(slot, [])):
        if not policy.allows(actor, source.action):
            continue
        # A source after that of the last event may tell of its moment, one before it has.
        behind = Behind(at, key if place == last else ANY if place > last else "")
        found += [
            (event.at, -place, event.key, event)
            for event in source.events(thing, limit + 1, behind)
        ]
    found.sort(key=lambda one: one[:3], reverse=True)
    shown = found[:limit]
    earlier = None
    if len(found) > limit:
        moment, place, key, _ = shown[-1]
        earlier = paging.encode([moment, -place, key])
    sources = slots.events.get(slot, [])
    return Timeline(
        [event for *_, event in shown],
        earlier,
        latest=not cursor,
        kinds=[sources[-place].kind for _, place, _, _ in shown],
    )
