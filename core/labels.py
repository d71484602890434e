"""The English text of the actions in the history; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "audit_action": {
        "tower.create": N_("Registered"),
        "tower.edit": N_("Changed"),
        "tower.reassign": N_("Assigned to its commune anew"),
        "tower.determine": N_("Structure type determined"),
        "assessment.request": N_("Load-safety assessment requested"),
    },
}
