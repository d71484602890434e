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
        "open": N_("Waiting for a decision"),
        "accepted": N_("Accepted"),
        "refused": N_("Refused"),
        "withdrawn": N_("Withdrawn"),
    },
    "planning_class": {
        "A1a": N_("A1a: not bulky, on a building"),
        "A1b": N_("A1b: not bulky, disguised, on the ground"),
        "A2a": N_("A2a: bulky, on a roof"),
        "A2b": N_("A2b: bulky, on the ground"),
        "A2c": N_("A2c: bulky, other"),
    },
    "bts_category": {
        "1": N_("Category 1: built on the ground"),
        "2": N_("Category 2: on an existing building"),
    },
    "managing_department": {
        "science_technology": N_("Department of Science and Technology"),
        "culture_sports_tourism": N_("Department of Culture, Sports and Tourism"),
        "commune": N_("People's committee of the commune"),
        "other": N_("Other"),
    },
    "coord_source": {
        "gps": N_("GPS receiver or phone"),
        "survey": N_("Land survey"),
        "dossier": N_("Dossier"),
        "map": N_("Picked on a map"),
        "other": N_("Other"),
    },
    "foundation_type": {
        "pad": N_("Pad foundation"),
        "pile": N_("Pile foundation"),
        "pier": N_("Pier foundation"),
        "raft": N_("Raft foundation"),
        "roof_beam": N_("On roof beams"),
        "roof_slab": N_("On a roof slab"),
        "other": N_("Other"),
    },
    "permit_kind": {
        "building_permit": N_("Building permit"),
        "height_approval": N_("Height approval"),
        "bts_certificate": N_("BTS certificate"),
        "emf_result": N_("EMF measurement"),
        "maintenance_procedure": N_("Maintenance procedure"),
        "structural_assessment": N_("Structural assessment"),
        "other": N_("Other"),
    },
    "flag": {"yes": N_("Yes"), "no": N_("No")},
    "field_group": {
        "identity": N_("Identity"),
        "place": N_("Position"),
        "structure": N_("Structure"),
        "foundation": N_("Foundation and guys"),
        "people": N_("Owner and people"),
        "notes": N_("Notes"),
    },
}
