"""The API of notices under `/api/v1/notices`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy.orm import Session

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from inspections import owner_api
from inspections.doors import held_notice, notice_file, press, the_notice
from inspections.notice_bodies import link_body, notice_body, notice_head
from inspections.notice_models import Notice
from inspections.notice_schemas import (
    DraftSchema,
    ExtensionsSchema,
    NewNoticeSchema,
    NoticeQuery,
    ServiceSchema,
    WithdrawalSchema,
)
from inspections.queries import notices as queries
from inspections.services import notice_links, notices
from inspections.services.notices import Draft, Service

blueprint = Blueprint("api_notices", __name__, url_prefix="/api/v1/notices")
BLUEPRINTS = (blueprint, *owner_api.BLUEPRINTS)


class NoticeSchema(StrictSchema):
    """A notice."""

    class Meta:
        unknown = "include"


class NoticesSchema(StrictSchema):
    """A page of notices: `next_cursor` is null on the last one."""

    items = fields.List(fields.Dict(), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def draft_of(data: dict[str, Any]) -> Draft:
    return Draft(data["owner"], tuple(data["violations"]), data["note"])


def answered(notice_id: uuid.UUID, status: int = 200, **more: Any) -> Response:
    """The notice as it stands after a change."""
    current_session().expire_all()
    found = the_notice(notice_id)
    response = jsonify({**notice_body(found, clock.now()), **more})
    response.status_code = status
    return with_tag(response, found.version)


def changed(notice_id: uuid.UUID, change: Callable[[Session, Notice], Any]) -> Any:
    """Change the version that the client has seen."""
    with transaction() as session:
        notice = held_notice(session, notice_id)
        require_match(request.headers.get("If-Match"), notice.version)
        return change(session, notice)


def facts() -> dict[str, Any]:
    return {"by": current_actor(), "now": clock.now()}


@blueprint.route("")
class Notices(MethodView):
    @guard("notice.view")
    @blueprint.arguments(NoticeQuery, location="query")
    @blueprint.response(200, NoticesSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """List notices, the last drafted first; discarded drafts only where they are asked for."""
        page = queries.notices(
            current_session(),
            current_actor(),
            state=query["state"],
            owner_id=query["owner"],
            violation_id=query["violation"],
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return jsonify(items=[notice_head(one) for one in page.rows], next_cursor=page.next_cursor)

    @guard("notice.draft")
    @blueprint.arguments(NewNoticeSchema)
    @blueprint.response(201, NoticeSchema)
    @blueprint.alt_response(200, schema=NoticeSchema, description="Sent before: the same again")
    def post(self, data: dict[str, Any]) -> Response:
        """Draft a notice under the id its client made; sending it again is harmless."""
        with transaction() as session:
            _, new = notices.draft_notice(session, data["id"], draft_of(data), **facts())
        response = answered(data["id"], 201 if new else 200)
        response.headers["Location"] = f"/api/v1/notices/{data['id']}"
        return response


@blueprint.route("/<uuid:notice_id>")
class NoticeById(MethodView):
    @guard("notice.view")
    @blueprint.response(200, NoticeSchema)
    def get(self, notice_id: uuid.UUID) -> Response:
        """One notice with its documents, links and what its owner answered."""
        return answered(notice_id)

    @guard("notice.draft")
    @blueprint.arguments(DraftSchema)
    @blueprint.response(200, NoticeSchema)
    def put(self, data: dict[str, Any], notice_id: uuid.UUID) -> Response:
        """Change a draft; needs If-Match."""
        draft = draft_of(data)
        changed(notice_id, lambda s, one: notices.change_draft(s, one, draft, **facts()))
        return answered(notice_id)

    @guard("notice.draft")
    @blueprint.response(200, NoticeSchema)
    def delete(self, notice_id: uuid.UUID) -> Response:
        """Discard a draft; needs If-Match. It stays readable, and no number is lost."""
        changed(notice_id, lambda s, one: notices.discard_draft(s, one, **facts()))
        return answered(notice_id)


@blueprint.route("/<uuid:notice_id>/issue")
class NoticeIssue(MethodView):
    @guard("notice.issue")
    @blueprint.response(200, NoticeSchema)
    def post(self, notice_id: uuid.UUID) -> Response:
        """Issue a draft under the next number of the year; needs If-Match.

        `link` is the address for its owner, which is told this once and stands in the documents.
        """

        def issue(session: Session, notice: Notice) -> str:
            return notices.issue(session, notice, press=press(), today=clock.today(), **facts())

        return answered(notice_id, link=changed(notice_id, issue))


@blueprint.route("/<uuid:notice_id>/service")
class NoticeService(MethodView):
    @guard("notice.issue")
    @blueprint.arguments(ServiceSchema)
    @blueprint.response(200, NoticeSchema)
    def post(self, data: dict[str, Any], notice_id: uuid.UUID) -> Response:
        """Record how and on which day the notice reached its owner; needs If-Match."""
        service = Service(data["served_on"], data["served_to"], data["served_how"])
        changed(
            notice_id,
            lambda s, one: notices.serve(s, one, service, today=clock.today(), **facts()),
        )
        return answered(notice_id)


@blueprint.route("/<uuid:notice_id>/withdrawal")
class NoticeWithdrawal(MethodView):
    @guard("notice.issue")
    @blueprint.arguments(WithdrawalSchema)
    @blueprint.response(200, NoticeSchema)
    def post(self, data: dict[str, Any], notice_id: uuid.UUID) -> Response:
        """Withdraw an issued notice with a reason; needs If-Match."""
        changed(
            notice_id,
            lambda s, one: notices.withdraw(
                s, one, reason=data["reason"], today=clock.today(), **facts()
            ),
        )
        return answered(notice_id)


@blueprint.route("/<uuid:notice_id>/extensions")
class NoticeExtensions(MethodView):
    @guard("violation.decide")
    @blueprint.arguments(ExtensionsSchema)
    @blueprint.response(200, NoticeSchema)
    def post(self, data: dict[str, Any], notice_id: uuid.UUID) -> Response:
        """Grant or refuse the extensions that were asked for; needs If-Match."""
        chosen = data.pop("violations")
        changed(
            notice_id,
            lambda s, one: notices.decide_extensions(
                s, one, chosen, **data, today=clock.today(), **facts()
            ),
        )
        return answered(notice_id)


@blueprint.route("/<uuid:notice_id>/links")
class NoticeLinks(MethodView):
    @guard("notice.view")
    @blueprint.response(200, NoticesSchema)
    def get(self, notice_id: uuid.UUID) -> Response:
        """The links of a notice, without what opens them."""
        items = [link_body(one, clock.now()) for one in the_notice(notice_id).links]
        return jsonify(items=items, next_cursor=None)

    @guard("notice.issue")
    @blueprint.response(201, NoticeSchema)
    def post(self, notice_id: uuid.UUID) -> Response:
        """Make another link to an issued notice; needs If-Match. `link` is told this once."""
        token = changed(notice_id, lambda s, one: notice_links.make_link(s, one, **facts()))
        return answered(notice_id, 201, link=press().address + notice_links.PATH + token)


@blueprint.route("/links/<uuid:link_id>/revocation")
class NoticeLinkRevocation(MethodView):
    @guard("notice.issue")
    @blueprint.response(200, NoticeSchema)
    def post(self, link_id: uuid.UUID) -> Response:
        """Revoke a link at once; a second time is a 409."""
        with transaction() as session:
            link = queries.link(session, current_actor(), link_id)
            if link is None:
                raise NotFound()
            notice_links.revoke_link(session, link, **facts())
            notice_id = link.notice_id
        return answered(notice_id)


@blueprint.route("/<uuid:notice_id>/document.<form>")
class NoticeFile(MethodView):
    @guard("notice.view")
    @blueprint.response(
        200, {"type": "string", "format": "binary"}, content_type="application/octet-stream"
    )
    def get(self, notice_id: uuid.UUID, form: str) -> Response:
        """The document, `pdf` or `docx`: of an issued notice the very bytes that left."""
        return notice_file(the_notice(notice_id), form)
