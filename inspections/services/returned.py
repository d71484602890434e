"""A follow-up list that comes back filled in: what its rows claim, judged before it is written.

Whoever fills in "done" says that the owner has fixed something. That becomes a claim, an event of
the violation; only a re-inspection closes it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from core import audit, policy
from core.errors import Conflict, Invalid, UnsupportedMedia
from core.exports import Export
from core.i18n import force_locale, translate
from core.policy import Actor
from core.words import N_, plain, unprotected
from inspections.models import LoadAssessment, Violation, ViolationEvent
from inspections.rules.violation import FINDINGS, EventKind, Stage
from inspections.services import steps
from towers.readers.workbooks import beginnings, rows_of

# So many claims are read from one file.
MOST_CLAIMS = 1_000
MOST_REMARK = 2_000
ENDINGS = (".xlsx", ".xlsm")
NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\Z")
DONE = frozenset(
    {"x", "co", "yes", "true", "1", "da", "roi", "v", "✓", "✔", "da khac phuc", "done"}
)
NOT_DONE = frozenset({"", "khong", "chua", "no", "false", "0", "-"})
# What makes a claim out of date that was written down before it.
OVERTAKING = FINDINGS | {EventKind.CONTINUED, EventKind.CLAIMED_FIXED, EventKind.ANNULLED}
# The headers by which a row is read, of the columns of the export.
HEADERS = {
    "id": N_("Row"),
    "code": N_("Tower code"),
    "done": N_("Done (x)"),
    "done_on": N_("Done on"),
    "remark": N_("Remark"),
}
LANGUAGES = ("vi", "en")


class Verdict(StrEnum):
    """What a filled row would do: claim something, nothing as it was claimed before, or nothing
    since something is wrong."""

    NEW = "new"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True)
class Filled:
    """A row in which somebody wrote: its number in the sheet and its cells."""

    row: int
    id: str
    code: str
    done: str
    done_on: str
    remark: str


@dataclass(frozen=True)
class Judged:
    """A filled row with its verdict; `reason` says with its facts what is wrong."""

    filled: Filled
    verdict: Verdict
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    violation: Violation | None = None
    claim: str = ""


@dataclass(frozen=True)
class Preview:
    """What a returned list would change."""

    export: Export
    rows: Sequence[Judged]
    untouched: int

    def of(self, verdict: str) -> list[Judged]:
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def digest(self) -> str:
        """What was looked at, so that nothing else is written."""
        said = "\n".join(
            f"{row.filled.row} {row.filled.id} {row.verdict} {row.claim}" for row in self.rows
        )
        return hashlib.sha256(f"{self.export.id}\n{said}".encode()).hexdigest()


def preview(session: Session, path: Path, filename: str, *, by: Actor, today: date) -> Preview:
    """What the list in a file would change; nothing is written.

    Raises `Invalid` for a workbook that is no export of the follow-up list, and what reading it
    raises.
    """
    policy.require(by, "violation.claim")
    if Path(filename.lower()).suffix not in ENDINGS:
        raise UnsupportedMedia(
            N_("A returned list is the exported Excel workbook with its columns filled in")
        )
    sheets = beginnings(path)
    export = _export_of(session, sheets)
    sheet, head, places = _list_in(sheets)
    filled, untouched = _filled(rows_of(path, sheet), head, places)
    return Preview(export, _judged(session, export, filled, by, today), untouched)


def claim(
    session: Session,
    path: Path,
    filename: str,
    *,
    seen: str,
    good_rows: bool = False,
    by: Actor,
    now: datetime,
    today: date,
) -> Preview:
    """Write the claims that `preview` showed; `seen` is the digest of what was looked at.

    Raises `Conflict` where something has changed since, and where rows are wrong unless only the
    `good_rows` are wanted.
    """
    found = preview(session, path, filename, by=by, today=today)
    if found.digest != seen:
        raise Conflict(N_("What the list would change is not what you looked at: look at it again"))
    if found.of(Verdict.WRONG) and not good_rows:
        raise Conflict(N_("Some rows are wrong: mend them, or choose to take over the others"))
    rows = [row for row in found.of(Verdict.NEW) if row.violation is not None]
    # Towers in one order, so that two lists never wait for each other.
    for row in sorted(rows, key=lambda one: (one.violation.tower_id, one.violation.id)):  # type: ignore[union-attr]
        assert row.violation is not None
        step = steps.Step(EventKind.CLAIMED_FIXED, reason=row.claim)
        steps.take_step(session, row.violation, step, by=by, now=now, today=today)
    if rows:
        audit.record(
            session,
            "violation.return",
            "export",
            found.export.id,
            by=by,
            now=now,
            after={"source": filename[:200], **Counter(str(one.verdict) for one in found.rows)},
        )
    return found


def _export_of(session: Session, sheets: Mapping[str, Sequence[tuple[int, list[str]]]]) -> Export:
    """The export that a workbook says it is."""
    numbers = [
        uuid.UUID(cell.strip().lower())
        for rows in sheets.values()
        for _, cells in rows
        if len(cells) == 2
        for cell in cells[1:]
        if NUMBER.match(cell.strip().lower())
    ]
    for number in numbers:
        export = session.get(Export, number)
        if export is not None and (export.what, export.format) == ("violation", "xlsx"):
            return export
    if numbers:
        raise Invalid(N_("This workbook is no export of the follow-up list of this service"))
    raise Invalid(
        N_("The workbook does not say which export it is: return it whole, with both its sheets")
    )


def _list_in(
    sheets: Mapping[str, Sequence[tuple[int, list[str]]]],
) -> tuple[str, int, dict[str, int]]:
    """The sheet with the list, the row of its headers, and where each of them stands."""
    known: dict[str, str] = {}
    for language in LANGUAGES:
        with force_locale(language):
            known.update({plain(translate(text)): name for name, text in HEADERS.items()})
    for sheet, rows in sheets.items():
        for number, cells in rows:
            places: dict[str, int] = {}
            for place, cell in enumerate(cells):
                name = known.get(plain(cell))
                if name is not None:
                    places.setdefault(name, place)
            if {"id", "code", "done"} <= places.keys():
                return sheet, number, places
    raise Invalid(
        N_("The columns %(names)s are missing: return the list with all its columns"),
        names=", ".join(translate(HEADERS[name]) for name in ("id", "code", "done")),
    )


def _filled(
    rows: Iterable[tuple[int, list[str]]], head: int, places: Mapping[str, int]
) -> tuple[list[Filled], int]:
    """The rows in which somebody wrote, and how many were left as they are."""
    found: list[Filled] = []
    untouched = 0
    for number, cells in rows:
        if number <= head:
            continue
        texts = {
            name: unprotected(cells[place].strip()) if place < len(cells) else ""
            for name, place in places.items()
        }
        one = Filled(row=number, **{name: texts.get(name, "") for name in HEADERS})
        if plain(one.done) in NOT_DONE and not one.done_on and not one.remark:
            untouched += 1
            continue
        found.append(one)
        if len(found) > MOST_CLAIMS:
            raise Invalid(
                N_("More than %(most)s rows are filled in: return them in parts"), most=MOST_CLAIMS
            )
    return found, untouched


def _judged(
    session: Session, export: Export, rows: Sequence[Filled], by: Actor, today: date
) -> list[Judged]:
    ids = {uuid.UUID(row.id.lower()) for row in rows if NUMBER.match(row.id.lower())}
    known = {
        one.id: one
        for one in session.scalars(
            select(Violation)
            .where(Violation.id.in_(ids), policy.visible(by, "violation"))
            .options(joinedload(Violation.tower))
        )
    }
    events: dict[uuid.UUID, list[ViolationEvent]] = {one: [] for one in known}
    for event in session.scalars(
        select(ViolationEvent)
        .where(ViolationEvent.violation_id.in_(known))
        .order_by(ViolationEvent.place)
    ):
        events[event.violation_id].append(event)
    assessments = set(
        session.scalars(
            select(LoadAssessment.id).where(
                LoadAssessment.id.in_(ids - known.keys()),
                LoadAssessment.tower.has(policy.visible(by, "tower")),
            )
        )
    )
    first: dict[str, int] = {}
    judged = []
    for row in rows:
        number = row.id.lower()
        violation = known.get(uuid.UUID(number)) if NUMBER.match(number) else None
        twin = first.setdefault(number, row.row)
        if violation is None:
            assessment = NUMBER.match(number) and uuid.UUID(number) in assessments
            judged.append(_wrong(row, ASSESSMENT if assessment else UNKNOWN))
        elif twin != row.row:
            judged.append(_wrong(row, TWICE, row=twin))
        else:
            judged.append(_judge(row, export, violation, events[violation.id], today))
    return judged


UNKNOWN = N_("There is no violation with this number in your territory")
ASSESSMENT = N_("A load-safety assessment is answered by its report, not by this list")
TWICE = N_("The same violation stands in row %(row)s already")


def _wrong(row: Filled, reason: str, /, **facts: Any) -> Judged:
    return Judged(row, Verdict.WRONG, reason, facts)


def _judge(
    row: Filled, export: Export, violation: Violation, events: Sequence[ViolationEvent], today: date
) -> Judged:
    if row.code.casefold() != violation.tower.code.casefold():
        return _wrong(
            row,
            N_("The number of the row belongs to the tower %(code)s: cells were mixed up"),
            code=violation.tower.code,
        )
    if min(event.at for event in events) > export.created_at:
        return _wrong(row, N_("This violation was found after the list was exported"))
    if plain(row.done) in NOT_DONE:
        return _wrong(row, N_("A date or a remark is filled in, but “done” is not: write x there"))
    if plain(row.done) not in DONE:
        return _wrong(
            row, N_("“%(value)s” says neither done nor not done: write x"), value=row.done[:40]
        )
    done_on = _day(row.done_on)
    if row.done_on and done_on is None:
        return _wrong(
            row, N_("“%(value)s” is no date: write it as 31/12/2026"), value=row.done_on[:40]
        )
    if done_on and done_on > today:
        return _wrong(row, N_("The day on which it was done lies in the future"))
    if done_on and done_on < violation.found_on:
        return _wrong(row, N_("It was done before it was found"))
    if len(row.remark) > MOST_REMARK:
        return _wrong(row, N_("This text is too long"))
    text = _claim_text(done_on, row.remark)
    claims = [event for event in events if event.kind == EventKind.CLAIMED_FIXED]
    if any(event.reason == text for event in claims):
        return Judged(row, Verdict.SAME, violation=violation, claim=text)
    state = steps.state_of(events)
    if violation.state != "open":
        return _wrong(row, N_("The violation is no longer open"))
    later = [event for event in events if event.at > export.created_at]
    if any(event.kind in OVERTAKING for event in later):
        return _wrong(row, N_("The violation has changed since the list was exported: look at it"))
    if EventKind.CLAIMED_FIXED not in state.possible:
        if state.stage is Stage.CLAIMED:
            return _wrong(row, N_("It is reported as fixed already"))
        return _wrong(row, N_("The owner was not notified yet: that must come first"))
    return Judged(row, Verdict.NEW, violation=violation, claim=text)


def _day(text: str) -> date | None:
    """A day as people write it, 31/12/2026 or 2026-12-31; `None` for anything else."""
    written = DAY.match(text)
    try:
        if written:
            day, month, year = map(int, written.groups())
            return date(year, month, day)
        return date.fromisoformat(text)
    except ValueError:
        return None


def _claim_text(done_on: date | None, remark: str) -> str:
    """What the event says; in Vietnamese whoever reads the list back, so that it stays the same."""
    with force_locale(LANGUAGES[0]):
        parts = [translate(N_("According to the returned list"))]
        if done_on:
            parts.append(translate(N_("done on %(day)s"), day=done_on.strftime("%d/%m/%Y")))
    return ", ".join(parts) + (f": {remark}" if remark else ".")
