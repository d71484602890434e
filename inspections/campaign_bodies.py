"""What the API of campaigns takes and gives."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from core import jobs
from core.api import StrictSchema
from core.i18n import translate
from core.jobs import Progress
from core.validation import between, length, one_of
from inspections.campaign_models import CampaignWork
from inspections.rules.campaign import Kind, State, Work
from inspections.schemas import PageQuery
from inspections.services import assignments as giving
from inspections.services.campaign_plans import MOST_CODES
from towers.fields import FIRST_DAY, LAST_DAY
from towers.schemas import TowerFilters

DAYS = between(FIRST_DAY, LAST_DAY)
KINDS, STATES, WORKS = tuple(Kind), tuple(State), tuple(Work)


class ChoiceSchema(TowerFilters):
    """Which towers: the filters of the register, with `area` as a GeoJSON polygon of one ring; or
    some by their `codes`. Without any it is every tower in the reader's territory."""

    # In JSON a number is a number: these are read from words in addresses.
    due_within = fields.Integer(load_default=None, strict=True, validate=between(0, 3650))
    built_before = fields.Integer(load_default=None, strict=True, validate=between(1900, 2201))
    area = fields.Dict(load_default=None, allow_none=True)  # type: ignore[assignment]
    codes = fields.List(
        fields.String(validate=length(1, 64)),
        load_default=list,
        validate=length(0, MOST_CODES),
    )


class PlanSchema(StrictSchema):
    """What a campaign says of itself; both days belong to it."""

    name = fields.String(required=True, validate=length(1, 300))
    kind = fields.String(required=True, validate=one_of(KINDS))
    begins_on = fields.Date(required=True, validate=DAYS)
    ends_on = fields.Date(required=True, validate=DAYS)
    note = fields.String(load_default="", validate=length(0, 8000))


class NewCampaign(PlanSchema):
    """A campaign under the id that its client made, with its towers."""

    id = fields.UUID(required=True)
    choice = fields.Nested(ChoiceSchema, required=True)


class ChosenTowers(StrictSchema):
    choice = fields.Nested(ChoiceSchema, required=True)


class StateSchema(StrictSchema):
    """The next state; cancelling needs a reason."""

    state = fields.String(required=True, validate=one_of(STATES))
    reason = fields.String(load_default="", validate=length(0, 4000))


class CampaignRemovalSchema(StrictSchema):
    """The assignments whose towers leave the campaign."""

    assignments = fields.List(fields.UUID(), required=True, validate=length(1, 5000))
    reason = fields.String(required=True, validate=length(1, 4000))


class SharingSchema(StrictSchema):
    """Who gets which of the towers that are not done: those of some communes, those that nobody
    has, or some assignments; all of them without these. Several inspectors get whole communes."""

    inspectors = fields.List(fields.UUID(), required=True, validate=length(1, giving.MOST_AT_ONCE))
    due_on = fields.Date(load_default=None, allow_none=True, validate=DAYS)
    commune = fields.List(
        fields.String(validate=length(1, 20)), load_default=list, validate=length(0, 500)
    )
    unassigned = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    assignments = fields.List(fields.UUID(), load_default=list, validate=length(0, 5000))


class CampaignQuery(PageQuery):
    state = fields.List(fields.String(validate=one_of(STATES)), load_default=list)
    kind = fields.List(fields.String(validate=one_of(KINDS)), load_default=list)


class CountsBody(StrictSchema):
    """`assigned`, `done` and `overdue` are parts of `towers`."""

    towers = fields.Integer(required=True)
    assigned = fields.Integer(required=True)
    done = fields.Integer(required=True)
    overdue = fields.Integer(required=True)


class CampaignBody(PlanSchema):
    id = fields.UUID(required=True)
    state = fields.String(required=True)
    possible = fields.List(fields.String(), required=True)
    reason = fields.String(required=True)
    ended_at = fields.DateTime(allow_none=True, required=True)
    created_at = fields.DateTime(required=True)
    progress = fields.Nested(CountsBody, required=True)
    version = fields.Integer(required=True)


class CampaignPage(StrictSchema):
    items = fields.List(fields.Nested(CampaignBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class CampaignPreviewBody(StrictSchema):
    """How many towers were found."""

    towers = fields.Integer(required=True)


class ChangedBody(StrictSchema):
    """How many towers a change touched, and the campaign as it is now."""

    towers = fields.Integer(required=True)
    campaign = fields.Nested(CampaignBody, required=True)


class ShareBody(CountsBody):
    id = fields.String(allow_none=True, required=True)
    name = fields.String(required=True)


class ProgressBody(StrictSchema):
    """The numbers in all, of each inspector (by id) and of each commune (by code); `null` are the
    towers that nobody has, and those outside all communes."""

    total = fields.Nested(CountsBody, required=True)
    inspectors = fields.List(fields.Nested(ShareBody), required=True)
    communes = fields.List(fields.Nested(ShareBody), required=True)


class WorkBody(StrictSchema):
    """What the worker does to many towers: `done` of `total`, then how many `towers` it touched.

    `detail` says why it failed.
    """

    campaign = fields.UUID(required=True)
    what = fields.String(required=True, validate=one_of(WORKS))
    state = fields.String(required=True)
    working = fields.Boolean(required=True)
    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    towers = fields.Integer(allow_none=True, required=True)
    detail = fields.String(required=True)
    asked_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(allow_none=True, required=True)


def work_body(work: CampaignWork, progress: Progress | None) -> dict[str, Any]:
    """How the worker stands with a campaign; a job that was forgotten long ago has ended."""
    state = progress.state if progress else jobs.State.FAILED
    working = progress is not None and not progress.ended
    if work.finished_at is not None:
        state, working = jobs.State.DONE, False
    failed = state == jobs.State.FAILED and progress is not None
    return {
        "campaign": str(work.campaign_id),
        "what": work.what,
        "state": state.value,
        "working": working,
        "done": progress.done if progress else 0,
        "total": (progress.total if progress else None) or work.expected,
        "towers": work.towers,
        "detail": translate(progress.note, **progress.facts) if failed and progress else "",
        "asked_at": work.asked_at.isoformat(),
        "finished_at": work.finished_at.isoformat() if work.finished_at else None,
    }
