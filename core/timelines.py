"""Timelines as JSON: what happened to a thing, the latest first, page after page."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from marshmallow import fields

from core import slots
from core.api import StrictSchema
from core.validation import between, length


class TimelineQuery(StrictSchema):
    """Earlier events follow with the `cursor` of those before."""

    limit = fields.Integer(load_default=50, validate=between(1, 100))
    cursor = fields.String(load_default=None, validate=length(1, 500))


class TimelineEvent(StrictSchema):
    """One event: `title` and `detail` are in the reader's language, `url` leads to its page.

    Of an event with `day_only` nothing but the day is known; `at` is its noon then.
    """

    at = fields.DateTime(required=True)
    day_only = fields.Boolean(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    detail = fields.String(required=True)
    url = fields.String(allow_none=True, required=True)


class TimelinePage(StrictSchema):
    items = fields.List(fields.Nested(TimelineEvent), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def timeline_answer(slot: str, thing: Any, query: dict[str, Any]) -> Response:
    """The events of a thing; the features tell what the reader may see."""
    found = slots.timeline(slot, thing, limit=query["limit"], cursor=query["cursor"])
    items = [
        {
            "at": event.at.isoformat(),
            "day_only": event.day_only,
            "kind": kind,
            "title": event.title,
            "detail": event.detail,
            # An anchor is a place on the page that shows the timeline, and nowhere else.
            "url": event.url if event.url.startswith("/") else None,
        }
        for event, kind in zip(found.events, found.kinds, strict=True)
    ]
    return jsonify(items=items, next_cursor=found.earlier)
