"""Pages on which the register is assigned anew: a look, the list, and what was kept before."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as Redirect

from core import clock
from core.db import current_session, transaction
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from towers import moves
from towers.moves import Move, Place

blueprint = Blueprint("reassigning", __name__, url_prefix="/towers")

HEADINGS = (
    N_("Code"), N_("Name"), N_("From: code"), N_("From: commune"), N_("To: code"),
    N_("To: commune"), N_("Distance to the commune (m)"),
)  # fmt: skip
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@blueprint.get("/reassign")
@guard("tower.reassign")
def look() -> str:
    session = current_session()
    return render_template(
        "towers/reassign.html", moves=moves.look(session), batches=moves.batches(session)
    )


@blueprint.post("/reassign")
@guard("tower.reassign")
def reassign() -> Redirect:
    with transaction() as session:
        made = moves.reassign(session, why="page", by=current_actor(), now=clock.now())
    if made.batch is None:
        flash(_("Every tower is assigned to its commune already."), "info")
        return redirect(url_for("reassigning.look"))
    flash(_("%(number)s towers were assigned anew.", number=made.towers), "success")
    return redirect(url_for("reassigning.batch", batch=made.batch))


@blueprint.get("/reassignments/<uuid:batch>")
@guard("tower.reassign")
def batch(batch: uuid.UUID) -> str:
    entry, made = moves.batch_of(current_session(), batch)
    return render_template("towers/reassignment.html", entry=entry, moves=made)


@blueprint.get("/reassign.csv")
@guard("tower.reassign")
def look_csv() -> Response:
    return listed(moves.every_move(current_session(), None), "reassign.csv")


@blueprint.get("/reassignments/<uuid:batch>.csv")
@guard("tower.reassign")
def batch_csv(batch: uuid.UUID) -> Response:
    return listed(moves.every_move(current_session(), batch), f"reassignment-{batch}.csv")


def listed(found: Iterable[Move], filename: str) -> Response:
    """All moves as CSV in UTF-8 with the mark that Excel wants."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_(heading) for heading in HEADINGS])
    for move in found:
        row = [move.code, move.name, *named(move.old), *named(move.new)]
        writer.writerow([*map(safe, row), "" if move.metres is None else move.metres])
    response = Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def named(place: Place) -> tuple[str, str]:
    return (place.code, place.name or "") if place.code else ("", _("outside the territory"))


def safe(text: str) -> str:
    """A text that stays a text in a spreadsheet."""
    return f"'{text}" if text.startswith(FORMULA) else text
