"""The making of long lists, as the worker runs it, and the clearing away of old ones."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response, current_app, send_file
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from accounts.models import User
from accounts.security import actor_of
from core import clock
from core import exports as exporting
from core.db import current_session, transaction
from core.downloads import FILES, PRINTED_FORMS, Counter, Form
from core.errors import DomainError, Forbidden, NotFound
from core.exports import Export, State
from core.guard import current_actor
from core.i18n import force_locale
from core.jobs import Body, Running
from core.policy import Actor, require
from core.words import N_
from towers.downloads import Taking, about_of

# A list by its form and the arguments of its address, in the scope of whoever wants it.
Taker = Callable[[Form, "MultiDict[str, str]", Actor], Taking]


def init_app(app: Flask, takers: Mapping[str, Taker]) -> None:
    """Make the lists known that can be had as files."""
    app.extensions["export_takers"] = dict(takers)


def taken(what: str, form: Form, query: Mapping[str, list[str]], actor: Actor) -> Taking:
    """A list as its address would ask for it."""
    require(actor, f"{what}.export")
    takers: dict[str, Taker] = current_app.extensions["export_takers"]
    return takers[what](form, MultiDict(query), actor)


NAMES = {"tower": "cot-ang-ten", "violation": "theo-doi"}


def exported() -> Path:
    """The folder of lists that were made by jobs."""
    folder: Path = current_app.config["SETTINGS"].instance / "exports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def make_export(job: Running, *, export: str) -> None:
    """Make a long list, with what its reader may see by now; a cancelled one leaves no file."""
    session = current_session()
    made = session.get(Export, uuid.UUID(export))
    if made is None or made.state != State.WAITING or made.job_id != job.id:
        return
    counter = Counter(lambda _rows: job.progress(counter.rows, None, N_("Writing the rows")))
    form = PRINTED_FORMS[made.format]
    try:
        with force_locale(made.language):
            actor = _actor(made)
            table = taken(made.what, form, made.query, actor).table
            table = table.with_about((*table.about, *about_of(made)), str(made.id))
            with FILES[form.ending](session, table, counter) as file:
                size = exporting.keep(exported(), made, file)
    except DomainError as error:
        session.rollback()
        with transaction():
            exporting.fail(session, made, error, now=clock.now())
        raise
    job.check()
    with transaction():
        session.refresh(made, with_for_update=True)
        if made.state != State.WAITING:
            exporting.path_of(exported(), made).unlink(missing_ok=True)
            return
        made.size, made.scope = size, exporting.scope_of(actor)
        exporting.finish(session, made, counter.rows, now=clock.now())


def the_export(export_id: uuid.UUID) -> Export:
    """The export as it stands now, also where its job ended without a word."""
    session = current_session()
    found = exporting.by_id(session, current_actor(), export_id)
    if found.at_work:
        with transaction():
            exporting.settle(session, found, now=clock.now())
    return found


def file_of(export: Export) -> Response:
    """The file of a list that a job made.

    Raises `NotFound` where there is none (any more), and where it was made for what its reader no
    longer is.
    """
    actor = current_actor()
    require(actor, f"{export.what}.export")
    if export.has_file and export.scope != exporting.scope_of(actor):
        raise NotFound(
            N_("Your roles or your territory have changed since: take the list along once more")
        )
    path = exporting.path_of(exported(), export)
    if not export.has_file or not path.exists():
        raise NotFound(N_("There is no file of this export, or it was cleared away"))
    form = PRINTED_FORMS[export.format]
    day = export.created_at.astimezone(clock.zone()).date()
    response = send_file(
        path,
        mimetype=form.media_type,
        as_attachment=True,
        download_name=f"{NAMES[export.what]}-{day.isoformat()}.{form.ending}",
    )
    response.headers["Export-Id"] = str(export.id)
    return response


def _actor(export: Export) -> Actor:
    """Who asked, with what they may do now."""
    session = current_session()
    person = session.scalar(
        select(User).where(User.id == uuid.UUID(export.actor_id or ""), User.active)
    )
    if person is None:
        raise Forbidden()
    return actor_of(session, person)


def clear_exports(job: Running, *, timestamp: int | None = None) -> None:
    """Remove the files of lists that were made long ago."""
    with transaction() as session:
        exporting.clear(session, exported(), now=clock.now())


JOBS: dict[str, Body] = {exporting.JOB: make_export, exporting.CLEAR_JOB: clear_exports}
