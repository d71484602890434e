"""What the API takes and gives for organisations."""

from __future__ import annotations

from marshmallow import fields

from accounts.rules import CONTACT_LENGTHS, LENGTHS, MAX_CONTACTS, OrganisationKind
from core.api import StrictSchema
from core.validation import between, length, one_of

KINDS = tuple(one.value for one in OrganisationKind)


def _text(name: str) -> fields.String:
    return fields.String(validate=length(0, LENGTHS[name]))


class ContactSchema(StrictSchema):
    """A person to speak to."""

    name = fields.String(required=True, validate=length(1, CONTACT_LENGTHS["name"]))
    position = fields.String(validate=length(0, CONTACT_LENGTHS["position"]))
    phone = fields.String(validate=length(0, CONTACT_LENGTHS["phone"]))
    email = fields.String(validate=length(0, CONTACT_LENGTHS["email"]))
    note = fields.String(validate=length(0, CONTACT_LENGTHS["note"]))


class OrganisationFields(StrictSchema):
    """The fields of an organisation; `contacts` are all of its people in their order."""

    name = fields.String(validate=length(1, LENGTHS["name"]))
    kind = fields.String(validate=one_of(KINDS))
    tax_code = _text("tax_code")
    address = _text("address")
    phone = _text("phone")
    email = _text("email")
    responsible_person = _text("responsible_person")
    responsible_phone = _text("responsible_phone")
    responsible_email = _text("responsible_email")
    note = _text("note")
    contacts = fields.List(fields.Nested(ContactSchema), validate=length(0, MAX_CONTACTS))


class WholeOrganisation(OrganisationFields):
    """The same with what no organisation goes without."""

    name = fields.String(required=True, validate=length(1, LENGTHS["name"]))
    kind = fields.String(required=True, validate=one_of(KINDS))


class OrganisationBody(StrictSchema):
    """An organisation as the API gives it; what the reader may not see is left out."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    tax_code = fields.String(required=True)
    address = fields.String(required=True)
    phone = fields.String(required=True)
    email = fields.String(required=True)
    responsible_person = fields.String(required=True)
    responsible_phone = fields.String(required=True)
    responsible_email = fields.String()
    note = fields.String()
    contacts = fields.List(fields.Nested(ContactSchema))
    version = fields.Integer(required=True)


class OrganisationPage(StrictSchema):
    items = fields.List(fields.Nested(OrganisationBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class OrganisationQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 1000))
    q = fields.String(load_default="", validate=length(0, 200))
    kind = fields.String(load_default=None, validate=one_of(KINDS))


class OrganisationMergeSchema(StrictSchema):
    """Which organisation is the same as that of the address, as the sender last saw it."""

    same = fields.UUID(required=True)
    same_version = fields.Integer(required=True, strict=True, validate=between(1, 2**31 - 1))


class NewDevice(StrictSchema):
    """A phone under the id that it made itself."""

    id = fields.UUID(required=True)
    name = fields.String(required=True, validate=length(1, 100))
    app_version = fields.String(load_default="", validate=length(0, 40))


class DeviceUser(StrictSchema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    language = fields.String()


class NewDeviceBody(StrictSchema):
    """A phone with its token, which is shown once."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    token = fields.String(required=True)
    user = fields.Nested(DeviceUser, required=True)
    expires_at = fields.DateTime(required=True)


class DeviceBody(StrictSchema):
    id = fields.UUID(required=True)
    user = fields.UUID(required=True)
    name = fields.String(required=True)
    app_version = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    last_seen_at = fields.DateTime(allow_none=True, required=True)
    revoked_at = fields.DateTime(allow_none=True, required=True)


class DevicePage(StrictSchema):
    items = fields.List(fields.Nested(DeviceBody), required=True)


class DeviceQuery(StrictSchema):
    user = fields.UUID(load_default=None)
