"""The API of the checklist catalogue: versions, drafts, their items, back-tests, publication."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from sqlalchemy.orm import Session

from core import clock
from core.api import Blueprint, require_match, with_tag
from core.db import current_session, transaction
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from inspections import bodies
from inspections.doors import ItemsSchema, ObjectSchema, listed
from inspections.models import BackTest, ChecklistVersion
from inspections.queries import back_tests as found_by
from inspections.queries import lists
from inspections.rules.documents import differences
from inspections.schemas import (
    ContentSchema,
    FindingQuery,
    GroupSchema,
    ItemSchema,
    NewDraftSchema,
    PageQuery,
    PlaceSchema,
)
from inspections.services import back_tests, drafts
from inspections.services import checklist_order as order

checklists = Blueprint("api_checklists", __name__, url_prefix="/api/v1/checklists")


def the_version(number: int) -> ChecklistVersion:
    found = lists.checklist_version(current_session(), number)
    if found is None:
        raise NotFound(N_("There is no version %(version)s of the checklist"), version=number)
    return found


@contextmanager
def held_draft(number: int) -> Iterator[tuple[Session, ChecklistVersion]]:
    """The draft as the reader saw it, held in a transaction; needs If-Match."""
    the_version(number)
    with transaction() as session:
        draft = drafts.held(session, number)
        require_match(request.headers.get("If-Match"), draft.revision)
        yield session, draft


def version_answer(version: ChecklistVersion, status: int = 200) -> Response:
    response = jsonify(bodies.checklist_body(version))
    response.status_code = status
    return with_tag(response, version.revision)


@checklists.route("")
class Checklists(MethodView):
    @guard("checklist.view")
    @checklists.arguments(PageQuery, location="query")
    @checklists.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """The versions of the catalogue, the newest first."""
        page = lists.checklist_versions(
            current_session(), limit=query["limit"], cursor=query["cursor"]
        )
        return listed([bodies.checklist_head(one) for one in page.rows], page.next_cursor)

    @guard("checklist.edit")
    @checklists.arguments(NewDraftSchema)
    @checklists.response(201, ObjectSchema)
    @checklists.alt_response(200, schema=ObjectSchema, description="The draft that is there")
    def post(self, data: dict[str, Any]) -> Response:
        """Begin a draft as a copy of the published version; there is one at a time."""
        with transaction() as session:
            draft, new = drafts.begin(
                session, data["based_on"], by=current_actor(), now=clock.now()
            )
        response = version_answer(draft, 201 if new else 200)
        response.headers["Location"] = f"/api/v1/checklists/{draft.version}"
        return response


@checklists.route("/<int:number>")
class ChecklistByNumber(MethodView):
    @guard("checklist.view")
    @checklists.response(200, ObjectSchema)
    def get(self, number: int) -> Response:
        """One version with all its items."""
        return version_answer(the_version(number))

    @guard("checklist.edit")
    @checklists.arguments(ContentSchema)
    @checklists.response(200, ObjectSchema)
    def put(self, data: dict[str, Any], number: int) -> Response:
        """Give a draft another content; it keeps its number. Needs If-Match."""
        with held_draft(number) as (session, draft):
            drafts.replace(session, draft, data["content"], by=current_actor(), now=clock.now())
        return version_answer(the_version(number))

    @guard("checklist.edit")
    @checklists.response(204)
    def delete(self, number: int) -> Response:
        """Discard a draft; needs If-Match."""
        with held_draft(number) as (session, draft):
            drafts.discard(session, draft, by=current_actor(), now=clock.now())
        return Response(status=204)


@checklists.route("/<int:draft>/items/<key>")
class ItemByKey(MethodView):
    @guard("checklist.edit")
    @checklists.arguments(ItemSchema)
    @checklists.response(200, ObjectSchema)
    @checklists.alt_response(201, schema=ObjectSchema, description="The item is new")
    def put(self, data: dict[str, Any], draft: int, key: str) -> Response:
        """Put an item into a draft under its code; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            new = drafts.put_item(
                session, held, key, data["item"], by=current_actor(), now=clock.now()
            )
        return version_answer(the_version(draft), 201 if new else 200)

    @guard("checklist.edit")
    @checklists.response(200, ObjectSchema)
    def delete(self, draft: int, key: str) -> Response:
        """Take an item out of a draft; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            drafts.remove_item(session, held, key, by=current_actor(), now=clock.now())
        return version_answer(the_version(draft))


@checklists.route("/<int:draft>/items/<key>/place")
class PlaceOfItem(MethodView):
    @guard("checklist.edit")
    @checklists.arguments(PlaceSchema)
    @checklists.response(200, ObjectSchema)
    def post(self, data: dict[str, Any], draft: int, key: str) -> Response:
        """Put an item at a place of its group; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            order.move_item(session, held, key, data["place"], by=current_actor(), now=clock.now())
        return version_answer(the_version(draft))


@checklists.route("/<int:draft>/groups/<key>")
class GroupByKey(MethodView):
    @guard("checklist.edit")
    @checklists.arguments(GroupSchema)
    @checklists.response(200, ObjectSchema)
    @checklists.alt_response(201, schema=ObjectSchema, description="The group is new")
    def put(self, data: dict[str, Any], draft: int, key: str) -> Response:
        """Add a group to a draft, or name it otherwise; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            new = order.put_group(session, held, key, **data, by=current_actor(), now=clock.now())
        return version_answer(the_version(draft), 201 if new else 200)

    @guard("checklist.edit")
    @checklists.response(200, ObjectSchema)
    def delete(self, draft: int, key: str) -> Response:
        """Take a group without items out of a draft; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            order.remove_group(session, held, key, by=current_actor(), now=clock.now())
        return version_answer(the_version(draft))


@checklists.route("/<int:draft>/groups/<key>/place")
class PlaceOfGroup(MethodView):
    @guard("checklist.edit")
    @checklists.arguments(PlaceSchema)
    @checklists.response(200, ObjectSchema)
    def post(self, data: dict[str, Any], draft: int, key: str) -> Response:
        """Put a group at a place among all; needs If-Match of the draft."""
        with held_draft(draft) as (session, held):
            order.move_group(session, held, key, data["place"], by=current_actor(), now=clock.now())
        return version_answer(the_version(draft))


@checklists.route("/<int:number>/differences")
class DifferencesByNumber(MethodView):
    @guard("checklist.view")
    @checklists.response(200, ObjectSchema)
    def get(self, number: int) -> Response:
        """What a version changes in the one it was copied from, item by item and by field."""
        version = the_version(number)
        before = lists.version_before(current_session(), version)
        found = differences(before.content if before else version.content, version.content)
        return jsonify(
            version=version.version,
            compared_with=before.version if before else None,
            **bodies.differences_body(found),
        )


@checklists.route("/<int:draft>/back-test")
class BackTestByNumber(MethodView):
    @guard("checklist.edit")
    @checklists.response(200, ObjectSchema)
    def get(self, draft: int) -> Response:
        """How many past inspections the draft would judge otherwise, by commune."""
        return back_test_answer(the_version(draft))

    @guard("checklist.edit")
    @checklists.response(200, ObjectSchema)
    @checklists.alt_response(202, schema=ObjectSchema, description="A job is at work on it")
    def post(self, draft: int) -> Response:
        """Back-test a draft as it is now; a wide change becomes a job. Needs If-Match."""
        with held_draft(draft) as (session, held):
            _, done = back_tests.start(session, held, by=current_actor(), now=clock.now())
        return back_test_answer(the_version(draft), 200 if done else 202)


def back_test_answer(version: ChecklistVersion, status: int = 200) -> Response:
    session = current_session()
    test = session.get(BackTest, version.id)
    if test is None:
        raise NotFound(N_("This version was not back-tested"))
    counts = found_by.by_commune(session, current_actor(), version.id)
    response = jsonify(bodies.back_test_body(test, version, counts))
    response.status_code = status
    return response


@checklists.route("/<int:draft>/back-test/findings")
class Findings(MethodView):
    @guard("checklist.edit")
    @checklists.arguments(FindingQuery, location="query")
    @checklists.response(200, ItemsSchema)
    def get(self, query: dict[str, Any], draft: int) -> Response:
        """The past answers that the draft would judge otherwise."""
        page = found_by.findings(
            current_session(),
            current_actor(),
            the_version(draft).id,
            commune=query["commune"],
            kind=query["kind"],
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return listed([bodies.finding_body(row) for row in page.rows], page.next_cursor)


@checklists.route("/<int:draft>/publication")
class Publication(MethodView):
    @guard("checklist.publish")
    @checklists.response(200, ObjectSchema)
    def post(self, draft: int) -> Response:
        """Let a back-tested draft judge from now on; needs If-Match."""
        with held_draft(draft) as (session, held):
            drafts.publish(session, held, by=current_actor(), now=clock.now())
        return version_answer(the_version(draft))
