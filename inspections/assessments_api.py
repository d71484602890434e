"""The API of load-safety assessments under `/api/v1/assessments`."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import Invalid
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from inspections.bodies import assessment_body
from inspections.doors import the_assessment
from inspections.models import LoadAssessment
from inspections.queries import assessments as queries
from inspections.schemas import AssessmentAnswerSchema, AssessmentQuery
from inspections.services.assessments import Report, answer_assessment
from towers.doors import the_tower
from towers.queries import documents

assessments = Blueprint("api_assessments", __name__, url_prefix="/api/v1/assessments")


class AssessmentBody(StrictSchema):
    """A load-safety assessment; `outcome` is null while it waits for its report."""

    id = fields.UUID(required=True)
    tower = fields.String(required=True)
    tower_name = fields.String(required=True)
    inspection = fields.UUID(required=True, allow_none=True)
    requested_on = fields.Date(required=True)
    deadline = fields.Date(required=True)
    overdue = fields.Boolean(required=True)
    reason = fields.String(required=True)
    answered_at = fields.DateTime(required=True, allow_none=True)
    outcome = fields.String(required=True, allow_none=True)
    assessed_on = fields.Date(required=True, allow_none=True)
    assessor = fields.String(required=True)
    conclusion = fields.String(required=True)
    document = fields.UUID(required=True, allow_none=True)
    violation = fields.UUID(required=True, allow_none=True)
    version = fields.Integer(required=True)


class AssessmentPage(StrictSchema):
    """Assessments by their deadlines: `next_cursor` is null on the last page."""

    items = fields.List(fields.Nested(AssessmentBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def answer(found: LoadAssessment) -> Response:
    touched = queries.touched_by(current_session(), current_actor(), [found])
    return with_tag(jsonify(assessment_body(found, clock.today(), touched)), found.version)


@assessments.route("")
class Assessments(MethodView):
    @guard("assessment.view")
    @assessments.arguments(AssessmentQuery, location="query")
    @assessments.response(200, AssessmentPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List load-safety assessments, the earliest deadline first."""
        today = clock.today()
        page = queries.assessments(
            current_session(),
            current_actor(),
            state=query["state"],
            overdue_on=today if query["overdue"] else None,
            tower_id=the_tower(query["tower"]).id if query["tower"] else None,
            limit=query["limit"],
            cursor=query["cursor"],
        )
        touched = queries.touched_by(current_session(), current_actor(), page.rows)
        return jsonify(
            items=[assessment_body(one, today, touched) for one in page.rows],
            next_cursor=page.next_cursor,
        )


@assessments.route("/<uuid:assessment_id>")
class AssessmentById(MethodView):
    @guard("assessment.view")
    @assessments.response(200, AssessmentBody)
    def get(self, assessment_id: uuid.UUID) -> Response:
        """One assessment."""
        return answer(the_assessment(assessment_id))


@assessments.route("/<uuid:assessment_id>/answer")
class AssessmentAnswer(MethodView):
    @guard("assessment.answer")
    @assessments.arguments(AssessmentAnswerSchema)
    @assessments.response(200, AssessmentBody)
    def post(self, data: dict[str, Any], assessment_id: uuid.UUID) -> Response:
        """Answer an assessment with its report; needs If-Match.

        The report is sent to `/api/v1/documents` before. Danger and conditions become a violation,
        due on `deadline` or as the settings say; a safe tower closes it.
        """
        with transaction() as session:
            found = the_assessment(assessment_id)
            require_match(request.headers.get("If-Match"), found.version)
            document = documents.document(session, current_actor(), data.pop("document"))
            if document is None:
                message = N_("The report is no document of this tower")
                raise Invalid(message, fields={"document": [message]})
            answer_assessment(
                session,
                found,
                Report(**data),
                document,
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        return answer(the_assessment(assessment_id))
