"""What the API takes for notices."""

from __future__ import annotations

from marshmallow import fields

from core.api import StrictSchema
from core.validation import between, length, one_of
from inspections.rules.notice import MOST_VIOLATIONS, NoticeState
from inspections.schemas import TrueOrFalse
from inspections.services.notices import HOW


class DraftSchema(StrictSchema):
    """What a notice says: its owner, open violations of towers of theirs, and a note."""

    owner = fields.UUID(required=True)
    violations = fields.List(fields.UUID(), required=True, validate=length(1, MOST_VIOLATIONS))
    note = fields.String(load_default="", validate=length(0, 4_000))


class NewNoticeSchema(DraftSchema):
    """A new draft carries the id that its client made."""

    id = fields.UUID(required=True)


class ServiceSchema(StrictSchema):
    """On which day whom the notice reached, and how."""

    served_on = fields.Date(required=True)
    served_to = fields.String(required=True, validate=length(1, 300))
    served_how = fields.String(required=True, validate=one_of(HOW))


class WithdrawalSchema(StrictSchema):
    reason = fields.String(required=True, validate=length(1, 4_000))


class ExtensionsSchema(StrictSchema):
    """Grant or refuse the extensions that wait for these violations."""

    violations = fields.List(fields.UUID(), required=True, validate=length(1, MOST_VIOLATIONS))
    grant = TrueOrFalse(required=True)
    reason = fields.String(load_default="", validate=length(0, 4_000))
    deadline = fields.Date(load_default=None, allow_none=True)


class NoticeQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    state = fields.List(fields.String(validate=one_of(tuple(NoticeState))), load_default=list)
    owner = fields.UUID(load_default=None)
    violation = fields.UUID(load_default=None)
