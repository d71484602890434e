"""Proposals: a tower that is not in the register, or a correction; staff accept or refuse."""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.services.organisations import owner_named
from areas import queries as areas
from core import audit, policy
from core.errors import Conflict, Invalid, NotFound
from core.geo import Position, to_point, to_position
from core.i18n import N_
from core.policy import Actor
from towers import queries, services
from towers.coordinate_systems import WGS84, system, to_wgs84
from towers.coordinates import Reading
from towers.fields import BY_NAME, KEPT, ORGANISATIONS, Kind
from towers.models import Document, Tower, TowerProposal
from towers.rules import ProposalKind, ProposalState

# A tower that stands as near as this may be the one that somebody found.
NEAR_M = 500.0
POSITION = ("latitude", "longitude", "source_srid", "source_x", "source_y")
MAX_NOTE = 4_000
REGISTRABLE = {field.name: field.empty for field in (*KEPT, *ORGANISATIONS) if not field.required}


@dataclass(frozen=True)
class Finding:
    """What somebody proposes. `values` are fields by name, organisations by theirs.

    `reading` is a position with the coordinates as they were given, `accuracy_m` that of the
    device in metres. `confirmed` says that none of the towers nearby is meant.
    """

    kind: ProposalKind
    tower: Tower | None
    values: dict[str, Any]
    reading: Reading | None = None
    accuracy_m: Decimal | None = None
    note: str = ""
    confirmed: bool = False

    hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        said = {
            "kind": self.kind,
            "tower": str(self.tower.id) if self.tower else None,
            "values": plain(self.values),
            "position": plain_position(self.reading) if self.reading else None,
            "accuracy_m": str(self.accuracy_m),
            "note": self.note,
        }
        digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
        object.__setattr__(self, "hash", digest)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of fields as JSON, as the API gives them."""
    return {name: _json(value) for name, value in values.items()}


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()
    return value.isoformat() if isinstance(value, date) else value


def plain_position(reading: Reading) -> dict[str, Any]:
    """A position as JSON, with the original coordinates where they are not WGS 84."""
    said: dict[str, Any] = {
        "latitude": reading.position.latitude,
        "longitude": reading.position.longitude,
    }
    if reading.system != WGS84:
        said |= {"source_srid": reading.system.srid, "source_x": reading.x, "source_y": reading.y}
    return said


def present(tower: Tower) -> dict[str, Any]:
    """What the register says now of the fields that a proposal may name."""
    position = to_position(tower.geom)
    organisations = {field.name: getattr(tower, field.name) for field in ORGANISATIONS}
    return {
        **plain({field.name: getattr(tower, field.name) for field in KEPT}),
        **{name: found.name if found else None for name, found in organisations.items()},
        "latitude": position.latitude,
        "longitude": position.longitude,
    }


def loaded(
    session: Session, values: Mapping[str, Any], *, by: Actor, now: datetime
) -> dict[str, Any]:
    """The values of a proposal as the register takes them; a new organisation is made."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in POSITION:
            continue
        kind = BY_NAME[name].kind
        if kind is Kind.ORGANISATION:
            value = owner_named(session, value or "", by=by, now=now)
        elif kind is Kind.NUMBER and value is not None:
            value = round(Decimal(str(value)), BY_NAME[name].digits)
        elif kind is Kind.DAY and value is not None:
            value = date.fromisoformat(value)
        found[name] = value
    return found


def reading_of(values: Mapping[str, Any]) -> Reading | None:
    """The position that a proposal names, with its original coordinates."""
    if "source_srid" in values:
        of = system(values["source_srid"])
        x, y = values["source_x"], values["source_y"]
        return Reading(to_wgs84(x, y, of), of, x, y)
    if "latitude" in values:
        return Reading.of(Position(values["latitude"], values["longitude"]))
    return None


class NearTowers(Conflict):
    """Towers stand near the place of a proposal, and nobody said that none of them is meant."""

    code = "near_towers"


def propose(
    session: Session, proposal_id: uuid.UUID, finding: Finding, *, by: Actor, now: datetime
) -> tuple[TowerProposal, bool]:
    """Keep a proposal under the id that its device made; returns it and whether it is new.

    The same id with the same finding is the first answer again, with another one a `Conflict`.
    Raises `NearTowers` with the towers within `NEAR_M` of a new one unless it is confirmed, and
    `Invalid` for a place outside the proposer's territory or a correction that corrects nothing.
    """
    policy.require(by, "proposal.create")
    known = session.get(TowerProposal, proposal_id)
    if known is None:
        if len(finding.note) > MAX_NOTE or "\x00" in finding.note:
            message = N_("This text is too long")
            raise Invalid(message, fields={"note": [message]})
        said = _new(session, finding, by) if finding.tower is None else _correction(finding, by)
        made = session.execute(
            insert(TowerProposal)
            .values(
                id=proposal_id,
                body_hash=finding.hash,
                kind=finding.kind,
                accuracy_m=finding.accuracy_m,
                note=finding.note.strip(),
                state=ProposalState.OPEN,
                by_id=by.id,
                created_at=now,
                **said,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(TowerProposal.id)
        ).scalar()
        known = session.get_one(TowerProposal, proposal_id, populate_existing=True)
        if made is not None:
            _note(session, known, "proposal.create", by=by, now=now)
            return known, True
    if known.by_id != by.id:
        raise NotFound()
    if known.body_hash != finding.hash:
        raise Conflict(N_("Another proposal was sent under this number before"))
    return known, False


def _new(session: Session, finding: Finding, by: Actor) -> dict[str, Any]:
    """The columns of a tower that is not in the register."""
    if finding.reading is None:
        message = N_("Say where the tower stands")
        raise Invalid(message, fields={"position": [message]})
    position = finding.reading.position
    services.require_inside_envelope(session, position)
    commune = areas.commune_of(session, position)
    if by.communes is not None and (commune is None or commune.id not in by.communes):
        message = N_("The position lies outside your territory")
        raise Invalid(message, fields={"position": [message]})
    near = queries.nearest(session, by, position, metres=NEAR_M)
    if near and not finding.confirmed:
        raise NearTowers(
            N_("Towers of the register stand near this place: say that none of them is meant"),
            near=[
                {"code": tower.code, "name": tower.name, "metres": round(away)}
                for tower, away in near
            ],
        )
    return {
        "tower_id": None,
        "values": {**plain(finding.values), **plain_position(finding.reading)},
        "base": {},
        "position": to_point(position),
        "commune_id": commune.id if commune else None,
    }


def _correction(finding: Finding, by: Actor) -> dict[str, Any]:
    """The columns of a correction: only what differs from the register."""
    tower = finding.tower
    assert tower is not None
    policy.require(by, "tower.view", tower)
    base = present(tower)
    values = {
        name: value for name, value in plain(finding.values).items() if not same(value, base[name])
    }
    moved = finding.reading is not None and finding.reading.position != to_position(tower.geom)
    if finding.reading is not None and moved:
        values |= plain_position(finding.reading)
    if not values:
        raise Invalid(N_("Nothing differs from the register: change at least one field"))
    return {
        "tower_id": tower.id,
        "values": values,
        "base": {name: base[name] for name in values if name in base},
        "position": to_point(finding.reading.position) if finding.reading and moved else None,
        "commune_id": tower.commune_id,
    }


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values of a field say the same; nothing is the same as an empty text."""
    if isinstance(one, list) and isinstance(other, list):
        return sorted(one) == sorted(other)
    return one == other or (one in (None, "") and other in (None, ""))


def accept(
    session: Session,
    proposal: TowerProposal,
    *,
    values: Mapping[str, Any],
    leave_out: Collection[str] = (),
    by: Actor,
    now: datetime,
    today: date,
) -> Tower:
    """Take a proposal into the register; returns the tower that was made or changed.

    `values` are JSON values that staff add or put in the place of proposed ones (a new tower
    needs a code and a name), `leave_out` names fields that are not taken. Raises as
    `create_tower` and `update_tower`, and `Conflict` for a proposal that is decided.
    """
    _require_open(proposal, by, "proposal.decide")
    skipped = set(leave_out)
    if skipped & {"latitude", "longitude"}:
        skipped |= set(POSITION)
    taken = {name: value for name, value in proposal.values.items() if name not in skipped}
    if set(POSITION) & set(values):
        taken = {name: value for name, value in taken.items() if name not in POSITION}
    taken |= values
    reading = reading_of(taken)
    changes = loaded(session, taken, by=by, now=now)
    cause = {"proposal": str(proposal.id)}
    if proposal.tower is not None:
        if not taken:
            raise Invalid(N_("Take at least one field, or refuse the proposal"))
        tower = services.hold(session, proposal.tower.id)
        services.update_tower(
            session,
            tower,
            reading=reading,
            values=changes,
            cause=cause,
            by=by,
            now=now,
            today=today,
        )
    else:
        assert proposal.position is not None
        reading = reading or Reading.of(to_position(proposal.position))
        tower = _register(session, reading, changes, cause, by=by, now=now)
    session.execute(
        update(Document)
        .where(Document.proposal_id == proposal.id, Document.tower_id.is_(None))
        .values(tower_id=tower.id)
        .execution_options(synchronize_session=False)
    )
    proposal.result_id = tower.id
    _decide(session, proposal, ProposalState.ACCEPTED, by=by, now=now)
    return tower


def _register(
    session: Session,
    reading: Reading,
    changes: dict[str, Any],
    cause: Mapping[str, str],
    *,
    by: Actor,
    now: datetime,
) -> Tower:
    missing = {name: [N_("This is missing.")] for name in ("code", "name") if not changes.get(name)}
    if missing:
        raise Invalid(fields=missing)
    return services.create_tower(
        session,
        reading=reading,
        values={**REGISTRABLE, **changes},
        cause=cause,
        by=by,
        now=now,
    )


def refuse(
    session: Session, proposal: TowerProposal, *, reason: str, by: Actor, now: datetime
) -> None:
    """Refuse a proposal with a reason that its proposer reads."""
    _require_open(proposal, by, "proposal.decide")
    reason = unicodedata.normalize("NFC", reason).strip()
    if not 1 <= len(reason) <= MAX_NOTE or "\x00" in reason:
        message = N_("Say why the proposal is refused")
        raise Invalid(message, fields={"reason": [message]})
    proposal.reason = reason
    _decide(session, proposal, ProposalState.REFUSED, by=by, now=now)


def withdraw(session: Session, proposal: TowerProposal, *, by: Actor, now: datetime) -> None:
    """Take one's own proposal back while it is open."""
    _require_open(proposal, by, "proposal.create")
    if proposal.by_id != by.id:
        raise NotFound()
    _decide(session, proposal, ProposalState.WITHDRAWN, by=by, now=now)


def _require_open(proposal: TowerProposal, by: Actor, action: str) -> None:
    policy.require(by, action, proposal)
    if proposal.state != ProposalState.OPEN:
        raise Conflict(N_("This proposal is decided already"), state=proposal.state)


def _decide(
    session: Session, proposal: TowerProposal, state: ProposalState, *, by: Actor, now: datetime
) -> None:
    proposal.state = state
    proposal.decided_by_id = by.id
    proposal.decided_at = now
    proposal.version += 1
    session.flush()
    session.expire(proposal, ["result", "decided_by", "documents"])
    _note(session, proposal, f"proposal.{VERBS[state]}", by=by, now=now)


VERBS = {
    ProposalState.ACCEPTED: "accept",
    ProposalState.REFUSED: "refuse",
    ProposalState.WITHDRAWN: "withdraw",
}


def _note(
    session: Session, proposal: TowerProposal, action: str, *, by: Actor, now: datetime
) -> None:
    audit.record(
        session,
        action,
        "proposal",
        proposal.id,
        by=by,
        now=now,
        after={
            "kind": proposal.kind,
            "state": proposal.state,
            "reason": proposal.reason,
            "tower": str(proposal.result_id or proposal.tower_id or "") or None,
        },
    )
