"""P2: the same submission from many phones at one moment is one row, and nobody gets an error."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.soak.figures import Found
from tests.soak.ledger import Ledger
from tests.soak.phones import Phone, TryAgain
from tests.soak.province import settle, submission
from tests.soak.running import Running

IDS, AT_ONCE = 200, 50


def measure(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    ids = max(5, round(IDS * scale))
    (inspector,) = settle(running, inspectors=1, towers=max(2, ids // 4), prefix="A")
    sent = [submission(inspector, chance, with_photo=False) for _ in range(ids)]
    ledger = Ledger(running.instance / "soak-alike.jsonl")
    phones = [
        Phone(running.port, inspector.token, ledger, random.Random(one)) for one in range(AT_ONCE)
    ]
    gate, unanswered, lock = threading.Barrier(AT_ONCE), [0], threading.Lock()

    def carry(phone: Phone) -> None:
        for one in sent:
            gate.wait(120)
            try:
                phone.send_batch([one])
            except TryAgain:
                with lock:
                    unanswered[0] += 1
        phone.hang_up()

    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for one in [threads.submit(carry, phone) for phone in phones]:
            one.result()
    seconds = time.monotonic() - begun
    ledger.close()
    wanted = [one.id for one in sent]
    with running.connect() as connection:
        rows, kept, receipts = connection.execute(
            "SELECT (SELECT count(*) FROM inspection WHERE id = ANY(%s)),"
            " (SELECT count(*) FROM submission WHERE inspection_id = ANY(%s)),"
            " (SELECT count(*) FROM receipt WHERE inspection_id = ANY(%s))",
            (wanted, wanted, wanted),
        ).fetchone() or (0, 0, 0)
    new: Counter[uuid.UUID] = Counter()
    for line in ledger.read():
        new[uuid.UUID(line["id"])] += line["new"]
    errors = sum(ledger.answers[one] for one in ledger.answers if one.startswith("5"))
    yield Found(
        "P2",
        f"{ids} ids × {AT_ONCE} sends at once in {seconds:.0f} s: {rows} rows, {kept} bodies and"
        f" {receipts} receipts kept,"
        f" {sum(new.values())} said to be new, {errors} answers of 5xx, {unanswered[0]} unanswered",
        (rows, kept, receipts, errors, unanswered[0]) == (ids, ids, ids, 0, 0)
        and all(new[one] == 1 for one in wanted),
        done={"submissions sent at once": ids, "sends of each": AT_ONCE},
        wrong={"rows too many or too few": abs(rows - ids), "answers of 5xx": errors,
               "sends unanswered": unanswered[0]},
    )  # fmt: skip
