"""The page of messages about deadlines: what waits, what was sent, what could not be."""

from __future__ import annotations

import uuid

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core import clock, mail
from core.db import current_session, transaction
from core.errors import DomainError, NotFound
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.policy import guard
from inspections.labels import VOCABULARIES
from inspections.queries import outbox as queries
from inspections.services import outbox as messages


def outbox_routes(blueprint: Blueprint) -> None:
    """Add the outbox to the feature's blueprint."""
    blueprint.add_url_rule("/outbox", view_func=outbox)
    blueprint.add_url_rule(
        "/outbox/<uuid:reminder_id>/retry", view_func=retry_reminder, methods=["POST"]
    )


@guard("reminder.view")
def outbox() -> str:
    session, actor = current_session(), current_actor()
    state, kind = request.args.get("state", ""), request.args.get("kind", "")
    page = queries.reminders(
        session,
        actor,
        state=[state] if state in VOCABULARIES["reminder_state"] else [],
        kind=[kind] if kind in VOCABULARIES["reminder_kind"] else [],
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/outbox.html",
        page=page,
        state=state,
        kind=kind,
        states=list(VOCABULARIES["reminder_state"]),
        kinds=list(VOCABULARIES["reminder_kind"]),
        numbers=queries.count_by_state(session, actor),
        translate=translate,
        server=mail.server_of(current_app.config["SETTINGS"]),
    )


@guard("reminder.retry")
def retry_reminder(reminder_id: uuid.UUID) -> Response:
    try:
        with transaction() as session:
            found = queries.reminder(session, current_actor(), reminder_id)
            if found is None:
                raise NotFound()
            messages.retry(session, found, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        flash(error.text(), "warning")
    else:
        flash(_("The message will be tried again."), "success")
    return redirect(url_for("inspections.outbox"))
