"""The owner's side: the page that the link of a notice opens, and those of an owner's account."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core import clock
from core.db import current_session
from core.errors import DomainError
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.pages import large_body
from core.policy import PUBLIC, guard
from inspections.doors import notice_file, refused
from inspections.queries import own_notices
from inspections.replying import (
    FILE_LIMIT,
    hidden,
    photo_file,
    shown_to,
    speaker_by_account,
    speaker_by_link,
    take_reply,
)
from inspections.services.notice_replies import Speaker
from inspections.texts import item_texts

# What answers without sign-in to whoever holds the link.
BY_LINK = ("notices.by_link", "notices.answer", "notices.photo_by_link", "notices.file_by_link")
Errors = Mapping[str, list[str]]


def owner_routes(blueprint: Blueprint) -> None:
    """Add the owner's side to the blueprint of notices."""
    for one, views in (
        ("/n/<token>", (by_link, answer, photo_by_link, file_by_link)),
        (
            "/own-notices/<uuid:own_notice_id>",
            (own_notice, answer_own, photo_of_own, file_of_own),
        ),
    ):
        page, reply, photo, file = views
        blueprint.add_url_rule(one, view_func=page)
        blueprint.add_url_rule(one, view_func=reply, methods=["POST"])
        blueprint.add_url_rule(f"{one}/photos/<uuid:photo_id>", view_func=photo)
        blueprint.add_url_rule(f"{one}/notice.<form>", view_func=file)
    blueprint.add_url_rule("/own-notices", view_func=own)
    blueprint.add_url_rule("/own-violations", view_func=own_violations)


@guard(PUBLIC)
def by_link(token: str) -> Response:
    return link_page(speaker_by_link(token), token)


@guard(PUBLIC)
@large_body(FILE_LIMIT, known=speaker_by_link)
def answer(token: str) -> ResponseReturnValue:
    """Take evidence that something is fixed, or a request for more time."""
    speaker = speaker_by_link(token)
    return _answered(
        speaker,
        lambda errors: link_page(speaker, token, errors),
        url_for("notices.by_link", token=token),
    )


@guard(PUBLIC)
def photo_by_link(token: str, photo_id: uuid.UUID) -> Response:
    return hidden(photo_file(speaker_by_link(token), photo_id))


@guard(PUBLIC)
def file_by_link(token: str, form: str) -> Response:
    """The notice itself, as it was issued."""
    return hidden(notice_file(speaker_by_link(token).notice, form))


def link_page(speaker: Speaker, token: str, errors: Errors | None = None) -> Response:
    def photo_address(photo_id: uuid.UUID) -> str:
        return url_for("notices.photo_by_link", token=token, photo_id=photo_id)

    text = render_template(
        "inspections/notices/owner.html",
        document=url_for("notices.file_by_link", token=token, form="pdf"),
        **shown_to(speaker, photo_address=photo_address, errors=errors),
    )
    return hidden(Response(text))


# With an account of the owner.


@guard("own_violation.view")
def own_violations() -> str:
    """What is open, the earliest deadline first."""
    session = current_session()
    page = own_notices.own_violations(session, current_actor(), cursor=request.args.get("cursor"))
    return render_template(
        "inspections/notices/own_violations.html",
        page=page,
        items=item_texts(session, current_language()),
        today=clock.today(),
    )


@guard("own_notice.view")
def own() -> str:
    page = own_notices.own_notices(
        current_session(), current_actor(), cursor=request.args.get("cursor")
    )
    return render_template("inspections/notices/own.html", page=page)


@guard("own_notice.view")
def own_notice(own_notice_id: uuid.UUID) -> Response:
    return own_page(speaker_by_account(own_notice_id))


@guard("own_notice.answer")
@large_body(FILE_LIMIT)
def answer_own(own_notice_id: uuid.UUID) -> ResponseReturnValue:
    """The same as with the link, in the name of the account."""
    speaker = speaker_by_account(own_notice_id)
    return _answered(
        speaker,
        lambda errors: own_page(speaker, errors),
        url_for("notices.own_notice", own_notice_id=own_notice_id),
    )


@guard("own_notice.view")
def photo_of_own(own_notice_id: uuid.UUID, photo_id: uuid.UUID) -> Response:
    return photo_file(speaker_by_account(own_notice_id), photo_id)


@guard("own_notice.view")
def file_of_own(own_notice_id: uuid.UUID, form: str) -> Response:
    return notice_file(speaker_by_account(own_notice_id).notice, form)


def own_page(speaker: Speaker, errors: Errors | None = None) -> Response:
    number = speaker.notice.id

    def photo_address(photo_id: uuid.UUID) -> str:
        return url_for("notices.photo_of_own", own_notice_id=number, photo_id=photo_id)

    text = render_template(
        "inspections/notices/owner.html",
        document=url_for("notices.file_of_own", own_notice_id=number, form="pdf"),
        **shown_to(speaker, photo_address=photo_address, errors=errors),
    )
    return Response(text)


def _answered(
    speaker: Speaker, page: Callable[[Errors], Response], back: str
) -> ResponseReturnValue:
    """Write an answer down and go back; what is wrong is said on the page."""
    try:
        take_reply(speaker)
    except DomainError as error:
        response = page(refused(error))
        response.status_code = error.status
        return response
    flash(_("Thank you. What you sent was recorded; the department will look at it."), "success")
    return redirect(back)
