"""The English text of each value; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "severity": {
        "critical": N_("Critical"),
        "major": N_("Major"),
        "minor": N_("Minor"),
    },
    "outcome": {
        "ok": N_("Checked"),
        "not_checked": N_("Not checked"),
        "not_applicable": N_("Not applicable"),
    },
    "inspection_kind": {
        "periodic": N_("Periodic inspection"),
        "campaign": N_("Campaign"),
        "complaint": N_("After a complaint"),
        "after_storm": N_("After a storm"),
        "reinspection": N_("Re-inspection"),
    },
    "inspection_status": {
        "draft": N_("Draft"),
        "submitted": N_("Submitted"),
        "accepted": N_("Accepted"),
        "returned": N_("Returned"),
        "voided": N_("Voided"),
    },
    "how": {
        "ground": N_("From the ground"),
        "climb": N_("By climbing"),
        "documents": N_("From documents"),
        "instrument": N_("With an instrument"),
    },
    "basis": {
        "documented": N_("Documented"),
        "practice": N_("Practice"),
        "suggested": N_("Suggested, an engineer must confirm"),
    },
    "violation_state": {
        "open": N_("Open"),
        "closed": N_("Closed"),
        "withdrawn": N_("Withdrawn"),
    },
    "violation_event": {
        "found": N_("Found"),
        "withdrawn": N_("Withdrawn by a correction"),
        "reinspected": N_("Re-inspected"),
        "reinspection_withdrawn": N_("Re-inspection withdrawn"),
        "continued": N_("Goes on in the record of the same defect"),
    },
    "reinspection_outcome": {
        "fixed": N_("Fixed"),
        "not_fixed": N_("Not fixed"),
        "cannot_verify": N_("Cannot be verified"),
    },
    "yes_no": {"yes": N_("Yes"), "no": N_("No")},
    "input": {
        "offset_mm": N_("Offset"),
        "measured_height_m": N_("Height at which it was measured"),
        "measured_kN": N_("Measured tension"),
        "design_kN": N_("Design tension"),
        "breaking_kN": N_("Breaking strength"),
        "distance_m": N_("Distance"),
        "height_m": N_("Height"),
        "temperature_C": N_("Temperature"),
        "guy_diameter_mm": N_("Guy diameter"),
        "method": N_("Method"),
        "soil_resistivity_ohm_m": N_("Soil resistivity"),
        "weather": N_("Weather"),
        "direct_jack": N_("Direct jack"),
        "pulse": N_("Pulse"),
        "tangent_intercept": N_("Tangent intercept"),
        "shunt_dynamometer": N_("Shunt dynamometer"),
        "fall_of_potential": N_("Fall of potential"),
        "clamp": N_("Clamp"),
        "dry": N_("Dry"),
        "wet": N_("Wet"),
    },
}
