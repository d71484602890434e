"""What the doors of accounts share: errors beside their fields, versions, finding a thing."""

from __future__ import annotations

import uuid

from flask import request

from accounts import queries
from accounts.models import Organisation, OrganisationMerge
from core import merging
from core.db import current_session
from core.errors import Conflict, Moved, NotFound
from core.guard import current_actor
from core.words import N_

CHANGED = N_("Somebody changed this in the meantime: look at it again and repeat your change")


def require_version(current: int, name: str = "version") -> None:
    """Raise `Conflict` when the form was filled in for an older version."""
    if request.form.get(name, "") != str(current):
        raise Conflict(CHANGED)


def the_organisation(organisation_id: uuid.UUID) -> Organisation:
    """An organisation that the reader may see; raises `NotFound`, or `Moved` after a merge."""
    session, actor = current_session(), current_actor()
    found = queries.organisation(session, actor, organisation_id)
    if found is not None:
        return found
    successor = merging.successor(session, OrganisationMerge, organisation_id)
    if successor is None or queries.organisation(session, actor, successor) is None:
        raise NotFound()
    raise Moved(organisation_id=str(successor))
