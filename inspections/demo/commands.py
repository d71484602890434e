"""`flask demo load` and `flask demo remove`."""

from __future__ import annotations

import os
import time
import uuid
from datetime import timedelta
from random import Random

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import create_engine, exists, select, text
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.passwords import new_password
from accounts.queries import user_by_email
from accounts.security import actor_of, hashed
from accounts.services import users as accounts
from areas.cli import load_demo as load_areas
from areas.models import Area
from core import audit, clock, store
from core.cli import urls
from core.db import current_session, transaction
from core.pictures import own_picture
from core.policy import SYSTEM
from inspections.demo.paperwork import load_paperwork
from inspections.demo.pictures import picture
from inspections.demo.proposals import load_proposals
from inspections.demo.province import Province
from inspections.doors import notice_store, photo_store
from inspections.models import Answer, Inspection
from inspections.notice_models import Notice
from inspections.services import checklists, photos, retelling
from inspections.services.notice_documents import Press
from towers.doors import document_store
from towers.models import Tower

commands = AppGroup("demo", help="The demo province.")
PEOPLE = (
    ("admin@example.org", "Quản trị (minh họa)", "admin"),
    ("staff@example.org", "Chuyên viên sở (minh họa)", "staff"),
    # What one of them drafts, the other issues.
    ("chief@example.org", "Lãnh đạo phòng (minh họa)", "staff"),
    ("inspector@example.org", "Kiểm tra viên (minh họa)", "inspector"),
)
PICTURES = 30
# The past of more towers than these takes minutes: it is told of them only when that is asked for.
HISTORY = 10_000


@commands.command("load")
@click.option("--towers", default=1000, type=click.IntRange(1, 1_000_000), show_default=True)
@click.option("--seed", default=2026, type=click.IntRange(0, 2**31), show_default=True)
@click.option("--if-new", is_flag=True, help="Only into a database that never had a demo.")
@click.option(
    "--history/--no-history",
    default=None,
    help=f"The map of days that are over too; by default up to {HISTORY:,} towers,"
    " since it takes longer than all the rest.",
)
def load(towers: int, seed: int, if_new: bool, history: bool | None) -> None:
    """Load Đồng Tháp with made-up towers, inspections, violations and accounts."""
    if if_new and not is_new():
        with transaction() as session:
            # Where real records are, the next start need not ask again.
            if store.value_of(session, "demo") is None:
                mark(session, "none")
        return
    started = time.monotonic()
    now = clock.now()
    with transaction() as session:
        checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=now)
    if current_session().scalar(select(Area.id).limit(1)) is None:
        click.echo(f"{load_areas().areas} communes were loaded (synthetic boundaries).")
    load_people()
    with transaction() as session:
        inspector = user_by_email(session, "inspector@example.org")
        assert inspector is not None
        Province(
            session,
            checklists.current(session),
            inspector=inspector.id,
            seed=seed,
            towers=towers,
            now=now,
            zone=clock.zone(),
        ).load(lambda done: click.echo(f"{done} of {towers} towers …"))
        if history or (history is None and towers <= HISTORY):
            for done in retelling.retell(session):
                if towers > HISTORY:
                    click.echo(f"The past of {done} of {towers} towers …")
        mark(session, "loaded")
        audit.record(
            session,
            "demo.load",
            "setting",
            "demo",
            by=SYSTEM,
            now=now,
            after={"towers": towers, "seed": seed},
        )
        load_proposals(session, seed=seed, by=actor_of(session, inspector), now=now)
    analyze()
    load_pictures(seed)
    load_papers(seed)
    click.echo(f"The demo province was loaded in {time.monotonic() - started:.0f} s.")


def is_new() -> bool:
    """Whether this database has neither a demo (now or before) nor anything real.

    Demo accounts alone are those of a load that was cut off: the next one goes on.
    """
    session = current_session()
    return (
        store.value_of(session, "demo") is None
        and session.scalar(select(Tower.id).limit(1)) is None
        and session.scalar(select(User.id).where(~User.demo).limit(1)) is None
    )


def mark(session: Session, state: str) -> None:
    session.execute(
        text(
            "INSERT INTO setting (key, value) VALUES ('demo', to_jsonb(cast(:state AS text)))"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        {"state": state},
    )


def load_people() -> None:
    """Make the demo accounts that are missing, and keep their passwords."""
    passwords: dict[str, str] = {}
    with transaction() as session:
        for email, name, role in PEOPLE:
            if user_by_email(session, email) is not None:
                continue
            passwords[email] = new_password()
            accounts.create_user(
                session,
                email=email,
                name=name,
                password_hash=hashed(passwords[email]),
                roles=[role],
                everywhere=True,
                demo=True,
                by=SYSTEM,
                now=clock.now(),
            )
        # Before the accounts can be seen: if anything fails here, there are none.
        keep_passwords(passwords)


def keep_passwords(passwords: dict[str, str]) -> None:
    if not passwords:
        return
    path = current_app.config["SETTINGS"].instance / "demo-accounts.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        for email, password in passwords.items():
            file.write(f"{email}  {password}\n")


def analyze() -> None:
    """Fresh statistics, as the owner of the tables: the first pages are as quick as later ones."""
    engine = create_engine(urls()[0], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def load_pictures(seed: int) -> None:
    """Drawn pictures, labelled as such, at some of the latest failing answers."""
    random = Random(seed)  # noqa: S311
    photo_files = photo_store()
    with transaction() as session:
        inspector = user_by_email(session, "inspector@example.org")
        assert inspector is not None
        actor = actor_of(session, inspector)
        rows = session.execute(
            select(Inspection, Answer.item_key)
            .join(Answer, Answer.inspection_id == Inspection.id)
            .where(
                Inspection.status == "submitted",
                Inspection.demo,
                Inspection.inspector_id == inspector.id,
                Answer.severity.is_not(None),
            )
            .order_by(Inspection.submitted_at.desc(), Answer.item_key)
            .limit(PICTURES)
        ).all()
        for inspection, item_key in rows:
            assert inspection.submitted_at is not None
            photos.add_photo(
                session,
                uuid.UUID(int=random.getrandbits(128), version=4),
                inspection,
                # One of its own each: the same picture at two towers is flagged.
                own_picture(picture(random)),
                store=photo_files,
                item_key=item_key,
                original_name="minh-hoa.jpg",
                sha256=None,
                by=actor,
                now=min(clock.now(), inspection.submitted_at + timedelta(minutes=5)),
            )


def load_papers(seed: int) -> None:
    """Notices and a campaign of the first load, with the pictures that are there by now."""
    settings = current_app.config["SETTINGS"]
    with transaction() as session:
        if session.scalar(select(exists().where(Notice.id.is_not(None)))):
            return
        people = [user_by_email(session, email) for email, _, _ in PEOPLE]
        _, drafter, issuer, inspector = [actor_of(session, one) for one in people if one]
        load_paperwork(
            session,
            seed=seed,
            drafter=drafter,
            issuer=issuer,
            inspector=inspector,
            press=Press(
                photos=photo_store(),
                notices=notice_store(),
                zone=clock.zone(),
                address=str(store.value_of(session, "public_url"))
                or f"http://{settings.host}:{settings.port}",
            ),
            now=clock.now(),
        )


# With every table that refers to one of these.
TABLES = (
    "assignment", "campaign", "violation_event", "violation", "answer", "photo", "submission",
    "load_assessment", "inspection", "tower", "tower_merge", "tower_left_code",
    "organisation_merge", "notice", "notice_number", "declared_photo", "upload", "receipt",
    "review_item",
)  # fmt: skip


# The synthetic areas with what was there before them, as far as nobody's territory names them.
FORGET_AREAS = (
    """
    CREATE TEMPORARY TABLE gone ON COMMIT DROP AS
    SELECT id FROM area WHERE synthetic AND id NOT IN (SELECT area_id FROM user_territory)
        AND (level = 'commune' OR NOT EXISTS (
            SELECT 1 FROM area c WHERE c.parent_id = area.id
                AND (NOT c.synthetic OR c.id IN (SELECT area_id FROM user_territory))))
    """,
    "DELETE FROM area_succession WHERE old_id IN (SELECT id FROM gone)"
    " OR new_id IN (SELECT id FROM gone)",
    "DELETE FROM area WHERE id IN (SELECT id FROM gone)",
    *(
        f"""
        DELETE FROM area WHERE level = '{level}' AND valid_to IS NOT NULL AND geom IS NULL
            AND id NOT IN (SELECT area_id FROM user_territory)
            AND NOT EXISTS (SELECT FROM area_succession s WHERE s.old_id = area.id)
            AND NOT EXISTS (SELECT FROM area c WHERE c.parent_id = area.id)
        """  # noqa: S608 - our own words
        for level in ("commune", "district", "province")
    ),
)


@commands.command("remove")
@click.option("--everything", is_flag=True, help="Also towers that were added by hand or import.")
@click.confirmation_option(prompt="Remove the demo province with all its records?")
def remove(everything: bool) -> None:
    """Remove the demo: an empty, ready system stays, with the checklist and real accounts."""
    engine = create_engine(urls()[0])
    with Session(engine) as session, session.begin():
        real = session.scalar(text("SELECT count(*) FROM tower WHERE NOT demo"))
        if real and not everything:
            raise click.ClickException(
                f"{real} towers do not belong to the demo. Take --everything to remove them too."
            )
        removed = {"towers": session.scalar(text("SELECT count(*) FROM tower"))}
        # Several tables name files of one store.
        files = [
            (kept, session.scalars(text(f"SELECT DISTINCT sha256 FROM {table}")).all())  # noqa: S608
            for table, kept in (
                ("photo", photo_store()),
                ("upload", photo_store()),
                ("document", document_store()),
                ("notice_document", notice_store()),
                ("notice_reply_file", notice_store()),
            )
        ]
        session.execute(text(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE"))
        session.execute(
            text('DELETE FROM access_token WHERE user_id IN (SELECT id FROM "user" WHERE demo)')
        )
        session.execute(
            text('DELETE FROM device WHERE user_id IN (SELECT id FROM "user" WHERE demo)')
        )
        session.execute(
            text(
                "UPDATE notice_template SET uploaded_by_id = NULL WHERE uploaded_by_id IN"
                ' (SELECT id FROM "user" WHERE demo)'
            )
        )
        session.execute(
            text(
                "UPDATE user_session SET viewing_id = NULL, viewing_until = NULL"
                ' WHERE viewing_id IN (SELECT id FROM "user" WHERE demo)'
            )
        )
        for table in ("user_role", "user_territory", "saved_list", "user_session", "account_link"):
            session.execute(
                text(
                    f"DELETE FROM {table} WHERE user_id IN"  # noqa: S608
                    ' (SELECT id FROM "user" WHERE demo)'
                )
            )
        session.execute(text('DELETE FROM "user" WHERE demo'))
        session.execute(
            text(
                "DELETE FROM organisation_contact WHERE organisation_id IN"
                " (SELECT id FROM organisation WHERE demo)"
            )
        )
        session.execute(
            text(
                "DELETE FROM organisation o WHERE demo AND NOT EXISTS"
                ' (SELECT 1 FROM "user" u WHERE u.organisation_id = o.id)'
            )
        )
        for statement in FORGET_AREAS:
            session.execute(text(statement))
        mark(session, "removed")
        audit.record(
            session, "demo.remove", "setting", "demo", by=SYSTEM, now=clock.now(), before=removed
        )
    engine.dispose()
    # After the rows, so that no row is without its files.
    for kept, hashes in files:
        for sha256 in hashes:
            kept.remove(sha256)
    (current_app.config["SETTINGS"].instance / "demo-accounts.txt").unlink(missing_ok=True)
    click.echo("The demo was removed. Make the first administrator: flask accounts add EMAIL")
