"""Pages that make one tower of two: choose the other, compare, confirm."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core import clock, merging
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid
from core.geo import to_position
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.policy import guard
from core.words import N_
from towers import queries
from towers.doors import effective, the_tower
from towers.fields import BY_NAME
from towers.models import Tower
from towers.services import merge as services

# Two entries of one structure rarely stand further apart.
DUPLICATE_M = 500.0


def merge_routes(blueprint: Blueprint) -> None:
    """Add the pages of merging to the feature's blueprint."""
    blueprint.add_url_rule("/towers/<code>/merge", view_func=compare)
    blueprint.add_url_rule("/towers/<code>/merge", view_func=merge, methods=["POST"])


def other_tower(keep: Tower, code: str) -> Tower | None:
    """The tower that shall leave, by its code; `None` where there is no such other tower."""
    code = code.strip()
    if not code or "\x00" in code:
        return None
    found = queries.by_code(current_session(), current_actor(), code)
    return found if found and found.id != keep.id else None


@guard("tower.merge")
def compare(code: str) -> str | tuple[str, int]:
    keep = the_tower(code)
    typed = request.args.get("other", "")[:100]
    return page(keep, typed)


def page(
    keep: Tower, typed: str, *, taken: list[str] | None = None, error: str = "", status: int = 200
) -> Any:
    session, actor = current_session(), current_actor()
    other = other_tower(keep, typed)
    if typed and other is None and not error:
        error, status = _("There is no other tower with this code"), 422
    near = queries.nearest(session, actor, to_position(keep.geom), metres=DUPLICATE_M, limit=10)
    towers = [keep, other] if other else [keep]
    shown = render_template(
        "towers/merge.html",
        keep=keep,
        other=other,
        typed=typed,
        error=error,
        near=[(tower, away) for tower, away in near if tower.id != keep.id],
        places=[to_position(tower.geom) for tower in towers],
        metres=next((away for tower, away in near if other and tower.id == other.id), None),
        states=[effective(tower, clock.today()) for tower in towers],
        differences=services.differences(keep, other) if other else (),
        taken=taken
        if taken is not None
        else list(services.suggested(keep, other) if other else ()),
        by_name=BY_NAME,
        moving=[
            (translate(label), number)
            for label, number in merging.counts(session, "tower", other.id)
        ]
        if other
        else [],
    )
    return (shown, status) if status != 200 else shown


@guard("tower.merge")
def merge(code: str) -> Response | tuple[str, int]:
    keep, form = the_tower(code), request.form
    typed = form.get("other", "")
    taken = [name for name in services.CHOICES if form.get(f"take.{name}") == "other"]
    try:
        with transaction() as session:
            drop = other_tower(keep, typed)
            if drop is None:
                raise Invalid(N_("There is no other tower with this code"))
            if "confirmed" not in form:
                raise Invalid(N_("Confirm that the two are the same structure"))
            services.hold_both(session, keep.id, drop.id)
            seen = (form.get("version", ""), form.get("other_version", ""))
            if seen != (str(keep.version), str(drop.version)):
                raise Conflict(
                    N_("One of the towers was changed in the meantime: compare them again")
                )
            services.merge_towers(
                session,
                keep,
                drop,
                take=taken,
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return page(the_tower(code), typed, taken=taken, error=error.text(), status=error.status)
    flash(_("The two towers are one now: %(code)s.", code=code), "success")
    return redirect(url_for("towers.detail", code=code))
