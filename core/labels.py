"""The English text of the actions in the history; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "audit_action": {
        "tower.create": N_("Registered"),
        "tower.edit": N_("Changed"),
        "tower.undo": N_("Import undone"),
        "tower.reassign": N_("Assigned to its commune anew"),
        "tower.export": N_("Exported"),
        "violation.export": N_("Follow-up list exported"),
        "statistics.export": N_("Statistics exported"),
        "tower.determine": N_("Structure type determined"),
        "installation.add": N_("Installation added"),
        "installation.edit": N_("Installation changed"),
        "installation.remove": N_("Installation removed"),
        "permit.add": N_("Permit added"),
        "permit.edit": N_("Permit changed"),
        "permit.remove": N_("Permit removed"),
        "anchor.add": N_("Guy anchor added"),
        "anchor.edit": N_("Guy anchor changed"),
        "anchor.remove": N_("Guy anchor removed"),
        "footprint.edit": N_("Footprint drawn"),
        "footprint.remove": N_("Footprint removed"),
        "assessment.answer": N_("Load-safety assessment answered"),
        "assessment.request": N_("Load-safety assessment requested"),
        "document.add": N_("Document added"),
        "document.remove": N_("Document removed"),
        "assessment.join": N_("Two requests for a load-safety assessment became one"),
        "tower.merge": N_("A duplicate was merged into this tower"),
        "tower.merged_away": N_("Merged into another tower"),
        "organisation.create": N_("Added"),
        "organisation.edit": N_("Changed"),
        "organisation.undo": N_("Removed as its import was undone"),
        "organisation.merge": N_("A duplicate was merged into this entry"),
        "organisation.merged_away": N_("Merged into another entry"),
    },
}
