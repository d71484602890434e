"""The API of organisations and of phones, under `/api/v1/organisations` and `/api/v1/devices`."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from sqlalchemy.orm import Session

from accounts import audit_api, queries
from accounts.doors import the_organisation
from accounts.models import Device, Organisation, User
from accounts.schemas import (
    DevicePage,
    DeviceQuery,
    NewDevice,
    NewDeviceBody,
    OrganisationBody,
    OrganisationFields,
    OrganisationMergeSchema,
    OrganisationPage,
    OrganisationQuery,
    WholeOrganisation,
)
from accounts.security import current_device, current_user_session
from accounts.services import devices as phones
from accounts.services import organisations as services
from core import clock
from core.api import Blueprint, require_match, version_tag, with_tag
from core.db import current_session, transaction
from core.errors import Invalid, NotFound, PreconditionFailed
from core.guard import current_actor
from core.i18n import current_language
from core.policy import SIGNED_IN, Actor, guard, may, require
from core.timelines import TimelinePage, TimelineQuery, timeline_answer
from core.words import N_

organisations = Blueprint("api_organisations", __name__, url_prefix="/api/v1/organisations")
devices = Blueprint("api_devices", __name__, url_prefix="/api/v1/devices")
BLUEPRINTS = (organisations, devices, audit_api.entries)

# Everybody who may see an organisation sees these.
PLAIN = (
    "name", "kind", "tax_code", "address", "phone", "email",
    "responsible_person", "responsible_phone",
)  # fmt: skip


def body(organisation: Organisation, reader: Actor) -> dict[str, Any]:
    """An organisation as plain JSON values, without what this reader has no need of."""
    shown: dict[str, Any] = {key: getattr(organisation, key) for key in PLAIN}
    if may(reader, "organisation.contacts", organisation):
        shown["responsible_email"] = organisation.responsible_email
        shown["contacts"] = [services.contact_values(one) for one in organisation.contacts]
    if may(reader, "organisation.edit", organisation):
        shown["note"] = organisation.note
    return {"id": str(organisation.id), **shown, "version": organisation.version}


def answer(organisation: Organisation, status: int = 200) -> Response:
    response = jsonify(body(organisation, current_actor()))
    response.status_code = status
    return with_tag(response, organisation.version)


def held(session: Session, organisation_id: uuid.UUID) -> Organisation:
    """The organisation as it is now, held, after the version in If-Match was compared."""
    found = the_organisation(organisation_id)
    services.hold(session, found.id)
    require_match(request.headers.get("If-Match"), found.version)
    return found


def change(organisation_id: uuid.UUID, data: dict[str, Any], *, whole: bool) -> Response:
    with transaction() as session:
        found = held(session, organisation_id)
        present = services.snapshot(found)
        contacts = data.pop("contacts", [] if whole else None)
        values = data if whole else {**present, **data}
        services.save_organisation(
            session, found, values, contacts=contacts, by=current_actor(), now=clock.now()
        )
    return answer(found)


@organisations.route("")
class Organisations(MethodView):
    @guard("organisation.view")
    @organisations.arguments(OrganisationQuery, location="query")
    @organisations.response(200, OrganisationPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List organisations in the Vietnamese order of their names."""
        page = queries.organisations(current_session(), current_actor(), **query)
        return jsonify(
            items=[body(one, current_actor()) for one in page.rows], next_cursor=page.next_cursor
        )

    @guard("organisation.edit")
    @organisations.arguments(WholeOrganisation)
    @organisations.response(201, OrganisationBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Add an organisation."""
        contacts = data.pop("contacts", [])
        with transaction() as session:
            made = services.save_organisation(
                session, None, data, contacts=contacts, by=current_actor(), now=clock.now()
            )
        response = answer(made, 201)
        response.headers["Location"] = f"/api/v1/organisations/{made.id}"
        return response


@organisations.route("/<uuid:organisation_id>")
class OrganisationById(MethodView):
    @guard("organisation.view")
    @organisations.response(200, OrganisationBody)
    def get(self, organisation_id: uuid.UUID) -> Response:
        """One organisation."""
        return answer(the_organisation(organisation_id))

    @guard("organisation.edit")
    @organisations.arguments(WholeOrganisation)
    @organisations.response(200, OrganisationBody)
    def put(self, data: dict[str, Any], organisation_id: uuid.UUID) -> Response:
        """Replace an organisation; a field left out is emptied. Needs If-Match."""
        return change(organisation_id, data, whole=True)

    @guard("organisation.edit")
    @organisations.arguments(OrganisationFields)
    @organisations.response(200, OrganisationBody)
    def patch(self, data: dict[str, Any], organisation_id: uuid.UUID) -> Response:
        """Change some fields of an organisation. Needs If-Match."""
        return change(organisation_id, data, whole=False)

    @guard("organisation.edit")
    @organisations.response(204)
    def delete(self, organisation_id: uuid.UUID) -> Response:
        """Delete an organisation that nothing refers to. Needs If-Match."""
        with transaction() as session:
            found = held(session, organisation_id)
            services.delete_organisation(session, found, by=current_actor(), now=clock.now())
        return Response(status=204)


@organisations.route("/<uuid:organisation_id>/timeline")
class OrganisationTimeline(MethodView):
    @guard("organisation.view")
    @organisations.arguments(TimelineQuery, location="query")
    @organisations.response(200, TimelinePage)
    def get(self, query: dict[str, Any], organisation_id: uuid.UUID) -> Response:
        """What happened to an organisation and to its towers."""
        return timeline_answer("organisation", the_organisation(organisation_id), query)


@organisations.route("/<uuid:organisation_id>/merge")
class OrganisationMerges(MethodView):
    @guard("organisation.merge")
    @organisations.arguments(OrganisationMergeSchema)
    @organisations.response(200, OrganisationBody)
    def post(self, data: dict[str, Any], organisation_id: uuid.UUID) -> Response:
        """Merge another organisation that is the same into this one. Needs If-Match.

        Everything that referred to the other refers to this one afterwards; the other's address
        answers 410 and names this one.
        """
        with transaction() as session:
            keep = the_organisation(organisation_id)
            drop = queries.organisation(session, current_actor(), data["same"])
            if drop is None:
                message = N_("There is no organisation with this id")
                raise Invalid(message, fields={"same": [message]})
            services.hold(session, keep.id, drop.id)
            require_match(request.headers.get("If-Match"), keep.version)
            if drop.version != data["same_version"]:
                raise PreconditionFailed(current=version_tag(drop.version))
            services.merge_organisations(
                session, keep, drop, by=current_actor(), now=clock.now(), today=clock.today()
            )
        return answer(keep)


def device_body(device: Device) -> dict[str, Any]:
    """A phone as the API gives it, without its token."""
    return {
        "id": str(device.id),
        "user": str(device.user_id),
        "name": device.name,
        "app_version": device.app_version,
        "created_at": device.created_at.isoformat(),
        "last_seen_at": device.last_seen_at.isoformat() if device.last_seen_at else None,
        "revoked_at": device.revoked_at.isoformat() if device.revoked_at else None,
    }


@devices.route("")
class Devices(MethodView):
    @guard(SIGNED_IN)
    @devices.arguments(DeviceQuery, location="query")
    @devices.response(200, DevicePage)
    def get(self, query: dict[str, Any]) -> Response:
        """One's own phones, or those of `user` for who administers accounts."""
        actor = current_actor()
        assert actor.id is not None
        wanted: uuid.UUID = query["user"] or actor.id
        if wanted != actor.id:
            require(actor, "user.edit")
        found = phones.of_user(current_session(), wanted)
        return jsonify(items=[device_body(one) for one in found])

    @guard(SIGNED_IN)
    @devices.arguments(NewDevice)
    @devices.response(201, NewDeviceBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Let a phone work for its user; the token is shown once. The same id gives a fresh one.

        Needs the session of a browser: no token makes another one, which would outlast it.
        """
        current_user_session()
        actor = current_actor()
        with transaction() as session:
            device, token, ends = phones.register(
                session,
                data["id"],
                session.get_one(User, actor.id),
                name=data["name"],
                app_version=data["app_version"],
                by=actor,
                now=clock.now(),
            )
        response = jsonify(
            id=str(device.id),
            name=device.name,
            token=token,
            user={
                "id": str(actor.id),
                "name": actor.name,
                "email": actor.email,
                "language": current_language(),
            },
            expires_at=ends.isoformat(),
        )
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/devices/{device.id}"
        response.headers["Cache-Control"] = "no-store"
        return response


@devices.route("/token")
class DeviceToken(MethodView):
    @guard(SIGNED_IN)
    @devices.response(204)
    def delete(self) -> Response:
        """Sign out on the phone that asks: its token ends, the phone stays what it is."""
        device = current_device()
        if device is None:
            raise NotFound()
        with transaction() as session:
            phones.sign_out(session, device.device_id, by=current_actor(), now=clock.now())
        return Response(status=204)


@devices.route("/<uuid:device_id>")
class DeviceById(MethodView):
    @guard(SIGNED_IN)
    @devices.response(204)
    def delete(self, device_id: uuid.UUID) -> Response:
        """Revoke a phone, as a lost one: what it sends from now on waits for the department.

        No phone revokes one.
        """
        if current_device() is not None:
            current_user_session()
        actor = current_actor()
        with transaction() as session:
            device = phones.by_id(session, actor, device_id)
            phones.revoke(session, device, by=actor, now=clock.now())
        return Response(status=204)
