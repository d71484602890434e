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
    "organisation_kind": {
        "department": N_("Department"),
        "commune": N_("Commune office"),
        "owner": N_("Owner"),
        "operator": N_("Operator"),
        "manager": N_("Manager"),
    },
}
