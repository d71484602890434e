"""Pages of notices for staff; those of owners are added from `owner_pages`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from accounts.doors import the_organisation
from core import clock
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.file_types import PICTURES, TYPES
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.policy import allows, guard
from core.problems import errors_of
from core.words import N_
from inspections.doors import (
    given_day,
    held_notice,
    notice_file,
    notice_store,
    press,
    refused,
    the_notice,
)
from inspections.labels import VOCABULARIES
from inspections.notice_models import Notice
from inspections.owner_pages import owner_routes
from inspections.queries import notices as queries
from inspections.rules.notice import NoticeState, possible
from inspections.rules.violation import EventKind
from inspections.services import notice_documents, notice_links, notice_template, notices
from inspections.services.notices import Draft, Service
from inspections.services.steps import state_of
from inspections.texts import item_texts

blueprint = Blueprint("notices", __name__, template_folder="templates")
owner_routes(blueprint)
DOCX = TYPES["docx"].media_type


@blueprint.get("/notices")
@guard("notice.view")
def index() -> str:
    session, actor = current_session(), current_actor()
    state = request.args.get("state", "")
    page = queries.notices(
        session,
        actor,
        state=[state] if state in VOCABULARIES["notice_state"] else [],
        owner_id=_uuid(request.args.get("owner", "")),
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/notices/index.html",
        page=page,
        state=state,
        states=list(VOCABULARIES["notice_state"]),
    )


@blueprint.get("/notices/new")
@guard("notice.draft")
def new() -> ResponseReturnValue:
    """Choose what an owner is told: of all their open violations, those that were marked before."""
    session, actor = current_session(), current_actor()
    chosen = [one for text in request.args.getlist("violation") if (one := _uuid(text))]
    owner_id = _uuid(request.args.get("owner", ""))
    if owner_id is None:
        owners = queries.owners_of(session, actor, chosen)
        if len(owners) != 1:
            flash(
                _("Choose violations of towers of one owner: a notice goes to one.")
                if owners
                else _("These towers have no known owner: name the owner in the register first."),
                "warning",
            )
            return redirect(url_for("inspections.follow_up"))
        owner_id = owners.pop()
    return draft_page(None, owner_id, chosen=chosen)


@blueprint.post("/notices/new")
@guard("notice.draft")
def create() -> ResponseReturnValue:
    notice_id = _uuid(request.form.get("id", "")) or uuid.uuid4()
    draft = given_draft()
    try:
        with transaction() as session:
            notices.draft_notice(session, notice_id, draft, **_facts())
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        return _draft_again(None, draft, error), error.status
    return redirect(url_for("notices.detail", notice_id=notice_id))


@blueprint.get("/notices/<uuid:notice_id>")
@guard("notice.view")
def detail(notice_id: uuid.UUID) -> str:
    return notice_page(the_notice(notice_id))


@blueprint.get("/notices/<uuid:notice_id>/edit")
@guard("notice.draft")
def edit(notice_id: uuid.UUID) -> str:
    notice = the_notice(notice_id)
    if notice.state != NoticeState.DRAFT:
        raise Conflict(N_("This is not possible with a notice in this state"))
    chosen = [item.violation_id for item in notice.items]
    return draft_page(notice, notice.owner_id, chosen=chosen, note=notice.note)


@blueprint.post("/notices/<uuid:notice_id>/edit")
@guard("notice.draft")
def change(notice_id: uuid.UUID) -> ResponseReturnValue:
    draft = given_draft()
    try:
        _change(notice_id, lambda s, one: notices.change_draft(s, one, draft, **_facts()))
    except NotFound:
        raise
    except DomainError as error:
        current_session().expire_all()
        return _draft_again(the_notice(notice_id), draft, error), error.status
    return redirect(url_for("notices.detail", notice_id=notice_id))


def given_draft() -> Draft:
    chosen = [one for text in request.form.getlist("violation") if (one := _uuid(text))]
    owner = _uuid(request.form.get("owner", "")) or uuid.UUID(int=0)
    return Draft(owner, tuple(chosen), request.form.get("note", ""))


def _draft_again(notice: Notice | None, draft: Draft, error: DomainError) -> str:
    texts = errors_of(error)
    chosen = list(draft.violations)
    return draft_page(notice, draft.owner_id, chosen=chosen, note=draft.note, errors=texts)


def draft_page(
    notice: Notice | None,
    owner_id: uuid.UUID,
    *,
    chosen: list[uuid.UUID],
    note: str = "",
    errors: Mapping[str, list[str]] | None = None,
) -> str:
    session, actor = current_session(), current_actor()
    owner = the_organisation(owner_id)
    violations = queries.open_violations(session, actor, owner.id)
    return render_template(
        "inspections/notices/form.html",
        notice=notice,
        owner=owner,
        violations=violations,
        chosen=set(chosen),
        drafted=queries.drafted(
            session, [one.id for one in violations], but=notice.id if notice else None
        ),
        note=note,
        errors=errors,
        new_id=request.form.get("id") or uuid.uuid4(),
        items=item_texts(session, current_language()),
        today=clock.today(),
    )


def notice_page(
    notice: Notice,
    errors: Mapping[str, list[str]] | None = None,
    given: Mapping[str, str] | None = None,
    link: str = "",
) -> str:
    session, actor = current_session(), current_actor()
    steps = possible(NoticeState(notice.state), served=notice.served_on is not None)
    two_people = notices.must_be_another(session, notice, actor)
    waiting = [
        one
        for one in queries.present(session, notice)
        if EventKind.EXTENDED in state_of(one.events).possible
    ]
    return render_template(
        "inspections/notices/detail.html",
        notice=notice,
        steps=steps if allows(actor, "notice.issue") else frozenset(),
        two_people=two_people,
        waiting=waiting if notice.state == NoticeState.ISSUED else [],
        items=item_texts(session, current_language()),
        pictures=PICTURES,
        hows=[(how, VOCABULARIES["served_how"][how]) for how in notices.HOW],
        today=clock.today(),
        now=clock.now(),
        errors=errors,
        given=given or {},
        link=link,
    )


def _change(notice_id: uuid.UUID, change: Callable[[Session, Notice], Any]) -> Any:
    """Change the version that the form was made from."""
    with transaction() as session:
        notice = held_notice(session, notice_id)
        if request.form.get("version") != str(notice.version):
            raise Conflict(
                N_("Somebody changed this notice in the meantime: look at it first")
                if request.form.get("version")
                else N_("Say which version you are changing")
            )
        return change(session, notice)


def _step(
    notice_id: uuid.UUID, change: Callable[[Session, Notice], Any], done: str
) -> ResponseReturnValue:
    """Take a step and go back to the notice; what is wrong is said on its page."""
    try:
        _change(notice_id, change)
    except DomainError as error:
        texts = refused(error)
        given = {name: request.form.get(name, "") for name in request.form}
        return notice_page(the_notice(notice_id), texts, given), error.status
    flash(done, "success")
    return redirect(url_for("notices.detail", notice_id=notice_id))


@blueprint.post("/notices/<uuid:notice_id>/discard")
@guard("notice.draft")
def discard(notice_id: uuid.UUID) -> ResponseReturnValue:
    return _step(
        notice_id,
        lambda s, one: notices.discard_draft(s, one, **_facts()),
        _("The draft was discarded."),
    )


@blueprint.post("/notices/<uuid:notice_id>/issue")
@guard("notice.issue")
def issue(notice_id: uuid.UUID) -> ResponseReturnValue:
    return _step(
        notice_id,
        lambda s, one: notices.issue(s, one, press=press(), today=clock.today(), **_facts()),
        _("The notice was issued. Its documents hold the link for the owner."),
    )


@blueprint.post("/notices/<uuid:notice_id>/service")
@guard("notice.issue")
def serve(notice_id: uuid.UUID) -> ResponseReturnValue:
    def serve(session: Session, notice: Notice) -> None:
        service = Service(
            given_day("served_on") or date.min,
            request.form.get("served_to", ""),
            request.form.get("served_how", ""),
        )
        notices.serve(session, notice, service, today=clock.today(), **_facts())

    return _step(notice_id, serve, _("The service of the notice was recorded."))


@blueprint.post("/notices/<uuid:notice_id>/withdraw")
@guard("notice.issue")
def withdraw(notice_id: uuid.UUID) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    return _step(
        notice_id,
        lambda s, one: notices.withdraw(s, one, reason=reason, today=clock.today(), **_facts()),
        _("The notice was withdrawn."),
    )


@blueprint.post("/notices/<uuid:notice_id>/extensions")
@guard("violation.decide")
def decide(notice_id: uuid.UUID) -> ResponseReturnValue:
    def decide(session: Session, notice: Notice) -> None:
        notices.decide_extensions(
            session,
            notice,
            [one for text in request.form.getlist("violation") if (one := _uuid(text))],
            grant=request.form.get("decision") == "grant",
            reason=request.form.get("decision_reason", ""),
            deadline=given_day("deadline"),
            today=clock.today(),
            **_facts(),
        )

    return _step(notice_id, decide, _("The request was decided."))


@blueprint.post("/notices/<uuid:notice_id>/links")
@guard("notice.issue")
def make_link(notice_id: uuid.UUID) -> ResponseReturnValue:
    """Another link, shown this once."""
    try:
        token = _change(notice_id, lambda s, one: notice_links.make_link(s, one, **_facts()))
    except Conflict as error:
        current_session().expire_all()
        return notice_page(the_notice(notice_id), {"form": [error.text()]}), error.status
    current_session().expire_all()
    address = press().address + notice_links.PATH + token
    response = Response(notice_page(the_notice(notice_id), link=address))
    response.cache_control.no_store = True
    return response


@blueprint.post("/notice-links/<uuid:link_id>/revoke")
@guard("notice.issue")
def revoke_link(link_id: uuid.UUID) -> ResponseReturnValue:
    with transaction() as session:
        link = queries.link(session, current_actor(), link_id)
        if link is None:
            raise NotFound()
        notice_links.revoke_link(session, link, **_facts())
    flash(_("The link was revoked."), "success")
    return redirect(url_for("notices.detail", notice_id=link.notice_id))


@blueprint.get("/notices/<uuid:notice_id>/document.<form>")
@guard("notice.view")
def document(notice_id: uuid.UUID, form: str) -> Response:
    return notice_file(the_notice(notice_id), form)


@blueprint.get("/notice-files/<uuid:file_id>")
@guard("notice.view")
def reply_file(file_id: uuid.UUID) -> Response:
    """What an owner sent: a picture is shown without hidden data, anything else is handed out."""
    found = queries.reply_file(current_session(), current_actor(), file_id)
    if found is None:
        raise NotFound()
    picture = found.media_type in PICTURES
    variant = "thumbnail" if request.args.get("small") == "1" else "full"
    path = notice_store().path(found.sha256, variant if picture else "original")
    if not path.exists():
        raise NotFound(N_("The file of this document is missing: restore it from the backup"))
    return send_file(
        path,
        mimetype="image/jpeg" if picture else found.media_type,
        as_attachment=not picture,
        download_name=found.filename,
    )


@blueprint.get("/notices/template")
@guard("notice.template")
def template() -> str:
    return template_page()


def template_page(errors: Mapping[str, list[str]] | None = None) -> str:
    own = queries.template(current_session())
    sample = notice_template.sample()
    return render_template(
        "inspections/notices/template.html",
        own=own,
        fields={name: value for name, value in sample.items() if name != "violations"},
        of_violations=sample["violations"][0],
        megabytes=notice_template.MAX_BYTES // 2**20,
        errors=errors,
    )


@blueprint.post("/notices/template")
@guard("notice.template")
def replace_template() -> ResponseReturnValue:
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            message = N_("Choose a file")
            raise Invalid(message, fields={"file": [message]})
        with notice_store().arriving(sent.stream) as arrival, transaction() as session:
            notice_template.replace_template(
                session, arrival, sent.filename, kept=notice_store(), **_facts()
            )
    except DomainError as error:
        texts = errors_of(error, "file")
        return template_page(texts), error.status
    flash(_("Notices are made from the new template from now on."), "success")
    return redirect(url_for("notices.template"))


@blueprint.post("/notices/template/reset")
@guard("notice.template")
def reset_template() -> ResponseReturnValue:
    with transaction() as session:
        if not notice_template.retire_template(session, **_facts()):
            raise Conflict(N_("The shipped template is in use already"))
    flash(_("Notices are made from the shipped template again."), "success")
    return redirect(url_for("notices.template"))


@blueprint.get("/notices/template.docx")
@guard("notice.template")
def template_file() -> Response:
    content = notice_documents.template_of(current_session(), notice_store())
    response = Response(content, mimetype=DOCX)
    response.headers["Content-Disposition"] = 'attachment; filename="mau-thong-bao.docx"'
    return response


def _facts() -> dict[str, Any]:
    return {"by": current_actor(), "now": clock.now()}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
