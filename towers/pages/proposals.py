"""Pages of proposals: a tower that is missing, a correction, and what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from accounts import queries as accounts
from areas import queries as areas
from core import clock, policy, store
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, FieldText, Invalid
from core.file_types import PICTURES
from core.geo import to_position
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import errors_of, field_texts
from core.words import N_
from towers import queries as towers
from towers.coordinate_systems import WGS84, named_systems
from towers.coordinates import Reading, read_pair
from towers.doors import document_store, held_proposal, the_proposal, the_tower
from towers.fields import BY_NAME, FIELDS, Group, decimal
from towers.forms import checked, given_tower, is_untouched, shown_tower, values_of
from towers.models import Tower, TowerProposal
from towers.queries import proposals as queries
from towers.queries.proposals import ProposalFilters
from towers.rules import DocumentKind, ProposalKind, ProposalState
from towers.services import documents, proposals
from towers.services.proposals import NEAR_M, Finding, NearTowers

# What somebody at the foot of a tower can say of it; the rest is in papers.
ASKED = tuple(
    BY_NAME[name]
    for name in (
        "code", "name", "structure_type", "services", "height_m", "host_building_height_m",
        "owner", "address",
    )
)  # fmt: skip
MAX_PHOTOS = 10
PLACE = {"latitude", "longitude"}
POSITION = "position"


def proposal_routes(blueprint: Blueprint) -> None:
    """Add the pages of proposals to the feature's blueprint."""
    one = "/proposals/<uuid:proposal_id>"
    for rule, view, method in (
        ("/towers/propose", propose, "GET"),
        ("/towers/propose", propose_new, "POST"),
        ("/towers/<code>/propose", correct, "GET"),
        ("/towers/<code>/propose", propose_correction, "POST"),
        ("/proposals", proposal_list, "GET"),
        (one, proposal, "GET"),
        (f"{one}/decide", decide, "POST"),
        (f"{one}/withdraw", withdraw, "POST"),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])


# Proposing


def asked_position() -> tuple[Reading | None, str, list[FieldText]]:
    """The position that was typed, picked or measured, as its text; or what is wrong with it."""
    text = request.values.get("position", "").replace("\x00", "").strip()[:300]
    srid = request.values.get("srid", "")
    of = next((one for one in named_systems() if str(one.srid) == srid), None)
    if not text:
        return None, "", []
    reading, problems = read_pair(text, store.envelope(current_session()), of)
    return reading, text, [(message, facts) for _field, message, facts in problems]


def accuracy() -> Decimal | None:
    """The accuracy that the device told, in metres; nonsense is nothing."""
    value = decimal(request.values.get("accuracy", ""))
    return round(value, 1) if value is not None and 0 <= value <= 100_000 else None


def new_form(
    reading: Reading | None,
    text: str,
    *,
    given: dict[str, Any] | None = None,
    errors: Any = None,
    proposal_id: str = "",
) -> str:
    session, actor = current_session(), current_actor()
    position = reading.position if reading else None
    near = towers.nearest(session, actor, position, metres=NEAR_M) if position else []
    return render_template(
        "towers/propose.html",
        reading=reading,
        position=position,
        text=text,
        srid=request.values.get("srid", ""),
        systems=[one for one in named_systems() if one != WGS84],
        accuracy=accuracy(),
        near=near,
        others=queries.open_near(session, actor, position, metres=NEAR_M) if position else [],
        asks=bool(position) and (not near or "confirmed" in request.values),
        given=given or {field.name: field.empty for field in ASKED},
        fields=ASKED,
        errors=errors,
        proposal_id=proposal_id or str(uuid.uuid4()),
        organisations=accounts.organisation_names(session, actor),
    )


@guard("proposal.create")
def propose() -> str | tuple[str, int]:
    """First where it is, then what stands there already, then what it is."""
    reading, text, problems = asked_position()
    if problems:
        errors = field_texts(Invalid(fields={"position": problems}))
        return new_form(None, text, errors=errors), 422
    return new_form(reading, text)


@guard("proposal.create")
def propose_new() -> Response | tuple[str, int]:
    given = {**given_tower(request.form, ASKED), "note": request.form.get("note", "")}
    reading, text, problems = asked_position()
    try:
        values, wrong = values_of(given, ASKED, partial=True)
        if problems:
            wrong["position"] = problems
        if wrong:
            raise Invalid(fields=wrong)
        metres = accuracy()
        if metres is not None:
            values |= {"coord_source": "gps", "coord_accuracy_m": metres}
        kept = keep(
            Finding(
                kind=ProposalKind.NEW,
                tower=None,
                values=values,
                reading=reading,
                accuracy_m=metres,
                note=given["note"],
                confirmed="confirmed" in request.form,
            )
        )
    except NearTowers as error:
        return new_form(reading, text, given=given), error.status
    except DomainError as error:
        page = new_form(
            reading,
            text,
            given=given,
            errors=errors_of(error),
            proposal_id=request.form.get("id", ""),
        )
        return page, error.status
    return thanks(kept)


def keep(finding: Finding) -> TowerProposal:
    """Keep a finding with its photos, all or nothing."""
    try:
        proposal_id = uuid.UUID(request.form.get("id", ""))
    except ValueError as error:
        raise Invalid(N_("This is not a UUID.")) from error
    with sent_photos() as photos, transaction() as session:
        made, _new = proposals.propose(
            session, proposal_id, finding, by=current_actor(), now=clock.now()
        )
        for number, photo in enumerate(photos):
            documents.add_document(
                session,
                # A resend of the form brings the same photos under the same numbers.
                uuid.uuid5(proposal_id, str(number)),
                photo,
                proposal=made,
                kind=DocumentKind.PHOTO,
                store=document_store(),
                by=current_actor(),
                now=clock.now(),
            )
    return made


@contextmanager
def sent_photos() -> Iterator[list[documents.Sent]]:
    """The photos of the form, checked, on their way into the store."""
    uploads = [one for one in request.files.getlist("photo") if one.filename]
    if len(uploads) > MAX_PHOTOS:
        message = N_("Send at most %(limit)s photos")
        raise Invalid(message, fields={"photo": [(message, {"limit": MAX_PHOTOS})]})
    store_of = document_store()
    with ExitStack() as stack:
        photos = []
        for upload in uploads:
            arrival = stack.enter_context(store_of.arriving(upload.stream))
            photo = documents.checked(arrival, upload.filename or "", store_of)
            if photo.picture is None:
                message = N_("This is not a photo: send JPEG, PNG or WebP")
                raise Invalid(message, fields={"photo": [message]})
            photos.append(photo)
        yield photos


def thanks(kept: TowerProposal) -> Response:
    flash(_("Thank you. The department will decide; you see here what becomes of it."), "success")
    return redirect(url_for("towers.proposal", proposal_id=kept.id))


def correction_form(
    tower: Tower, given: dict[str, Any], *, errors: Any = None, proposal_id: str = ""
) -> str:
    return render_template(
        "towers/propose_correction.html",
        tower=tower,
        given=given,
        errors=errors,
        groups=[(group, [one for one in FIELDS if one.group is group]) for group in Group],
        systems=named_systems(),
        communes=areas.commune_choices(current_session()),
        organisations=accounts.organisation_names(current_session(), current_actor()),
        proposal_id=proposal_id or str(uuid.uuid4()),
    )


@guard("proposal.create")
def correct(code: str) -> str:
    tower = the_tower(code)
    return correction_form(tower, {**shown_tower(tower), "explanation": ""})


@guard("proposal.create")
def propose_correction(code: str) -> Response | tuple[str, int]:
    tower = the_tower(code)
    given = {**given_tower(request.form), "explanation": request.form.get("explanation", "")}
    try:
        reading: Reading | None
        reading, values = checked(given, store.envelope(current_session()))
        if is_untouched(tower, given):
            reading = None
        kept = keep(
            Finding(
                kind=ProposalKind.CORRECTION,
                tower=tower,
                values=values,
                reading=reading,
                note=given["explanation"],
            )
        )
    except DomainError as error:
        page = correction_form(
            tower, given, errors=errors_of(error), proposal_id=request.form.get("id", "")
        )
        return page, error.status
    return thanks(kept)


# What became of them


@guard("proposal.view")
def proposal_list() -> str:
    actor = current_actor()
    decides = policy.allows(actor, "proposal.decide")
    state = request.args.get("state", "open" if decides else "")
    kind = request.args.get("kind", "")
    mine = request.args.get("mine") == "1"
    page = queries.proposals(
        current_session(),
        actor,
        ProposalFilters(
            state=(state,) if state in set(ProposalState) else (),
            kind=kind if kind in set(ProposalKind) else "",
            mine=mine,
        ),
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "towers/proposals.html",
        page=page,
        lines=changed_lines,
        state=state,
        kind=kind,
        mine=mine,
        states=list(ProposalState),
        kinds=list(ProposalKind),
    )


@guard("proposal.view")
def proposal(proposal_id: uuid.UUID) -> str:
    return proposal_page(the_proposal(proposal_id))


def proposal_page(
    found: TowerProposal, *, given: dict[str, str] | None = None, errors: Any = None
) -> str:
    session, actor = current_session(), current_actor()
    place = to_position(found.position) if found.position is not None else None
    present = proposals.present(found.tower) if found.tower else {}
    near = towers.nearest(session, actor, place, metres=NEAR_M) if place else []
    return render_template(
        "towers/proposal.html",
        proposal=found,
        place=place,
        seen_place=to_position(found.tower.geom) if found.tower else None,
        by_name=BY_NAME,
        present=present,
        lines=changed_lines(found),
        documents=[one for one in found.documents if one.removed_at is None],
        pictures=PICTURES,
        near=[(tower, away) for tower, away in near if tower.id != found.tower_id],
        others=queries.open_near(session, actor, place, metres=NEAR_M, but=found.id)
        if place and found.kind == ProposalKind.NEW
        else [],
        given=given or {},
        errors=errors,
        decides=found.state == ProposalState.OPEN and policy.may(actor, "proposal.decide", found),
        mine=found.by_id == actor.id,
    )


def changed_lines(found: TowerProposal) -> list[str]:
    """The fields of a proposal in the order of the register; a place is one line."""
    fields = [field.name for field in FIELDS if field.name in found.values]
    return [name for name in fields if name not in PLACE] + (
        [POSITION] if set(fields) >= PLACE else []
    )


@guard("proposal.decide")
def decide(proposal_id: uuid.UUID) -> Response | tuple[str, int]:
    actor, now, form = current_actor(), clock.now(), request.form
    given = {name: form.get(name, "") for name in ("code", "name", "reason")}
    try:
        with transaction() as session:
            found = held_proposal(session, proposal_id)
            require_version(found)
            decision = form.get("decision")
            if decision == "accept":
                added: dict[str, Any] = {}
                wrong: dict[str, list[FieldText]] = {}
                if found.kind == ProposalKind.NEW:
                    asked = (BY_NAME["code"], BY_NAME["name"])
                    added, wrong = values_of(given, asked)
                if wrong:
                    raise Invalid(fields=wrong)
                take = set(form.getlist("take"))
                left = set(changed_lines(found)) - take - set(added)
                if POSITION in left:
                    left = (left - {POSITION}) | PLACE
                tower = proposals.accept(
                    session,
                    found,
                    values=added,
                    leave_out=left,
                    by=actor,
                    now=now,
                    today=clock.today(),
                )
                code = tower.code
            elif decision == "refuse":
                proposals.refuse(session, found, reason=given["reason"], by=actor, now=now)
            else:
                raise Invalid(N_("Accept the proposal or refuse it"))
    except DomainError as error:
        page = proposal_page(the_proposal(proposal_id), given=given, errors=errors_of(error))
        return page, error.status
    if decision == "refuse":
        flash(_("The proposal was refused."), "success")
        return redirect(url_for("towers.proposal_list"))
    flash(_("The proposal was accepted: tower %(code)s.", code=code), "success")
    return redirect(url_for("towers.detail", code=code))


def require_version(found: TowerProposal) -> None:
    if request.form.get("version", "") != str(found.version):
        raise Conflict(N_("Somebody decided or changed this proposal in the meantime"))


@guard("proposal.create")
def withdraw(proposal_id: uuid.UUID) -> Response:
    with transaction() as session:
        found = held_proposal(session, proposal_id)
        require_version(found)
        proposals.withdraw(session, found, by=current_actor(), now=clock.now())
    flash(_("The proposal was withdrawn."), "success")
    return redirect(url_for("towers.proposal", proposal_id=proposal_id))
