"""Where somebody is signed in, ending that; and looking at the service as another person."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from accounts import queries
from accounts.models import User
from accounts.security import actor_of, current_user_session
from accounts.services import sessions
from core import clock
from core.db import current_session, transaction
from core.errors import NotFound
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import SIGNED_IN, guard


def session_routes(blueprint: Blueprint) -> None:
    """Add these routes to the feature's blueprint."""
    for rule, view in (
        ("/account/sessions/<uuid:session_id>/end", end_own_session),
        ("/account/view-as/end", end_view_as),
        ("/users/<uuid:user_id>/sessions/<uuid:session_id>/end", end_session),
        ("/users/<uuid:user_id>/view-as", view_as),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=["POST"])


def _the_user(user_id: uuid.UUID) -> User:
    found = queries.user(current_session(), current_actor(), user_id)
    if found is None:
        raise NotFound()
    return found


@guard(SIGNED_IN)
def end_own_session(session_id: uuid.UUID) -> Response:
    current_user_session()
    actor = current_actor()
    with transaction() as session:
        user = session.get_one(User, actor.id)
        sessions.revoke(session, user, session_id, by=actor, now=clock.now())
    flash(_("The session has ended."), "success")
    return redirect(url_for("accounts.account"))


@guard("user.edit")
def end_session(user_id: uuid.UUID, session_id: uuid.UUID) -> Response:
    current_user_session()
    with transaction() as session:
        sessions.revoke(
            session, _the_user(user_id), session_id, by=current_actor(), now=clock.now()
        )
    flash(_("The session has ended."), "success")
    return redirect(url_for("accounts.edit_user", user_id=user_id))


@guard("user.view_as")
def view_as(user_id: uuid.UUID) -> Response:
    """Show the service as this person sees it, for some minutes, in this browser alone."""
    user, row = _the_user(user_id), current_user_session()
    with transaction() as session:
        sessions.view_as(session, row, user, by=current_actor(), now=clock.now())
    return redirect("/")


@guard(SIGNED_IN)
def end_view_as() -> Response:
    row = current_user_session()
    with transaction() as session:
        me = actor_of(session, current_user._get_current_object())
        sessions.end_view(session, row, by=me, now=clock.now())
    return redirect(url_for("accounts.users"))
