"""The API that makes one tower of two, under `/api/v1/tower-merges`."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema, require_match, version_tag, with_tag
from core.db import transaction
from core.errors import PreconditionFailed
from core.guard import current_actor
from core.policy import guard
from core.validation import between, length, one_of
from towers.doors import the_tower
from towers.services import merge as services

merges = Blueprint("api_tower_merges", __name__, url_prefix="/api/v1/tower-merges")


class MergeSchema(StrictSchema):
    """`drop` is merged into `keep`; `take` names the fields whose value comes from `drop`.

    `drop_version` is the version of `drop` that was compared; that of `keep` stands in If-Match.
    """

    keep = fields.String(required=True, validate=length(1, 64))
    drop = fields.String(required=True, validate=length(1, 64))
    drop_version = fields.Integer(required=True, strict=True, validate=between(1, 2**31 - 1))
    take = fields.List(fields.String(validate=one_of(services.CHOICES)), load_default=list)


class MergedBody(StrictSchema):
    code = fields.String(required=True)
    merged = fields.String(required=True)
    version = fields.Integer(required=True)


@merges.route("")
class TowerMerges(MethodView):
    @guard("tower.merge")
    @merges.arguments(MergeSchema)
    @merges.response(201, MergedBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Merge two entries of one structure. Needs If-Match with the version of `keep`.

        Everything that referred to `drop` refers to `keep`; the address of `drop` answers 410 and
        names `keep`. It cannot be undone.
        """
        with transaction() as session:
            keep, drop = the_tower(data["keep"]), the_tower(data["drop"])
            services.hold_both(session, keep.id, drop.id)
            require_match(request.headers.get("If-Match"), keep.version)
            if drop.version != data["drop_version"]:
                raise PreconditionFailed(current=version_tag(drop.version))
            services.merge_towers(
                session,
                keep,
                drop,
                take=data["take"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        response = jsonify(code=keep.code, merged=data["drop"], version=keep.version)
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/towers/{keep.code}"
        return with_tag(response, keep.version)
