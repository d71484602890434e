"""The seals of the audit: a chain of hashes, written in batches by one writer that nobody awaits.

A seal holds the numbers of its entries, the SHA-256 of each, and the hash of the seal before.
What belongs into it is said by transactions, not by numbers: `horizon` is the oldest transaction
that was still open when it was made, so whatever was written by an earlier one is there or never
will be. An entry that is committed late, with a number below those that are sealed already, waits
for the next seal. Nothing is left out and nothing is sealed twice.

Entries take their number after that of their transaction. One whose number is below what a seal
holds, and whose transaction is later than that of the seal (`xid`), was therefore put in.

Numbers of transactions mean something in one cluster only (`system`). Behind a restore into
another one, the next seal `opens` anew: it holds all that no seal held.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

import orjson
from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, select, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE
from sqlalchemy.dialects.postgresql import Range as SqlRange
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import allow_long_statements
from core.model import Base
from core.words import N_

# How many entries a seal holds at most, and how many seals are looked through together.
MOST = 10_000
SEALS_AT_ONCE = 200
# The second number of our advisory locks is a job's; this one has none.
SEAL_LOCK = 7_210_418
BEGINNING = bytes(32)
COLUMNS = (
    "e.id, e.at, e.actor_id, e.actor, e.action, e.kind, e.object_id, e.before::text AS before,"
    " e.after::text AS after, e.batch::text AS batch, e.address, e.via, e.xid"
)


class AuditSeal(Base):
    """A sealed batch of entries. The application may insert and read it, never change it.

    `digests` are the hashes of its entries in the order of their numbers, `previous` is the hash
    of the seal before, `hash` covers all of it.
    """

    __tablename__ = "audit_seal"
    __table_args__ = (
        CheckConstraint("entries > 0", name="entries"),
        CheckConstraint("length(digests) = 32 * entries", name="digests"),
        CheckConstraint("length(hash) = 32 AND length(previous) = 32", name="hash"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    opens: Mapped[bool]
    system: Mapped[str]
    horizon: Mapped[int] = mapped_column(BigInteger)
    xid: Mapped[int] = mapped_column(BigInteger)
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[int]
    ids: Mapped[list[SqlRange[int]]] = mapped_column(INT8MULTIRANGE)
    digests: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


def digest_of(entry: Sequence[Any]) -> bytes:
    """The hash of an entry's content; JSON comes as PostgreSQL writes it, which has one form."""
    number, at, *others = entry
    values = [number, at.astimezone(UTC).isoformat(timespec="microseconds"), *others]
    return hashlib.sha256(orjson.dumps(values)).digest()


def hash_of(seal: AuditSeal) -> bytes:
    """What the hash of a seal must be."""
    facts = [
        seal.id,
        seal.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        seal.opens,
        seal.system,
        seal.horizon,
        seal.xid,
        seal.first_id,
        seal.last_id,
        seal.entries,
        [[one.lower, one.upper] for one in seal.ids],
        seal.previous.hex(),
    ]
    return hashlib.sha256(orjson.dumps(facts) + seal.digests).digest()


def ranges_of(ids: list[int]) -> list[SqlRange[int]]:
    """Ascending numbers as half-open ranges."""
    found: list[SqlRange[int]] = []
    for _, run in groupby(enumerate(ids), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        found.append(SqlRange(numbers[0], numbers[-1] + 1))
    return found


def newest(session: Session) -> AuditSeal | None:
    return session.scalar(select(AuditSeal).order_by(AuditSeal.id.desc()).limit(1))


def system_of(session: Session) -> str:
    """The cluster in which transactions are numbered."""
    found = session.scalar(text("SELECT system_identifier::text FROM pg_control_system()"))
    return str(found)


def seal(session: Session, *, now: datetime) -> list[AuditSeal]:
    """Seal what no open transaction can add to any more; returns the new seals, often one.

    One writer at a time: another one waits for it.
    """
    allow_long_statements(session)
    # Another one may have much to seal.
    session.execute(text("SET LOCAL lock_timeout = 0"))
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SEAL_LOCK})
    last, system = newest(session), system_of(session)
    # Whatever an earlier transaction wrote, the statement after this one sees.
    horizon: int = session.scalar(
        text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    )
    opens = last is None or last.system != system or horizon < last.horizon
    made: list[AuditSeal] = []
    entries = _unsealed(session, opens, last.horizon if last else 0, horizon)
    while batch := list(islice(entries, MOST)):
        ids = [number for number, _ in batch]
        last = AuditSeal(
            id=last.id + 1 if last else 1,
            sealed_at=now,
            opens=opens,
            system=system,
            horizon=horizon,
            # Given only now, when the statement that reads the entries has begun.
            xid=session.scalar(text("SELECT pg_current_xact_id()::text::bigint")),
            first_id=ids[0],
            last_id=ids[-1],
            entries=len(ids),
            ids=ranges_of(ids),
            digests=b"".join(digest for _, digest in batch),
            previous=last.hash if last else BEGINNING,
        )
        last.hash = hash_of(last)
        session.add(last)
        session.flush()
        made.append(last)
    return made


def _unsealed(
    session: Session, opens: bool, since: int, horizon: int
) -> Iterator[tuple[int, bytes]]:
    """Numbers and hashes of what is to be sealed, in the order of the numbers."""
    found = session.execute(
        text(
            f"SELECT {COLUMNS} FROM audit_entry e"  # noqa: S608 - our own columns
            " WHERE (:opens OR (e.xid >= :since AND e.xid < :horizon)) AND NOT e.id <@ (SELECT"
            " coalesce(range_agg(ids), '{}') FROM audit_seal WHERE opens OR :opens)"
            " ORDER BY e.id"
        ),
        {"opens": opens, "since": since, "horizon": horizon},
        execution_options={"yield_per": 1000},
    )
    for entry in found:
        yield entry.id, digest_of(entry)


def head(session: Session) -> dict[str, Any]:
    """The end of the chain, to be kept where the database's masters cannot change it."""
    last = newest(session)
    if last is None:
        return {"seal": 0, "entries": 0, "hash": BEGINNING.hex()}
    entries = session.scalar(text("SELECT sum(entries)::bigint FROM audit_seal"))
    return {
        "seal": last.id,
        "entries": entries,
        "hash": last.hash.hex(),
        "sealed_at": last.sealed_at.astimezone(UTC).isoformat(),
    }


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written: `what` is a text with `facts`, to be translated."""

    what: str
    facts: dict[str, Any]
    entry: int | None = None


@dataclass
class Verdict:
    """What a look at the whole chain found; `findings` in the order in which they were met."""

    entries: int = 0
    seals: int = 0
    waiting: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The finding that names the entry with the lowest number, else the first one."""
        named = [one for one in self.findings if one.entry is not None]
        return (
            min(named, key=lambda one: one.entry or 0) if named else next(iter(self.findings), None)
        )


CHANGED = N_("Entry %(entry)s was changed after it was sealed")
MISSING = N_("Entry %(entry)s was deleted after it was sealed")
PUT_IN = N_("Entry %(entry)s was put in behind what was sealed")
SEAL_CHANGED = N_("Seal %(seal)s was changed")
SEAL_MISSING = N_("Seal %(seal)s is missing")
UNCHAINED = N_("Seal %(seal)s does not follow the seal before it")
SEALED_TWICE = N_("Seal %(seal)s holds entries that another one holds")
CUT_OFF = N_("The chain ends before seal %(seal)s, which was exported")
OTHER_HEAD = N_("Seal %(seal)s is not the one that was exported")
WRONG_HEAD = N_("The exported head is no head of an audit")
# More of one kind would only be more of the same.
MOST_FINDINGS = 1000


def verify(session: Session, exported: dict[str, Any] | None = None) -> Verdict:
    """Compare every entry with its seal, every seal with the one before, and the end with a head
    that was exported.

    Begins a transaction of its own kind, so the session must be fresh. Needs no lock and never
    takes work that is under way for a forgery.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    allow_long_statements(session)
    verdict = Verdict()
    order = _Order()
    last: AuditSeal | None = None
    previous = BEGINNING
    for group in _groups(session):
        found = _entries_of(session, group)
        present = next(found, None)
        for one in group:
            wanted = last.id + 1 if last else 1
            if one.id != wanted:
                _note(verdict, SEAL_MISSING, seal=wanted)
            elif one.previous != previous:
                _note(verdict, UNCHAINED, seal=one.id)
            if hash_of(one) != one.hash:
                _note(verdict, SEAL_CHANGED, seal=one.id)
            order.begin(one)
            for number, digest in _sealed(one):
                while present and present.seal == one.id and present.id < number:
                    present = next(found, None)
                if not present or present.seal != one.id or present.id != number:
                    _note(verdict, MISSING, entry=number)
                    continue
                if digest_of(present[1:]) != digest:
                    _note(verdict, CHANGED, entry=number)
                elif not one.opens and order.behind(number, present.xid):
                    _note(verdict, PUT_IN, entry=number)
                present = next(found, None)
            order.add(one)
            verdict.seals += 1
            verdict.entries += one.entries
            last, previous = one, one.hash
    _look_at_the_rest(session, verdict, last, order)
    if exported is not None:
        _compare_head(session, verdict, exported)
    return verdict


class _Order:
    """Which numbers were given out before which transactions, by the seals of one cluster."""

    def __init__(self) -> None:
        self.system = ""
        self.xids: list[int] = []
        self.lasts: list[int] = []

    def begin(self, one: AuditSeal) -> None:
        back = bool(self.xids) and one.xid < self.xids[-1]
        if one.system != self.system or (one.opens and back):
            self.system, self.xids, self.lasts = one.system, [], []

    def add(self, one: AuditSeal) -> None:
        self.xids.append(one.xid)
        self.lasts.append(max(one.last_id, self.lasts[-1] if self.lasts else 0))

    def behind(self, number: int, xid: int) -> bool:
        """Whether an entry has a number that was given out before its transaction began."""
        place = bisect_left(self.xids, xid)
        return place > 0 and number < self.lasts[place - 1]


def _groups(session: Session) -> Iterator[list[AuditSeal]]:
    done = 0
    while group := session.scalars(
        select(AuditSeal).where(AuditSeal.id > done).order_by(AuditSeal.id).limit(SEALS_AT_ONCE)
    ).all():
        yield list(group)
        done = group[-1].id
        session.expunge_all()


def _entries_of(session: Session, group: list[AuditSeal]) -> Iterator[Any]:
    yield from session.execute(
        text(
            f"SELECT s.id AS seal, {COLUMNS} FROM audit_seal s"  # noqa: S608 - our own columns
            " JOIN audit_entry e ON e.id BETWEEN s.first_id AND s.last_id AND e.id <@ s.ids"
            " WHERE s.id BETWEEN :first AND :last ORDER BY s.id, e.id"
        ),
        {"first": group[0].id, "last": group[-1].id},
        execution_options={"yield_per": 1000},
    )


def _sealed(one: AuditSeal) -> Iterator[tuple[int, bytes]]:
    numbers = (number for part in one.ids for number in range(part.lower or 0, part.upper or 0))
    for place, number in enumerate(numbers):
        yield number, one.digests[32 * place : 32 * place + 32]


def _look_at_the_rest(
    session: Session, verdict: Verdict, last: AuditSeal | None, order: _Order
) -> None:
    """Entries that no seal holds wait for one, unless they should have been in one."""
    held = "(SELECT coalesce(range_agg(ids), '{}') FROM audit_seal)"
    twice = session.scalar(
        text(
            "SELECT (SELECT coalesce(sum(entries), 0) FROM audit_seal) - coalesce(sum(upper(r)"
            " - lower(r)), 0) FROM unnest((SELECT range_agg(ids) FROM audit_seal)) r"
        )
    )
    if twice:
        _note(verdict, SEALED_TWICE, seal=last.id if last else 0)
    here = last is not None and last.system == system_of(session)
    for number, xid in session.execute(
        text(f"SELECT id, xid FROM audit_entry WHERE NOT id <@ {held} ORDER BY id"),  # noqa: S608
        execution_options={"yield_per": 1000},
    ):
        if here and last and (xid < last.horizon or order.behind(number, xid)):
            _note(verdict, PUT_IN, entry=number)
        else:
            verdict.waiting += 1


def _compare_head(session: Session, verdict: Verdict, exported: dict[str, Any]) -> None:
    number, wanted = exported.get("seal"), exported.get("hash")
    if not isinstance(number, int) or not isinstance(wanted, str):
        _note(verdict, WRONG_HEAD)
    elif number:
        there = session.scalar(select(AuditSeal.hash).where(AuditSeal.id == number))
        if there is None:
            _note(verdict, CUT_OFF, seal=number)
        elif there.hex() != wanted:
            _note(verdict, OTHER_HEAD, seal=number)


def _note(verdict: Verdict, what: str, **facts: int) -> None:
    if len(verdict.findings) < MOST_FINDINGS:
        verdict.findings.append(Finding(what, facts, facts.get("entry")))
