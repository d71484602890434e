"""The English text of each value of the register; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "structure_type": {
        "lattice_self_support": N_("Self-supporting lattice tower"),
        "guyed_mast": N_("Ground guyed mast"),
        "monopole": N_("Monopole"),
        "rooftop_guyed": N_("Rooftop guyed mast"),
        "rooftop_pole": N_("Rooftop pole or short frame"),
        "concrete_pole": N_("Spun concrete pole"),
        "unknown": N_("Not yet determined"),
    },
    "service": {
        "bts": N_("Mobile base station (BTS)"),
        "radio_tv": N_("Radio and television"),
        "commune_loudspeaker": N_("Commune loudspeaker"),
        "microwave": N_("Microwave link"),
        "other": N_("Other"),
    },
    "lifecycle": {
        "planned": N_("Planned"),
        "built": N_("Built"),
        "active": N_("Active"),
        "inactive": N_("Inactive"),
        "abandoned": N_("Abandoned"),
        "dismantled": N_("Dismantled"),
    },
    "condition": {
        "dangerous": N_("Dangerous"),
        "assessment_needed": N_("Load-safety assessment needed"),
        "needs_follow_up": N_("Needs follow-up"),
        "ok": N_("Satisfactory"),
        "unchecked": N_("Unchecked"),
    },
    "condition_reason": {
        "never": N_("never inspected"),
        "incomplete": N_("the last inspection is incomplete"),
        "out_of_date": N_("the last inspection is out of date"),
    },
    "document_kind": {
        "dossier": N_("Dossier"),
        "permit": N_("Permit"),
        "drawing": N_("Drawing"),
        "assessment": N_("Structural assessment"),
        "photo": N_("Photo"),
        "contract": N_("Contract"),
        "other": N_("Other"),
    },
    "proposal_kind": {
        "new": N_("New tower"),
        "correction": N_("Correction"),
    },
    "proposal_state": {
        "open": N_("Open"),
        "accepted": N_("Accepted"),
        "refused": N_("Refused"),
        "withdrawn": N_("Withdrawn"),
    },
    "tower_field": {
        "document": N_("Document"),
        "reason": N_("Reason"),
        "proposal": N_("Proposal"),
        "merged": N_("Merged entry"),
        "into": N_("Entry that stays"),
        "code": N_("Code"),
        "name": N_("Name"),
        "structure_type": N_("Structure type"),
        "services": N_("Services"),
        "height_m": N_("Height of the mast (m)"),
        "host_building_height_m": N_("Height of the host building (m)"),
        "address": N_("Address"),
        "built_year": N_("Year built"),
        "lifecycle": N_("Life cycle"),
        "note": N_("Note"),
        "source": N_("Source"),
        "latitude": N_("Latitude"),
        "longitude": N_("Longitude"),
        "owner": N_("Owner"),
        "owner_id": N_("Owner"),
        "commune_id": N_("Commune"),
        "condition": N_("Condition"),
    },
}
