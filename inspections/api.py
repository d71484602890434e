"""The API of inspections, violations, follow-up, checklists and photos under `/api/v1`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request, send_file
from flask.views import MethodView
from sqlalchemy.orm import Session

from core import clock
from core.api import (
    Blueprint,
    form_sha256,
    form_uuid,
    require_match,
    with_tag,
)
from core.db import current_session, transaction
from core.errors import Invalid, NotFound
from core.guard import current_actor
from core.pictures import COPIES, read_picture
from core.policy import guard
from core.timelines import TimelinePage, TimelineQuery, timeline_answer
from core.words import N_
from inspections import bodies
from inspections.assessments_api import assessments
from inspections.assignment_api import assignments
from inspections.campaign_api import campaigns
from inspections.checklist_api import checklists
from inspections.doors import (
    ItemsSchema,
    ObjectSchema,
    listed,
    photo_origin,
    photo_store,
    the_inspection,
    visit_from,
)
from inspections.models import Inspection, Violation
from inspections.outbox_api import outbox
from inspections.queries import lists
from inspections.queries.lines import lines_of
from inspections.rules.evidence import PhotoSource, SignaturePlace
from inspections.rules.violation import EventKind
from inspections.schemas import (
    AssessmentRequestSchema,
    DeviceTimeHeader,
    InspectionQuery,
    NewInspectionSchema,
    PhotoQuery,
    ReviewSchema,
    StepSchema,
    ViolationQuery,
    VisitSchema,
    VoidDecisionSchema,
    VoidRequestSchema,
)
from inspections.services import condition, photos, record, review, signatures, steps
from inspections.services.assessments import request_assessment
from inspections.services.evidence import evidence_of
from inspections.services.settle import looked_at
from inspections.statistics import api as statistics
from inspections.work_api import follow_ups
from towers import services as register
from towers.models import Tower
from towers.queries import merges

inspections = Blueprint("api_inspections", __name__, url_prefix="/api/v1/inspections")
violations = Blueprint("api_violations", __name__, url_prefix="/api/v1/violations")
photo_routes = Blueprint("api_photos", __name__, url_prefix="/api/v1/photos")
BLUEPRINTS = (
    inspections,
    violations,
    follow_ups,
    outbox,
    checklists,
    photo_routes,
    assessments,
    statistics.blueprint,
    campaigns,
    assignments,
)


def the_tower(code: str) -> Tower:
    """The tower with a code. A phone that was away may still know one that was merged since: what
    it brings belongs to the tower that stayed."""
    known = "\x00" not in code
    tower = merges.current(current_session(), current_actor(), code) if known else None
    if tower is None:
        message = N_("There is no tower with the code %(code)s in your territory")
        raise Invalid(message, fields={"tower": [message]}, code=code)
    return tower


def locked_inspection(session: Session, inspection_id: uuid.UUID) -> Inspection:
    """The inspection as it stands now, held until the transaction ends: two changes that name
    the same version must not both find it."""
    inspection = the_inspection(inspection_id)
    session.refresh(inspection, with_for_update={"of": Inspection})
    return inspection


def inspection_answer(inspection_id: uuid.UUID, status: int = 200) -> Response:
    session = current_session()
    session.expire_all()
    found = the_inspection(inspection_id)
    reused = lists.reused_photos(session, current_actor(), found.photos)
    body = bodies.inspection_body(found, lists.found_by(session, found.id), reused)
    body["evidence"] = bodies.evidence_body(evidence_of(session, found))
    body["signatures"] = [
        bodies.signature_body(one, signs_now) for one, signs_now in signatures.standing(found)
    ]
    if found.kind == "reinspection":
        lines = lines_of(session, found, looked_at(session, found))
        body["lines"] = [bodies.line_body(line) for line in lines.values()]
    response = jsonify(body)
    response.status_code = status
    return with_tag(response, found.version)


@inspections.route("")
class Inspections(MethodView):
    @guard("inspection.view")
    @inspections.arguments(InspectionQuery, location="query")
    @inspections.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """List inspections, the latest first."""
        tower = the_tower(query["tower"]).id if query["tower"] else None
        page = lists.inspections(
            current_session(),
            current_actor(),
            tower_id=tower,
            status=query["status"],
            kind=query["kind"],
            mine=query["mine"],
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return listed([bodies.inspection_head(row) for row in page.rows], page.next_cursor)

    @guard("inspection.create")
    @inspections.arguments(DeviceTimeHeader, location="headers")
    @inspections.arguments(NewInspectionSchema)
    @inspections.response(201, ObjectSchema)
    @inspections.alt_response(200, schema=ObjectSchema, description="Sent before: the same again")
    def post(self, sent: dict[str, Any], data: dict[str, Any]) -> Response:
        """Record an inspection under the id its device made; sending it again is harmless."""
        visit = visit_from(data, request.get_json(), device_at=sent["device_time"])
        actor, now = current_actor(), clock.now()
        try:
            with transaction() as session:
                _, new = record.record_inspection(
                    session,
                    data["id"],
                    the_tower(data["tower"]),
                    visit,
                    by=actor,
                    now=now,
                    zone=clock.zone(),
                )
        except record.DifferentBody:
            with transaction() as session:
                record.keep_conflict(session, data["id"], visit, by=actor, now=now)
            raise
        response = inspection_answer(data["id"], 201 if new else 200)
        response.headers["Location"] = f"/api/v1/inspections/{data['id']}"
        return response


@inspections.route("/<uuid:inspection_id>")
class InspectionById(MethodView):
    @guard("inspection.view")
    @inspections.response(200, ObjectSchema)
    def get(self, inspection_id: uuid.UUID) -> Response:
        """One inspection with its answers, judgements, photos and violations."""
        return inspection_answer(inspection_id)

    @guard("inspection.correct")
    @inspections.arguments(DeviceTimeHeader, location="headers")
    @inspections.arguments(VisitSchema)
    @inspections.response(200, ObjectSchema)
    def put(self, sent: dict[str, Any], data: dict[str, Any], inspection_id: uuid.UUID) -> Response:
        """Correct or submit one's own inspection; needs If-Match."""
        visit = visit_from(data, request.get_json(), device_at=sent["device_time"])
        with transaction() as session:
            inspection = locked_inspection(session, inspection_id)
            require_match(request.headers.get("If-Match"), inspection.version)
            if inspection.tower_id != the_tower(data["tower"]).id:
                message = N_("An inspection cannot move to another tower")
                raise Invalid(message, fields={"tower": [message]})
            record.correct_inspection(
                session, inspection, visit, by=current_actor(), now=clock.now(), zone=clock.zone()
            )
        return inspection_answer(inspection_id)


@inspections.route("/<uuid:inspection_id>/review")
class InspectionReview(MethodView):
    @guard("inspection.review")
    @inspections.arguments(ReviewSchema)
    @inspections.response(200, ObjectSchema)
    def post(self, data: dict[str, Any], inspection_id: uuid.UUID) -> Response:
        """Accept a submitted inspection, or return it with a reason; needs If-Match."""
        actor, now = current_actor(), clock.now()
        with transaction() as session:
            inspection = locked_inspection(session, inspection_id)
            require_match(request.headers.get("If-Match"), inspection.version)
            if data["decision"] == "accept":
                review.accept_inspection(session, inspection, by=actor, now=now)
            else:
                review.return_inspection(
                    session,
                    inspection,
                    reason=data["reason"],
                    by=actor,
                    now=now,
                    zone=clock.zone(),
                )
        return inspection_answer(inspection_id)


@inspections.route("/<uuid:inspection_id>/void-request")
class InspectionVoidRequest(MethodView):
    @guard("inspection.ask_void")
    @inspections.arguments(VoidRequestSchema)
    @inspections.response(200, ObjectSchema)
    def post(self, data: dict[str, Any], inspection_id: uuid.UUID) -> Response:
        """Ask that an inspection be voided; somebody else decides. Needs If-Match."""
        with transaction() as session:
            inspection = locked_inspection(session, inspection_id)
            require_match(request.headers.get("If-Match"), inspection.version)
            review.ask_to_void(
                session, inspection, reason=data["reason"], by=current_actor(), now=clock.now()
            )
        return inspection_answer(inspection_id)


@inspections.route("/<uuid:inspection_id>/void-decision")
class InspectionVoidDecision(MethodView):
    @guard("inspection.void")
    @inspections.arguments(VoidDecisionSchema)
    @inspections.response(200, ObjectSchema)
    def post(self, data: dict[str, Any], inspection_id: uuid.UUID) -> Response:
        """Void an inspection as somebody else asked, or refuse; needs If-Match."""
        with transaction() as session:
            inspection = locked_inspection(session, inspection_id)
            require_match(request.headers.get("If-Match"), inspection.version)
            review.decide_void(
                session,
                inspection,
                confirm=data["decision"] == "confirm",
                by=current_actor(),
                now=clock.now(),
                zone=clock.zone(),
            )
        return inspection_answer(inspection_id)


@inspections.route("/<uuid:inspection_id>/signatures")
class Signatures(MethodView):
    @guard("inspection.sign")
    @inspections.doc(
        requestBody={
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "place", "name"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "place": {"type": "string", "enum": list(SignaturePlace)},
                            "name": {"type": "string", "maxLength": 200},
                            "file": {"type": "string", "format": "binary"},
                        },
                    }
                }
            },
        }
    )
    @inspections.response(201, ObjectSchema)
    @inspections.alt_response(200, schema=ObjectSchema, description="Sent before")
    def post(self, inspection_id: uuid.UUID) -> Response:
        """Sign one's own inspection as it stands; needs If-Match. `file` is what was drawn.

        Sending it again under the same id is harmless.
        """
        the_inspection(inspection_id)
        signature_id, upload, store = form_uuid("id"), request.files.get("file"), photo_store()
        drawn = read_picture(upload.stream, store) if upload else None
        with transaction() as session:
            inspection = locked_inspection(session, inspection_id)
            require_match(request.headers.get("If-Match"), inspection.version)
            made, new = signatures.sign(
                session,
                signature_id,
                inspection,
                place=request.form.get("place", ""),
                name=request.form.get("name", ""),
                drawn=drawn,
                store=store,
                by=current_actor(),
                now=clock.now(),
            )
            body = bodies.signature_body(made, made.body_hash == inspection.body_hash)
        response = jsonify(body)
        response.status_code = 201 if new else 200
        response.headers["Location"] = (
            f"/api/v1/inspections/{inspection_id}/signatures/{signature_id}"
        )
        return response


@inspections.route("/<uuid:inspection_id>/signatures/<uuid:signature_id>")
class SignatureFile(MethodView):
    @guard("inspection.view")
    @inspections.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
    def get(self, inspection_id: uuid.UUID, signature_id: uuid.UUID) -> Response:
        """What was drawn."""
        signed = the_inspection(inspection_id).signatures
        found = next((one for one in signed if one.id == signature_id), None)
        if found is None or found.sha256 is None:
            raise NotFound()
        return served(photo_store().path(found.sha256, "full"))


@inspections.route("/assessment-requests")
class AssessmentRequests(MethodView):
    @guard("assessment.request")
    @inspections.arguments(AssessmentRequestSchema)
    @inspections.response(201, ObjectSchema)
    def post(self, data: dict[str, Any]) -> Response:
        """Ask for a load-safety assessment of a tower."""
        with transaction() as session:
            tower = register.hold(session, the_tower(data["tower"]).id)
            made = request_assessment(
                session,
                tower,
                reason=data["reason"],
                deadline=data["deadline"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
            condition.refresh(session, tower)
        response = jsonify(id=str(made.id), tower=tower.code, deadline=made.deadline.isoformat())
        response.status_code = 201
        return response


@violations.route("")
class Violations(MethodView):
    @guard("violation.view")
    @violations.arguments(ViolationQuery, location="query")
    @violations.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """List violations, the latest found first."""
        today = clock.today()
        page = lists.violations(
            current_session(),
            current_actor(),
            tower_id=the_tower(query["tower"]).id if query["tower"] else None,
            state=query["state"],
            severity=query["severity"],
            overdue_on=today if query["overdue"] else None,
            include_dismantled=query["include_dismantled"],
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return listed([bodies.violation_head(row, today) for row in page.rows], page.next_cursor)


@violations.route("/<uuid:violation_id>")
class ViolationById(MethodView):
    @guard("violation.view")
    @violations.response(200, ObjectSchema)
    def get(self, violation_id: uuid.UUID) -> Response:
        """One violation with its events."""
        return violation_answer(the_violation(violation_id))


@violations.route("/<uuid:violation_id>/timeline")
class ViolationTimeline(MethodView):
    @guard("violation.view")
    @violations.arguments(TimelineQuery, location="query")
    @violations.response(200, TimelinePage)
    def get(self, query: dict[str, Any], violation_id: uuid.UUID) -> Response:
        """What happened to a violation: its events, and the reminders that were sent."""
        return timeline_answer("violation", the_violation(violation_id), query)


@violations.route("/<uuid:violation_id>/events")
class ViolationEvents(MethodView):
    @guard("violation.follow_up")
    @violations.arguments(StepSchema)
    @violations.response(201, ObjectSchema)
    def post(self, data: dict[str, Any], violation_id: uuid.UUID) -> Response:
        """Take a step with a violation. Needs If-Match; an impossible step is a 409.

        The answer to that names the steps that are possible now.
        """
        with transaction() as session:
            found = the_violation(violation_id)
            require_match(request.headers.get("If-Match"), found.events[-1].id)
            steps.take_step(
                session,
                found,
                steps.Step(**{**data, "kind": EventKind(data["kind"])}),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
            session.expire(found)
        return violation_answer(the_violation(violation_id), 201)


def the_violation(violation_id: uuid.UUID) -> Violation:
    found = lists.violation(current_session(), current_actor(), violation_id)
    if found is None:
        raise NotFound()
    return found


def violation_answer(found: Violation, status: int = 200) -> Response:
    """A violation whose version is the number of its last event."""
    response = jsonify(bodies.violation_body(found, clock.today()))
    response.status_code = status
    return with_tag(response, found.events[-1].id)


@photo_routes.route("")
class Photos(MethodView):
    @guard("inspection.view")
    @photo_routes.arguments(PhotoQuery, location="query")
    @photo_routes.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """The photos of an inspection."""
        inspection = the_inspection(query["inspection"])
        reused = lists.reused_photos(current_session(), current_actor(), inspection.photos)
        return listed([bodies.photo_body(photo, reused) for photo in inspection.photos], None)

    @guard("inspection.create")
    @photo_routes.doc(
        requestBody={
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "inspection", "file"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "inspection": {"type": "string", "format": "uuid"},
                            "item": {"type": "string"},
                            "sha256": {"type": "string"},
                            "source": {"type": "string", "enum": list(PhotoSource)},
                            "taken_at": {"type": "string", "format": "date-time"},
                            "file": {"type": "string", "format": "binary"},
                        },
                    }
                }
            },
        }
    )
    @photo_routes.response(201, ObjectSchema)
    @photo_routes.alt_response(200, schema=ObjectSchema, description="Sent before")
    def post(self) -> Response:
        """Add a photo under the id its device made; sending it again is harmless."""
        photo_id, inspection_id = form_uuid("id"), form_uuid("inspection")
        upload = request.files.get("file")
        if upload is None:
            message = N_("The file is missing")
            raise Invalid(message, fields={"file": [message]})
        expected = form_sha256()
        source, taken_at = photo_origin(request.form)
        store = photo_store()
        picture = read_picture(upload.stream, store)
        with transaction() as session:
            photo, new = photos.add_photo(
                session,
                photo_id,
                the_inspection(inspection_id),
                picture,
                store=store,
                item_key=request.form.get("item") or None,
                original_name=upload.filename or "",
                sha256=expected,
                by=current_actor(),
                now=clock.now(),
                source=source,
                taken_at=taken_at,
            )
            reused = lists.reused_photos(session, current_actor(), [photo])
            body = bodies.photo_body(photo, reused)
        response = jsonify(body)
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"/api/v1/photos/{photo_id}"
        return response


@photo_routes.route("/<uuid:photo_id>")
class PhotoById(MethodView):
    @guard("inspection.view")
    @photo_routes.response(200, ObjectSchema)
    def get(self, photo_id: uuid.UUID) -> Response:
        """What is known of a photo."""
        found = lists.photo(current_session(), current_actor(), photo_id)
        if found is None:
            raise NotFound()
        reused = lists.reused_photos(current_session(), current_actor(), [found])
        return jsonify(bodies.photo_body(found, reused))


@photo_routes.route("/<uuid:photo_id>/<variant>")
class PhotoFile(MethodView):
    @guard("inspection.view")
    @photo_routes.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
    def get(self, photo_id: uuid.UUID, variant: str) -> Response:
        """The picture: `full` or `thumbnail`, both without hidden data."""
        if variant not in COPIES:
            raise NotFound()
        found = lists.photo(current_session(), current_actor(), photo_id)
        if found is None:
            raise NotFound()
        return served(photo_store().path(found.sha256, variant))


def served(path: Path) -> Response:
    """A picture of the store, for its reader alone."""
    if not path.exists():
        raise NotFound(N_("The file of this photo is missing: restore it from the backup"))
    response = send_file(path, mimetype="image/jpeg", conditional=True, max_age=86_400)
    response.cache_control.private = True
    response.cache_control.public = False
    return response
