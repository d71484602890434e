"""The history of a tower: every change in words, the tower at any moment, two moments compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request

from core import clock
from core.audit import AuditEntry
from core.db import current_session
from core.formats import label
from core.i18n import translate
from core.policy import guard
from core.words import N_
from towers.doors import the_tower
from towers.fields import FIRST_DAY, LAST_DAY
from towers.models import Tower
from towers.queries import history as queries
from towers.services import parts
from towers.texts import EMPTY, Change, Names


def history_routes(blueprint: Blueprint) -> None:
    """Add the history of a tower to the feature's blueprint."""
    blueprint.add_url_rule("/towers/<code>/history", view_func=history)


@dataclass(frozen=True)
class Told:
    """An entry of history in words; `other` says that it is of a tower that was merged in."""

    entry: AuditEntry
    title: str
    changes: Sequence[Change]
    other: bool

    @property
    def at(self) -> str:
        return self.entry.at.isoformat()

    def origin(self, name: str) -> str:
        """What the entry says about where it came from: `import`, `source`, `proposal` …"""
        if name == "import" and self.entry.batch:
            return str(self.entry.batch)
        return str((self.entry.after or {}).get(name) or "")


def told(entries: Sequence[AuditEntry], tower: Tower) -> list[Told]:
    """Entries in words, every name looked up at once."""
    changed = [(entry, queries.changes(entry)) for entry in entries]
    names = names_in(
        [(name, value) for _, changes in changed for name, *values in changes for value in values]
    )
    return [
        Told(
            entry,
            label(entry.action, "audit_action"),
            [names.change(*one) for one in changes],
            entry.object_id != str(tower.id),
        )
        for entry, changes in changed
    ]


def names_in(values: Sequence[tuple[str, Any]]) -> Names:
    return Names(*queries.names(current_session(), values))


@guard("tower.view")
def history(code: str) -> str:
    session, tower = current_session(), the_tower(code)
    at, wrong_at = asked_moment("at")
    against, wrong_against = asked_moment("against")
    page = queries.entries(session, tower, cursor=request.args.get("cursor"))
    return render_template(
        "towers/history.html",
        tower=tower,
        page=page,
        entries=told(page.rows, tower),
        comparison=compared(tower, at, against) if at else None,
        at=at,
        against=against,
        wrong=wrong_at or wrong_against,
    )


def asked_moment(name: str) -> tuple[datetime | None, str]:
    """A moment in the page's address, in the department's zone where it names none.

    The second is what is wrong with it, empty where nothing is.
    """
    text = request.args.get(name, "").strip()
    if not text:
        return None, ""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=clock.zone())
        if not FIRST_DAY.year < moment.year < LAST_DAY.year:
            raise ValueError("nobody kept a register then")
    except ValueError:
        return None, translate(N_("This is not a moment: write a date and a time"))
    return moment, ""


@dataclass(frozen=True)
class Comparison:
    """Two states of a tower: what differs between them, and all that the first one said.

    `there` says of each whether there was a tower at that moment.
    """

    there: tuple[bool, bool]
    differences: Sequence[Change]
    whole: Sequence[tuple[str, str]]


def compared(tower: Tower, at: datetime, against: datetime | None) -> Comparison:
    """The tower at one moment beside another one, or beside what it is now."""
    session = current_session()
    now = parts.state(session, tower)
    one = queries.state_at(session, tower, now, at)
    other = now if against is None else queries.state_at(session, tower, now, against)
    names = names_in([*(one or {}).items(), *(other or {}).items()])
    differences = [] if one is None else queries.differences(one, other)
    return Comparison(
        (one is not None, other is not None),
        [names.change(*difference) for difference in differences],
        whole_state(names, one or {}),
    )


def whole_state(names: Names, state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that a state says, as labels and texts; what was empty is left out."""
    said = [names.change(name, None, value) for name, value in state.items()]
    return [(one.name, one.after) for one in said if one.after != EMPTY]
