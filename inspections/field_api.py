"""What a phone takes along: `/api/v1/field`. Each answer has an ETag, and 304 costs no radio."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from flask import Response, request
from flask.views import MethodView
from marshmallow import fields

from areas import queries as areas
from core import clock, paging, store
from core.api import Blueprint, StrictSchema
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.i18n import current_language
from core.policy import guard
from core.validation import between, length, one_of
from core.words import N_
from inspections.doors import ObjectSchema
from inspections.queries import field as queries
from inspections.queries import lists
from inspections.queries.field import Opened, Task
from inspections.rules.documents import ordered
from inspections.services import checklists

blueprint = Blueprint("api_field", __name__, url_prefix="/api/v1/field")
BLUEPRINTS = (blueprint,)
MOST_TOWERS = 2_000
# Of what the department sets, what a phone needs to know.
SETTINGS = (
    "at_tower_m",
    "clock_skew_s",
    "keep_receipts_days",
    "photo_long_edge_px",
    "two_inspectors_days",
)


class TowersQuery(StrictSchema):
    """`answers` asks for the last answers of every tower, not only of those with work."""

    limit = fields.Integer(load_default=1_000, validate=between(1, MOST_TOWERS))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    answers = fields.String(load_default="work", validate=one_of(("work", "all", "none")))


def tagged(body: dict[str, Any], *, besides: dict[str, Any] | None = None) -> Response:
    """JSON with the hash of its content as ETag, or 304; `besides` is what changes by itself."""
    return tagged_text(
        orjson.dumps(body, option=orjson.OPT_SORT_KEYS),
        lambda: orjson.dumps({**body, **(besides or {})}),
    )


def tagged_text(content: bytes, whole: Any = None) -> Response:
    response = Response(mimetype="application/json")
    tag = hashlib.sha256(content).hexdigest()[:32]
    response.set_etag(tag)
    if tag in request.if_none_match:
        response.status_code = 304
        return response
    response.set_data(whole() if whole else content)
    return response


def task_body(task: Task, today: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": task.id,
        "kind": task.kind,
        "tower": task.tower,
        "due_on": task.due_on.isoformat() if task.due_on else None,
        "overdue": task.due_on is not None and task.due_on < today and task.kind != "returned",
        "reason": task.reason,
        "inspection_kind": task.asked,
        "violations": [str(one) for one in task.violations],
    }
    if task.inspection_id is not None:
        body["inspection_id"] = str(task.inspection_id)
        body["version"] = task.version
    if task.original is not None:
        said = task.original
        body |= {
            "inspected_on": said.inspected_on,
            "checklist_version": said.checklist_version,
            "structure_type": said.structure_type,
            "methods": said.methods,
            "original": said.body,
            "original_answers": said.body.get("answers") or {},
            "original_photos": [{"id": number, "item": item} for number, item in said.photos],
        }
    return body


@blueprint.route("/work")
class FieldWork(MethodView):
    @guard("field.view")
    @blueprint.response(200, ObjectSchema)
    def get(self) -> Response:
        """What the inspector is to do, the first due first, and what their phone must know."""
        session, actor, today = current_session(), current_actor(), clock.today()
        versions = [checklists.current(session).version]
        body = {
            "user": {
                "id": str(actor.id),
                "name": actor.name,
                "email": actor.email,
                "language": current_language(),
            },
            "today": today.isoformat(),
            "settings": {key: store.value_of(session, key) for key in SETTINGS},
            "checklist_versions": versions,
            "tasks": [task_body(one, today) for one in queries.work(session, actor, today=today)],
        }
        return tagged(body, besides={"server_time": clock.now().isoformat()})


def opened_body(one: Opened) -> dict[str, Any]:
    return {
        "id": one.id,
        "item": one.item,
        "detail": one.detail,
        "severity": one.severity,
        "deadline": one.deadline,
        "found_on": one.found_on,
        "earlier_answer": one.answer,
        "earlier_photos": one.photos,
    }


@blueprint.route("/towers")
class FieldTowers(MethodView):
    @guard("field.view")
    @blueprint.arguments(TowersQuery, location="query")
    @blueprint.response(200, ObjectSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """The towers of the territory by code, with their open violations and what was seen."""
        session, actor, limit = current_session(), current_actor(), query["limit"]
        after = (
            str(paging.decode(query["cursor"], (paging.text_value,))[0]) if query["cursor"] else ""
        )
        rows = queries.towers(session, actor, after=after, limit=limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        opened = queries.open_violations(session, [row.id for row in rows])
        answers: dict[Any, Any] = {}
        if query["answers"] != "none":
            wanted = {row.id for row in rows}
            if query["answers"] == "work":
                work = queries.work(session, actor, today=clock.today())
                wanted &= {task.tower_id for task in work}
            answers = queries.last_answers(session, list(wanted)) if wanted else {}
        items = [
            {
                "code": row.code,
                "name": row.name,
                "structure_type": row.structure_type,
                "services": row.services,
                "height_m": _number(row.height_m),
                "host_building_height_m": _number(row.host_building_height_m),
                "lat": row.lat,
                "lon": row.lon,
                "commune": row.commune,
                "commune_code": row.commune_code,
                "condition": row.condition,
                "last_inspected_on": row.last_inspected_on,
                "open": [opened_body(one) for one in opened.get(row.id, ())],
                **({"last_answers": answers[row.id]} if row.id in answers else {}),
            }
            for row in rows
        ]
        total = queries.count_towers(session, actor)
        text = orjson.dumps(items)
        head = {
            "total": total,
            "bytes": round(len(text) / len(items) * total) if items else 0,
            "next_cursor": paging.encode([rows[-1].code]) if more else None,
        }
        return tagged_text(orjson.dumps(head)[:-1] + b',"items":' + text + b"}")


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


@blueprint.route("/checklists/<int:published>")
class FieldChecklist(MethodView):
    @guard("field.view")
    @blueprint.response(200, ObjectSchema)
    def get(self, published: int) -> Response:
        """A version of the checklist whole, in both languages, with what stands beside it."""
        version = lists.checklist_version(current_session(), published)
        if version is None or version.status == "draft":
            raise NotFound(
                N_("There is no version %(version)s of the checklist"), version=published
            )
        return tagged(
            {
                "catalogue": version.catalogue,
                "version": version.version,
                "status": version.status,
                "content": ordered(version.content),
                "beside": [checklists.load_safety_document()],
            }
        )


@blueprint.route("/areas")
class FieldAreas(MethodView):
    @guard("field.view")
    @blueprint.response(200, ObjectSchema)
    def get(self) -> Response:
        """The communes of the territory, drawn coarsely: for the map of a phone without signal."""
        text = areas.simple_boundaries(current_session(), current_actor().communes)
        return tagged_text(text.encode())
