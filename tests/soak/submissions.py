"""P1: what was acknowledged is there, once and whole, through kills and a network that breaks."""

from __future__ import annotations

import hashlib
import hmac
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from tests.soak.figures import Found
from tests.soak.ledger import Ledger
from tests.soak.phones import Phone
from tests.soak.province import Inspector, Submission, settle, submission
from tests.soak.proxy import network
from tests.soak.running import Running

SENDS = 3
SUBMISSIONS = 10_000
PHONES_EACH = 2
# How many operations a phone sends at once, at most.
BATCH = 12
INSPECTORS, TOWERS_EACH = 8, 40
# How much passes through a connection before it is cut, on average: some thirty sends.
MEAN_BYTES = 40_000.0


@dataclass(frozen=True)
class Kills:
    """How often who is killed."""

    workers: int = 24
    databases: int = 12
    jobs: int = 4

    def scaled(self, scale: float) -> Kills:
        return Kills(
            max(3, round(self.workers * scale)),
            max(2, round(self.databases * scale)),
            max(1, round(self.jobs * scale)),
        )


def measure(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """So much of the whole soak."""
    number = max(40, round(SUBMISSIONS * scale))
    yield from sent_through(running, number, Kills().scaled(scale), chance)


def sent_through(
    running: Running, number: int, kills: Kills, chance: random.Random
) -> Iterator[Found]:
    """Send so many submissions three times while things die, then compare."""
    towers = min(TOWERS_EACH, max(2, number // 50))
    inspectors = settle(running, inspectors=INSPECTORS, towers=towers)
    sent = [
        submission(inspectors[one % INSPECTORS], chance, with_photo=one % 10 == 0)
        for one in range(number)
    ]
    ledger = Ledger(running.instance / "soak-ledger.jsonl")
    running.killed = dict.fromkeys(running.killed, 0)
    begun = time.monotonic()
    deaths = schedule(running, kills, chance)
    with network(running.port, mean_bytes=MEAN_BYTES, chance=random.Random(chance.random())) as way:
        failures = send_all(way.port, sent, ledger, chance, deaths)
    seconds = time.monotonic() - begun
    running.wait_until_ready()
    ledger.close()
    sends, killed = number * SENDS, running.killed
    yield Found(
        "P1",
        f"{sends:,} sends in {seconds:.0f} s ({sends / seconds:.0f} a second) through"
        f" {killed['workers']} kills of workers, {killed['databases']} of PostgreSQL,"
        f" {killed['jobs']} of the worker of jobs, {way.cuts['up']} + {way.cuts['down']} cuts",
        running.lived_through() and not deaths,
        "the service ended, or not everything was killed",
        {"sends": sends, "kills of workers": killed["workers"],
         "kills of PostgreSQL": killed["databases"],
         "connections cut": way.cuts["up"] + way.cuts["down"]},
    )  # fmt: skip
    told = ", ".join(f"{count:,} × {answer}" for answer, count in sorted(ledger.answers.items()))
    wrong = {"500", "502", "503 without Retry-After"} & set(ledger.answers)
    why = [*failures[:3], *running.broken()[-3:]]
    yield Found(
        "P7",
        f"answers: {told}",
        not failures and not wrong,
        "\n".join(why),
        {"answers through kills and cuts": sum(ledger.answers.values())},
        {"answers that were no answer": sum(ledger.answers[one] for one in wrong)},
    )
    yield compared(running, sent, ledger)
    yield receipts(running, ledger)


def schedule(
    running: Running, kills: Kills, chance: random.Random
) -> list[tuple[float, Callable[[], bool]]]:
    """When who is killed, as shares of all sends: evenly, the last not at the very end."""
    kinds: Sequence[tuple[int, Callable[[], bool]]] = (
        (kills.workers, lambda: running.kill_worker(chance)),
        (kills.databases, running.kill_database),
        (kills.jobs, running.kill_jobs),
    )
    return sorted(
        (
            ((place + 0.5 + 0.3 * (chance.random() - 0.5)) / count, death)
            for count, death in kinds
            for place in range(count)
        ),
        key=lambda one: one[0],
    )


def send_all(
    port: int,
    sent: Sequence[Submission],
    ledger: Ledger,
    chance: random.Random,
    deaths: list[tuple[float, Callable[[], bool]]],
) -> list[str]:
    """Each inspector's phones send in no order; returns what was never acknowledged and why."""
    queues: dict[uuid.UUID, list[Submission]] = {}
    for one in sent:
        queues.setdefault(one.inspector.user_id, []).extend([one] * SENDS)
    done, failures, lock = [0], [], threading.Lock()

    def carry(inspector: Inspector, queue: list[Submission], seed: float) -> None:
        phone = Phone(port, inspector.token, ledger, random.Random(seed))
        while True:
            with lock:
                if not queue:
                    break
                most = min(len(queue), phone.chance.randint(1, BATCH))
                taken = [queue.pop() for _ in range(most)]
            # What stands twice in a queue is in it once a batch.
            batch = list({one.id: one for one in taken}.values())
            with lock:
                queue.extend((Counter(taken) - Counter(batch)).elements())
            try:
                phone.send(batch)
            except Exception as error:
                with lock:
                    failures.append(f"{batch[0].id}: {type(error).__name__} {error}")
            with lock:
                done[0] += len(batch)
        phone.hang_up()

    whole = len(sent) * SENDS
    inspectors = {one.inspector.user_id: one.inspector for one in sent}
    with ThreadPoolExecutor(len(inspectors) * PHONES_EACH) as threads:
        running = []
        for user_id, queue in queues.items():
            chance.shuffle(queue)
            running += [
                threads.submit(carry, inspectors[user_id], queue, chance.random())
                for _ in range(PHONES_EACH)
            ]
        try:
            while not all(one.done() for one in running):
                # Who is dead already is killed a moment later.
                if deaths and done[0] / whole >= deaths[0][0] and deaths[0][1]():
                    deaths.pop(0)
                time.sleep(0.02)
        finally:
            # Ctrl-C ends the phones as well.
            with lock:
                for queue in queues.values():
                    queue.clear()
        for one in running:
            one.result()
    return failures


def receipts(running: Running, ledger: Ledger) -> Found:
    """Every receipt that was given is signed with the key of the service, and in its table."""
    key = (running.instance / "receipt-key").read_text().strip().encode()
    with running.connect() as connection:
        found = connection.execute(
            "SELECT operation_id::text, encode(content_sha256, 'hex') FROM receipt"
        ).fetchall()
        waiting = connection.execute("SELECT count(*) FROM review_item").fetchone()
    kept, given, good = set(found), 0, 0
    for line in ledger.read():
        if said := line["receipt"]:
            given += 1
            signed = said.pop("signature")
            content = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
            true = hmac.compare_digest(hmac.digest(key, content, "sha256").hex(), signed)
            good += true and (said["operation"], said["content_sha256"]) in kept
    return Found(
        "P1",
        f"{given:,} receipts given, {good:,} of them signed and kept; {len(found):,} kept in all,"
        f" {(waiting or (0,))[0]} left for staff",
        given == good and waiting == (0,) and len(found) == len(kept),
        done={"receipts": given},
        wrong={"receipts not signed or not kept": given - good},
    )


@dataclass(frozen=True)
class Row:
    """An inspection in the database, and how much of what belongs to it is there."""

    status: str
    answers: int
    kept: int
    created: int
    findings: int
    receipts: int
    waiting: int


def compared(running: Running, sent: Sequence[Submission], ledger: Ledger) -> Found:
    """Hold the database against the ledger, and every row against what was sent."""
    inspections, photos = ledger.receipts("inspection"), ledger.receipts("photo")
    rows, kept_photos = rows_of(running), photos_of(running)
    lost, twice, half = set(), set(), set()
    by_id = {one.id: one for one in sent}
    for one in sent:
        row = rows.get(one.id)
        if row is None:
            if one.id in inspections:
                lost.add(one.id)
            continue
        if (
            max(row.kept, row.created, row.receipts) > 1
            or row.findings > one.findings
            or (sum(line["new"] for line in inspections.get(one.id, [])) > 1)
        ):
            twice.add(one.id)
        whole = (row.status, row.answers) == ("submitted", len(one.body["answers"]))
        if (
            not whole
            or min(row.kept, row.created, row.receipts) < 1
            or (row.findings < one.findings or row.waiting)
        ):
            half.add(one.id)
        if one.photo:
            there = kept_photos.get(one.photo.id)
            if there is None:
                if one.photo.id in photos:
                    lost.add(one.photo.id)
            elif not whole_files(running, *there, one):
                half.add(one.photo.id)
    # What nobody sent is somebody's twice.
    twice |= rows.keys() - by_id.keys()
    twice |= kept_photos.keys() - {one.photo.id for one in sent if one.photo}
    line = (
        f"{len(inspections):,} acknowledged, {len(lost)} lost, {len(twice)} duplicated,"
        f" {len(half)} half"
    )
    good = not (lost or twice or half) and len(inspections) == len(sent)
    examples = [str(one) for group in (lost, twice, half) for one in sorted(group)[:2]]
    return Found(
        "P1",
        f"{line} ({len(photos):,} photos among them)",
        good,
        " ".join(examples),
        {"submissions acknowledged": len(inspections), "photos acknowledged": len(photos)},
        {"lost": len(lost), "duplicated": len(twice), "half-written": len(half)},
    )


def rows_of(running: Running) -> dict[uuid.UUID, Row]:
    with running.connect() as connection:
        found = connection.execute(
            "SELECT i.id, i.status,"
            " (SELECT count(*) FROM answer a WHERE a.inspection_id = i.id),"
            " (SELECT count(*) FROM submission s WHERE s.inspection_id = i.id),"
            " (SELECT count(*) FROM audit_entry e WHERE e.kind = 'inspection'"
            "  AND e.object_id = i.id::text AND e.action = 'inspection.create'),"
            " (SELECT count(*) FROM violation_event v WHERE v.inspection_id = i.id),"
            " (SELECT count(*) FROM receipt r WHERE r.inspection_id = i.id),"
            " (SELECT count(*) FROM declared_photo d WHERE d.inspection_id = i.id"
            "  AND d.arrived_at IS NULL)"
            " FROM inspection i JOIN tower t ON t.id = i.tower_id AND t.code LIKE 'S__-____'"
        ).fetchall()
    return {row[0]: Row(*row[1:]) for row in found}


def photos_of(running: Running) -> dict[uuid.UUID, tuple[uuid.UUID, bytes]]:
    with running.connect() as connection:
        found = connection.execute(
            "SELECT p.id, p.inspection_id, p.sha256 FROM photo p"
            " JOIN inspection i ON i.id = p.inspection_id"
            " JOIN tower t ON t.id = i.tower_id AND t.code LIKE 'S__-____'"
        ).fetchall()
    return {row[0]: (row[1], bytes(row[2])) for row in found}


def whole_files(running: Running, inspection: uuid.UUID, sha256: bytes, one: Submission) -> bool:
    """Whether a photo's row fits what was sent and its files are there, whole."""
    name = sha256.hex()
    original = running.instance / "photos" / name[:2] / name
    return (
        one.photo is not None
        and inspection == one.id
        and name == one.photo.sha256
        and original.exists()
        and hashlib.sha256(original.read_bytes()).digest() == sha256
        and all(original.with_name(f"{name}.{copy}.jpg").exists() for copy in ("full", "thumbnail"))
    )
