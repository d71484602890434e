"""P10 and the machine around us: full disks, servers that go away, migrations cut off.

Each measure prints a line with its counts.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from core import migrate
from core.cluster import ClusterUrls, PrivateCluster, cluster_for
from core.serve import STALLED_SECONDS
from core.settings import ROOT
from tests.soak.figures import Found
from tests.soak.ledger import Ledger
from tests.soak.phones import Phone, TryAgain
from tests.soak.province import Photo, new_id, picture, settle, submission
from tests.soak.running import Running, running, waited

MIGRATION_KILLS = 40
MIGRATORS = 4
SILENT = 48
MIGRATE = "import sys; from core import migrate; migrate.upgrade(sys.argv[1], sys.argv[2])"


# Migrations.


def migrations(service: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """Several migrators at once; then migrators that are killed anywhere, and go on."""
    cluster = service.service.cluster
    known = steps(cluster)
    order = list(known)
    newest = ScriptDirectory.from_config(migrate.config("", None)).get_current_head()
    with database(cluster, "at_once") as urls:
        several = [migrator(urls) for _ in range(MIGRATORS)]
        ended = [one.wait(300) for one in several]
        same = state(urls) == (newest, known[newest])
    yield Found(
        "P10",
        f"{MIGRATORS} migrators at once: {ended.count(0)} ended well,"
        f" the schema is {'the newest' if same else 'ANOTHER'}",
        same and not any(ended),
        done={"migrators at once": MIGRATORS},
        wrong={"migrators that failed": MIGRATORS - ended.count(0)},
    )
    kills = max(4, round(MIGRATION_KILLS * scale))
    between, whole, completed = 0, 0, 0
    for number in range(kills):
        with database(cluster, f"killed_{number}") as urls:
            one = migrator(urls)
            wait_for_revision(urls, one, order, number * len(order) // kills)
            time.sleep(chance.random() * 0.1)
            if number % 4 == 3:
                service.kill_database()
                service.wait_until_ready()
                one.wait(60)
            one.kill()
            one.wait()
            waited(lambda urls=urls: alone(cluster, urls), "the server ended it", 30)
            revision, digest = state(urls)
            whole += digest == known.get(revision)
            between += revision not in {None, newest}
            completed += migrator(urls).wait(300) == 0 and state(urls) == (newest, known[newest])
    yield Found(
        "P10",
        f"{kills} migrations killed, {between} of them between two revisions:"
        f" {whole} left the schema of a revision, {completed} were completed afterwards",
        (whole, completed) == (kills, kills) and between > 0,
        done={"migrations killed": kills, "of them between two revisions": between},
        wrong={"schemas of no revision": kills - whole, "not completed": kills - completed},
    )


def wait_for_revision(
    urls: ClusterUrls, one: subprocess.Popen[bytes], order: list[str | None], place: int
) -> None:
    """Wait until a migrator has come so far, or to its end."""
    with connected(urls.owner_url) as connection:
        while one.poll() is None:
            row = None
            with suppress(psycopg.errors.UndefinedTable):
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if order.index(row[0] if row else None) >= place:
                return
            time.sleep(0.005)


def steps(cluster: PrivateCluster) -> dict[str | None, str]:
    """What the schema is at each revision, the oldest first."""
    known: dict[str | None, str] = {}
    with database(cluster, "steps") as urls:
        known[None] = state(urls)[1]
        script = ScriptDirectory.from_config(migrate.config(urls.owner_url, None))
        for one in reversed(list(script.walk_revisions())):
            migrate.upgrade(urls.owner_url, urls.app_url, one.revision)
            known[one.revision] = state(urls)[1]
    return known


@contextmanager
def database(cluster: PrivateCluster, name: str) -> Iterator[ClusterUrls]:
    urls = cluster.create_database(f"soak_{name}")
    try:
        yield urls
    finally:
        cluster.drop_database(f"soak_{name}")


def migrator(urls: ClusterUrls) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE, urls.owner_url, urls.app_url],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def connected(url: str) -> psycopg.Connection:
    parts = make_url(url)
    return psycopg.connect(
        host=str(parts.query["host"]),
        dbname=parts.database,
        user=parts.username,
        password=parts.password,
        autocommit=True,
    )


def alone(cluster: PrivateCluster, urls: ClusterUrls) -> bool:
    """Whether nobody but us is connected to a database."""
    with connected(urls.owner_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return found == (0,)


def state(urls: ClusterUrls) -> tuple[str | None, str]:
    """The revision that a database says it has, and a digest of the schema that it does have."""
    with connected(urls.owner_url) as connection:
        found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        revision = None
        if found == (True,):
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            revision = row[0] if row else None
        digest = connection.execute(SCHEMA).fetchone()
    return revision, str((digest or ("",))[0])


# Columns, constraints, indexes, triggers, functions and grants, of ours and not of the extensions.
# The table of the revision itself comes before the first of them and goes with none.
SCHEMA = """
WITH ours AS (
  SELECT c.oid, c.relname, c.relkind, c.relacl FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
  WHERE c.relname <> 'alembic_version' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
), told AS (
  SELECT format('%s %s %s', relname, relkind, relacl::text) AS line FROM ours
  WHERE relname <> 'alembic_version_pkc'
  UNION ALL
  SELECT format('%s.%s %s %s %s %s', relname, attname, atttypid::regtype, atttypmod, attnotnull,
                pg_get_expr(adbin, adrelid))
  FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum WHERE relkind IN ('r', 'v')
  UNION ALL
  SELECT format('%s %s', relname, pg_get_constraintdef(k.oid))
  FROM ours JOIN pg_constraint k ON k.conrelid = ours.oid
  UNION ALL
  SELECT pg_get_indexdef(indexrelid) FROM ours JOIN pg_index ON indrelid = ours.oid
  UNION ALL
  SELECT pg_get_triggerdef(t.oid) FROM ours JOIN pg_trigger t ON t.tgrelid = ours.oid
  WHERE NOT tgisinternal
  UNION ALL
  SELECT pg_get_functiondef(p.oid) FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public'
  WHERE p.prokind = 'f' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
)
SELECT md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C")) FROM told
"""


# A server that goes away.


def restarted(_: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """PostgreSQL of somebody else is stopped, stays away, and comes back: nobody restarts us."""
    away = max(5.0, min(20.0, 20.0 * scale * 5))
    with tempfile.TemporaryDirectory(prefix="thap-canh-soak-server-") as folder:
        cluster = cluster_for(ROOT, Path(folder))
        try:
            urls = cluster.start()
            with running(
                DATABASE_URL=urls.app_url, MIGRATION_DATABASE_URL=urls.owner_url
            ) as service:
                yield from through_an_outage(service, cluster, away)
        finally:
            cluster.destroy()


def through_an_outage(service: Running, cluster: PrivateCluster, away: float) -> Iterator[Found]:
    before = service.workers()
    answers: Counter[str] = Counter()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            for path in ("/readyz", "/sign-in", "/api/v1/towers", "/healthz"):
                status, headers = service.ask(path)
                told = "Retry-After" in headers or status != 503
                answers[f"{status}" if told else "503 without Retry-After"] += 1
                if path == "/healthz":
                    answers["healthz"] += status == 200
                    answers["healthz missing"] += status != 200
            time.sleep(0.05)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for one in askers:
        one.start()
    time.sleep(1)
    cluster.stop()
    time.sleep(away)
    cluster.start()
    back = service.wait_until_ready()
    time.sleep(1)
    done.set()
    for one in askers:
        one.join()
    healthy, missing = answers.pop("healthz"), answers.pop("healthz missing", 0)
    jobs = waited(
        lambda: service.jobs() and b'"running"' in body_of(service), "the worker of jobs", 120
    )
    same = set(service.workers()) == set(before) and service.lived_through()
    told = ", ".join(f"{count} × {answer}" for answer, count in sorted(answers.items()))
    yield Found(
        "P9",
        f"PostgreSQL away for {away:.0f} s: {told}; /healthz {healthy} × yes; ready {back:.1f} s"
        f" after it came back, jobs after {jobs:.0f} s,"
        f" {'the same processes' if same else f'OTHER processes: {before} {service.workers()}'}",
        same and not missing and set(answers) <= {"200", "401", "503"} and answers["503"] > 0,
        "\n".join(service.broken()[-3:]),
    )


def body_of(service: Running) -> bytes:
    with suppress(OSError), socket.create_connection(("127.0.0.1", service.port), 5) as line:
        line.sendall(b"GET /readyz HTTP/1.0\r\nHost: x\r\n\r\n")
        line.settimeout(10)
        content = b""
        while piece := line.recv(4096):
            content += piece
        return content
    return b""


# Phones that fall silent.


def silent(service: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """More phones than there are threads stop in the middle of a body and stay connected."""
    if scale < 0.1:
        # It is nothing but waiting, for longer than a short soak takes.
        return
    (inspector,) = settle(service, inspectors=1, towers=2, prefix="T")
    head = (
        f"POST /api/v1/inspections HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {inspector.token}\r\nContent-Length: 500\r\n\r\n{{"
    ).encode()
    lines = [socket.create_connection(("127.0.0.1", service.port), 10) for _ in range(SILENT)]
    try:
        for one in lines:
            one.sendall(head)
        time.sleep(0.5)
        took = waited(
            # Each of the workers is asked.
            lambda: all(service.ask("/healthz", seconds=2)[0] == 200 for _ in range(12)),
            "others are served",
            STALLED_SECONDS * 3,
            service,
        )
    finally:
        for one in lines:
            one.close()
    yield Found(
        "P7",
        f"{SILENT} phones fell silent within a request: others are served after {took:.0f} s",
        took < STALLED_SECONDS * 3,
    )


# Full disks.


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "soak", place], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def full_disks(service: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """First the photos have no room, then PostgreSQL."""
    if os.geteuid() != 0:
        print("full disks: not tried, only root can mount a small file system", flush=True)
        return
    yield from photos_on_a_full_disk(service, chance)
    yield from database_on_a_full_disk(chance)


def photos_on_a_full_disk(service: Running, chance: random.Random) -> Iterator[Found]:
    (inspector,) = settle(service, inspectors=1, towers=2, prefix="F")
    one = submission(inspector, chance, with_photo=False)
    ledger = Ledger(service.instance / "soak-full.jsonl")
    phone = Phone(service.port, inspector.token, ledger, chance)
    phone.insist(lambda: phone.send_batch([one]))
    photos = [Photo(new_id(chance), picture(chance, 220)) for _ in range(40)]
    folder, put_off = service.instance / "photos", 0
    with small_disk(folder, "2m"), small_disk(service.instance / "field", "1m"):
        for photo in photos:
            try:
                phone.send_photo(one.id, photo)
            except TryAgain:
                put_off += 1
        kept = ledger.acknowledged("photo")
        whole = sum(intact(folder, photo) for photo in photos if photo.id in kept)
        rows = listed(service, photos)
        others = service.ask("/sign-in")[0]
        yield Found(
            "P5",
            f"photos on a full disk: {len(kept)} kept, {whole} of them whole, {put_off} put off"
            f" ({told(ledger)}), {len(rows - kept)} fragments visible; pages answer {others}",
            whole == len(kept) > 0
            and put_off > 0
            and rows == kept
            and others == 200
            and not {"500", "503 without Retry-After"} & set(ledger.answers),
            "\n".join(service.broken()[-3:]),
        )
        for one_folder in (folder, service.instance / "field"):
            subprocess.run(["mount", "-o", "remount,size=50m", one_folder], check=True)
        for photo in photos:
            phone.insist(lambda photo=photo: phone.send_photo(one.id, photo))
        whole = sum(intact(folder, photo) for photo in photos)
        yield Found(
            "P5",
            f"with room again: {whole} of {len(photos)} whole, without a restart",
            whole == len(photos) and service.lived_through(),
        )
    ledger.close()


def told(ledger: Ledger) -> str:
    return ", ".join(f"{count} × {answer}" for answer, count in sorted(ledger.answers.items()))


def intact(folder: Path, photo: Photo) -> bool:
    path = folder / photo.sha256[:2] / photo.sha256
    return path.exists() and path.read_bytes() == photo.content


def listed(service: Running, photos: list[Photo]) -> set:
    with service.connect() as connection:
        found = connection.execute(
            "SELECT id FROM photo WHERE id = ANY(%s)", ([one.id for one in photos],)
        ).fetchall()
    return {row[0] for row in found}


def database_on_a_full_disk(chance: random.Random) -> Iterator[Found]:
    """The disk of the private cluster fills up to its last byte, with its log of changes too."""
    with tempfile.TemporaryDirectory(prefix="thap-canh-soak-full-") as folder:
        instance = Path(folder) / "instance"
        home = cluster_for(ROOT, instance).home
        with small_disk(home, "400m"), running(instance) as service:
            yield from through_a_full_disk(service, home, chance)


def through_a_full_disk(service: Running, home: Path, chance: random.Random) -> Iterator[Found]:
    (inspector,) = settle(service, inspectors=1, towers=20, prefix="D")
    ledger = Ledger(service.instance / "soak-disk.jsonl")
    phone = Phone(service.port, inspector.token, ledger, chance)
    sent = [submission(inspector, chance, with_photo=False) for _ in range(60)]
    for one in sent[:10]:
        phone.insist(lambda one=one: phone.send_batch([one]))
    ballast, put_off = home / "ballast", 0
    fill(ballast)
    # What is left of the log of changes is used up as well: then PostgreSQL itself gives up.
    with suppress(psycopg.Error), service.connect(owner=True) as connection:
        for _ in range(500):
            connection.execute("SELECT pg_logical_emit_message(true, 'soak', repeat('x', 1000000))")
            fill(ballast)
    until = time.monotonic() + 8
    for one in sent[10:]:
        if time.monotonic() > until:
            break
        try:
            phone.send_batch([one])
        except TryAgain:
            put_off += 1
            fill(ballast)
            time.sleep(0.2)
    statuses = {service.ask(path)[0] for path in ("/readyz", "/sign-in", "/healthz")}
    ballast.unlink()
    back = service.wait_until_ready(90)
    for one in sent:
        phone.insist(lambda one=one: phone.send_batch([one]))
    kept = ledger.acknowledged("inspection")
    with service.connect() as connection:
        rows = connection.execute("SELECT id FROM inspection").fetchall()
        whole = connection.execute(
            "SELECT count(*) FROM inspection i WHERE status = 'submitted'"
            " AND (SELECT count(*) FROM answer a WHERE a.inspection_id = i.id) = 3"
        ).fetchone()
    ledger.close()
    ended = service.service.said().count("PostgreSQL has ended")
    yield Found(
        "P1",
        f"PostgreSQL on a full disk: gave up {ended} times, {put_off} put off ({told(ledger)}),"
        f" ready {back:.0f} s after there was room;"
        f" {len(kept)} acknowledged, {len(kept - {row[0] for row in rows})} lost,"
        f" {len(rows) - (whole or (0,))[0]} half, without a restart",
        len(kept) == len(sent) == len(rows) == (whole or (0,))[0]
        and put_off > 0
        and ended > 0
        and service.lived_through()
        and statuses <= {200, 503}
        and not {"500", "503 without Retry-After"} & set(ledger.answers),
        "\n".join(service.broken()[-3:]),
    )


def fill(path: Path) -> None:
    """Take every byte that is left on a disk."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(65536))
