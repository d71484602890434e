"""The English text of each value of accounts; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "role": {
        "admin": N_("Administrator"),
        "staff": N_("Department staff"),
        "inspector": N_("Inspector"),
        "local_officer": N_("Local officer"),
        "operator": N_("Tower owner"),
    },
    "sign_in_way": {
        "password": N_("With a password"),
        "second_factor": N_("With password and second factor"),
        "openid": N_("With the account of the department"),
    },
    "organisation_kind": {
        "department": N_("Department"),
        "commune": N_("Commune office"),
        "owner": N_("Owner"),
        "operator": N_("Operator"),
        "manager": N_("Manager"),
    },
    "organisation_field": {
        "name": N_("Name"),
        "kind": N_("Kind"),
        "tax_code": N_("Tax code"),
        "address": N_("Address"),
        "phone": N_("Telephone"),
        "email": N_("E-mail address"),
        "responsible_person": N_("Responsible person"),
        "responsible_phone": N_("Telephone of the responsible person"),
        "responsible_email": N_("E-mail address of the responsible person"),
        "note": N_("Note"),
        "contacts": N_("Contacts"),
        "merged": N_("Merged entry"),
        "into": N_("Entry that stays"),
    },
}
