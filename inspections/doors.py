"""What the doors of this feature share: the photo store, visits in JSON, lists as answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Response, current_app, jsonify
from marshmallow import fields

from core.api import StrictSchema
from core.files import FileStore
from core.geo import Position
from core.settings import Settings
from inspections.rules.catalogue import HOW
from inspections.services.record import Visit


class ItemsSchema(StrictSchema):
    """A page of a list: `next_cursor` is null on the last one."""

    items = fields.List(fields.Dict(), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ObjectSchema(StrictSchema):
    """A single object."""

    class Meta:
        unknown = "include"


def listed(items: list[dict[str, Any]], cursor: str | None) -> Response:
    return jsonify(items=items, next_cursor=cursor)


def photo_store() -> FileStore:
    settings: Settings = current_app.config["SETTINGS"]
    return FileStore(
        folder=settings.instance / "photos",
        max_bytes=settings.max_photo_bytes,
        max_pixels=settings.max_photo_pixels,
    )


def in_order(methods: Collection[str] | None) -> tuple[str, ...] | None:
    """How a visit was made, each way once."""
    return None if methods is None else tuple(one for one in HOW if one in methods)


def visit_from(data: dict[str, Any], body: dict[str, Any]) -> Visit:
    """The visit in a validated body; `body` is the JSON as it was sent, for the records."""
    place = data.get("position")
    accuracy = place.get("accuracy_m") if place else None
    return Visit(
        kind=data["kind"],
        inspected_on=data["inspected_on"],
        answers=data["answers"],
        submit=data["submit"],
        structure_type=data["structure_type"],
        checklist_version=data["checklist_version"],
        methods=in_order(data["methods"]),
        position=Position(place["latitude"], place["longitude"]) if place else None,
        position_accuracy_m=accuracy,
        note=data["note"],
        assessment_requested=data["assessment_requested"],
        assessment_reason=data["assessment_reason"],
        body={key: value for key, value in body.items() if key != "id"},
    )
