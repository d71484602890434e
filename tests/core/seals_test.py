"""The audit is sealed batch by batch; whatever is done to it afterwards is found and named."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from core import audit, seals
from core.policy import SYSTEM
from core.seals import Verdict
from tests.conftest import Note, asked_of

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


@dataclass
class Book:
    """An audit of its own whose transactions are real ones."""

    owner: Engine
    app: Engine

    def write(self, number: int = 1, session: Session | None = None) -> None:
        if session is None:
            with Session(self.app) as own, own.begin():
                return self.write(number, own)
        for place in range(number):
            audit.record(
                session, "tower.edit", "tower", f"t{place}", by=SYSTEM, now=NOW,
                before={"height_m": 42.5, "name": "Trạm"}, after={"height_m": place},
            )  # fmt: skip
        session.flush()
        return None

    def seal(self) -> int:
        with Session(self.app) as session, session.begin():
            return sum(one.entries for one in seals.seal(session, now=NOW))

    def verify(self, head: dict | None = None) -> Verdict:
        with Session(self.app) as session:
            return seals.verify(session, head)

    def head(self) -> dict:
        with Session(self.app) as session:
            return seals.head(session)

    def master(self, statement: str, **values: object) -> None:
        """What only the owner of the table can do."""
        with self.owner.begin() as connection:
            connection.execute(text(statement), values)

    def ids(self) -> list[int]:
        with self.app.connect() as connection:
            return list(connection.scalars(text("SELECT id FROM audit_entry ORDER BY id")))


@pytest.fixture(scope="module")
def shelf(cluster, migrated: str) -> Iterator[Book]:
    urls = cluster.create_database("seals", migrated)
    made = Book(create_engine(urls.owner_url), create_engine(urls.app_url))
    yield made
    made.owner.dispose()
    made.app.dispose()
    cluster.drop_database("seals")


@pytest.fixture
def book(shelf: Book) -> Book:
    """An empty one."""
    shelf.master("TRUNCATE audit_entry, audit_seal")
    return shelf


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seals of three entries, looked through two at a time."""
    monkeypatch.setattr(seals, "MOST", 3)
    monkeypatch.setattr(seals, "SEALS_AT_ONCE", 2)


def test_what_is_written_is_sealed_once(book: Book, small: None) -> None:
    assert book.verify().sound and book.seal() == 0
    book.write(7)
    waiting = book.verify()
    assert waiting.sound and waiting.waiting == 7
    assert book.seal() == 7
    assert book.seal() == 0
    book.write(2)
    assert book.seal() == 2
    found = book.verify(book.head())
    assert (found.sound, found.seals, found.entries, found.waiting) == (True, 4, 9, 0)


def test_nothing_is_skipped_that_commits_late(book: Book) -> None:
    """A transaction that began before a seal and ends after it, and one that is rolled back."""
    early, undone = Session(book.app), Session(book.app)
    book.write(1)
    assert book.seal() == 1
    book.write(1)
    book.write(2, early)
    book.write(1, undone)
    book.write(2)
    # What was committed before the oldest open transaction is sealed, the rest waits.
    assert book.seal() == 1
    assert book.verify().waiting == 2
    undone.rollback()
    assert book.seal() == 0
    early.commit()
    # Their numbers lie below those of the others: still nobody takes them for put in.
    found = book.verify()
    assert found.sound and found.waiting == 4
    assert book.seal() == 4
    found = book.verify(book.head())
    assert found.sound and (found.entries, found.waiting) == (6, 0)


def test_late_entries_with_lower_numbers_come_into_a_later_seal(book: Book) -> None:
    """The first entry is committed before a seal that holds higher numbers of later ones."""
    late = Session(book.app)
    late.begin()
    number = late.scalar(text("SELECT nextval('audit_entry_id_seq')"))
    # Numbers are taken behind the transaction's, so this one may only be used by hand.
    book.write(3)
    assert book.seal() == 3
    late.rollback()
    book.master(
        "INSERT INTO audit_entry (id, at, actor, action, kind, object_id)"
        " VALUES (:id, now(), 'a', 'b', 'c', 'd')", id=number,
    )  # fmt: skip
    assert book.verify().first.facts == {"entry": number}


def test_writers_sealer_and_verifier_at_once_miss_nothing_and_cry_never(
    book: Book, figure: Note
) -> None:
    """Short, long and failing transactions while seals are made and looked at."""
    end = time.monotonic() + 3
    cries: list[object] = []
    written: list[int] = []

    def write(chance: random.Random) -> None:
        while time.monotonic() < end:
            with Session(book.app) as session:
                number = 0
                for _ in range(chance.randint(1, 3)):
                    more = chance.randint(1, 4)
                    book.write(more, session)
                    number += more
                    time.sleep(chance.choice([0, 0, 0.01, 0.2]))
                if chance.random() < 0.2:
                    session.rollback()
                else:
                    session.commit()
                    written.append(number)

    def look() -> None:
        while time.monotonic() < end:
            cries.extend(book.verify().findings)

    def seal() -> None:
        while time.monotonic() < end:
            book.seal()

    with ThreadPoolExecutor(7) as pool:
        running = [pool.submit(write, random.Random(place)) for place in range(4)]
        running += [pool.submit(look), pool.submit(seal), pool.submit(seal)]
        for one in running:
            one.result()
    book.seal()
    found = book.verify()
    figure("P8", "entries written and sealed at once, then verified", found.entries)
    figure("P8", "false alarms", len(cries), wrong=True)
    assert cries == [] and found.sound and found.seals > 5
    assert (found.entries, found.waiting) == (sum(written), 0)


def tampered(figure: Note, *, found: bool) -> None:
    figure("P8", "kinds of tampering tried", 1)
    figure("P8", "not found", int(not found), wrong=True)


SWAP = (
    "UPDATE audit_entry e SET (at, actor, action, kind, object_id, before, after, xid) ="
    " (o.at, o.actor, o.action, o.kind, o.object_id, o.before, o.after, o.xid)"
    " FROM audit_entry o WHERE e.id IN (:id, :id + 1) AND o.id IN (:id, :id + 1) AND o.id <> e.id"
)
PUT_IN = (
    "INSERT INTO audit_entry (id, at, actor, action, kind, object_id)"
    " VALUES (:id, now() - interval '1 year', 'x@example.org', 'tower.edit', 'tower', 't')"
)


@pytest.mark.parametrize(
    ("forgery", "text_of"),
    [
        ("UPDATE audit_entry SET actor = 'x@example.org' WHERE id = :id", seals.CHANGED),
        ("UPDATE audit_entry SET after = after || '{\"height_m\": 9}' WHERE id = :id",
         seals.CHANGED),
        ("UPDATE audit_entry SET at = at - interval '1 microsecond' WHERE id = :id", seals.CHANGED),
        ("UPDATE audit_entry SET address = '192.0.2.1' WHERE id = :id", seals.CHANGED),
        ("DELETE FROM audit_entry WHERE id = :id", seals.MISSING),
        (SWAP, seals.CHANGED),
    ],
)  # fmt: skip
def test_the_first_wrong_entry_is_named(
    book: Book, small: None, forgery: str, text_of: str, figure: Note
) -> None:
    book.write(8)
    book.seal()
    number = book.ids()[4]
    book.master(forgery, id=number)
    first = book.verify().first
    tampered(figure, found=first is not None)
    assert first is not None and (first.what, first.entry) == (text_of, number)


@pytest.mark.parametrize("sealed_after", [False, True])
def test_what_was_put_in_is_named(
    book: Book, small: None, sealed_after: bool, figure: Note
) -> None:
    book.write(4)
    gone = Session(book.app)
    book.write(1, gone)
    gone.rollback()
    book.write(4)
    book.seal()
    (gap,) = set(range(book.ids()[0], book.ids()[-1])) - set(book.ids())
    book.master(PUT_IN, id=gap)
    if sealed_after:
        book.write(1)
        book.seal()
    first = book.verify().first
    tampered(figure, found=first is not None)
    assert first is not None and (first.what, first.entry) == (seals.PUT_IN, gap)


@pytest.mark.parametrize(
    ("forgery", "text_of"),
    [
        ("DELETE FROM audit_seal WHERE id = 2", seals.SEAL_MISSING),
        ("UPDATE audit_seal SET sealed_at = sealed_at - interval '1 day' WHERE id = 2",
         seals.SEAL_CHANGED),
        ("UPDATE audit_seal SET previous = hash WHERE id = 2", seals.UNCHAINED),
        ("UPDATE audit_seal s SET ids = o.ids, digests = o.digests FROM audit_seal o"
         " WHERE s.id IN (1, 2) AND o.id IN (1, 2) AND o.id <> s.id", seals.SEAL_CHANGED),
    ],
)  # fmt: skip
def test_a_forged_seal_is_found(
    book: Book, small: None, forgery: str, text_of: str, figure: Note
) -> None:
    book.write(9)
    book.seal()
    book.master(forgery)
    findings = {one.what for one in book.verify().findings}
    tampered(figure, found=bool(findings))
    assert text_of in findings


def test_a_cut_end_is_found_by_the_exported_head(book: Book, small: None, figure: Note) -> None:
    book.write(7)
    book.seal()
    head = book.head()
    (last,) = book.ids()[-1:]
    book.master("DELETE FROM audit_entry WHERE id = :id", id=last)
    book.master("DELETE FROM audit_seal WHERE id = 3")
    # The chain alone cannot know what stood behind its end; who kept the head does.
    assert book.verify().sound
    tampered(figure, found=not book.verify(head).sound)
    assert book.verify(head).findings[0].what == seals.CUT_OFF
    # Written and sealed anew, in the place of what was.
    book.write(1)
    book.seal()
    assert book.verify().sound
    assert book.verify(head).findings[0].what == seals.OTHER_HEAD
    assert book.verify({"no": "head"}).findings[0].what == seals.WRONG_HEAD


def test_another_cluster_numbers_its_transactions_anew(
    book: Book, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a restore: the numbers of transactions are far above, or below, those before."""
    book.write(4)
    book.seal()
    book.write(2)
    head = book.head()
    book.master("UPDATE audit_entry SET xid = xid + 1000000 WHERE id > :last", last=book.ids()[3])
    monkeypatch.setattr(seals, "system_of", lambda session: "another")
    book.write(1)
    assert book.verify(head).sound
    assert book.seal() == 3
    book.write(2)
    assert book.seal() == 2
    found = book.verify(head)
    assert found.sound and (found.entries, found.waiting) == (9, 0)
    book.master("DELETE FROM audit_entry WHERE id = :id", id=book.ids()[-1])
    assert book.verify(head).first.what == seals.MISSING


def test_the_commands_tell(whole_app: Flask, book: Book, tmp_path) -> None:
    run: Callable = whole_app.test_cli_runner().invoke
    with whole_app.app_context(), asked_of(book.app, sessionmaker(book.app)):
        book.write(3)
        head = run(args=["audit", "head"])
        (tmp_path / "head").write_text(head.output)
        assert json.loads(head.output)["entries"] == 3
        good = run(args=["audit", "verify", "--head", str(tmp_path / "head")])
        assert good.exit_code == 0 and "nothing was changed" in good.output
        number = book.ids()[1]
        book.master("DELETE FROM audit_entry WHERE id = :id", id=number)
        bad = run(args=["audit", "verify"])
        assert bad.exit_code == 1 and "CHANGED" in bad.output
        assert bad.output.splitlines()[-1].startswith("First: ") and str(number) in bad.output
