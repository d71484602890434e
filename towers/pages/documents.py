"""Pages of documents: adding one to a tower and removing one, both from the tower's page."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from core import clock
from core.db import transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.words import N_
from towers.doors import arriving_file, document_store, the_document, the_tower
from towers.models import Document
from towers.services import documents as services


def document_routes(blueprint: Blueprint) -> None:
    """Add the pages of documents to the feature's blueprint."""
    blueprint.add_url_rule("/towers/<code>/documents", view_func=add_document, methods=["POST"])
    blueprint.add_url_rule(
        "/documents/<uuid:document_id>/remove", view_func=remove_document, methods=["POST"]
    )


def _tell(error: DomainError) -> None:
    """Say what is wrong above the page that the form leads back to."""
    texts = [text for texts in field_texts(error).values() for text in texts]
    for text in dict.fromkeys(texts or [error.text()]):
        flash(text, "error")


@guard("document.add")
def add_document(code: str) -> Response:
    tower = the_tower(code)
    try:
        try:
            document_id = uuid.UUID(request.form.get("id", ""))
        except ValueError as error:
            raise Invalid(N_("This is not a UUID.")) from error
        filename, arriving = arriving_file()
        with arriving as arrival:
            sent = services.checked(arrival, filename, document_store())
            with transaction() as session:
                services.add_document(
                    session,
                    document_id,
                    sent,
                    tower=tower,
                    kind=request.form.get("kind", ""),
                    title=request.form.get("title", ""),
                    store=document_store(),
                    by=current_actor(),
                    now=clock.now(),
                )
    except DomainError as error:
        _tell(error)
    else:
        flash(_("The document was added."), "success")
    return redirect(url_for("towers.detail", code=code, _anchor="documents"))


@guard("document.remove")
def remove_document(document_id: uuid.UUID) -> Response:
    found = the_document(document_id)
    try:
        with transaction() as session:
            session.refresh(found, with_for_update={"of": Document})
            services.remove_document(
                session,
                found,
                reason=request.form.get("reason", ""),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        _tell(error)
    else:
        flash(_("The document was removed."), "success")
    if found.tower is None:
        return redirect(url_for("towers.proposal", proposal_id=found.proposal_id))
    return redirect(url_for("towers.detail", code=found.tower.code, _anchor="documents"))
