// Words of the service by their values, as inspections/labels.py and towers/labels.py have them; a
// test holds them against each other. They are translated where they are shown.
const N_ = (text) => text;

export const WORDS = {
  structure_type: {
    lattice_self_support: N_("Self-supporting lattice tower"), guyed_mast: N_("Ground guyed mast"), monopole: N_("Monopole"),
    rooftop_guyed: N_("Rooftop guyed mast"), rooftop_pole: N_("Rooftop pole or short frame"), concrete_pole: N_("Spun concrete pole"),
    unknown: N_("Not yet determined"),
  },
  condition: {
    dangerous: N_("Dangerous"), assessment_needed: N_("Load-safety assessment needed"), needs_follow_up: N_("Needs follow-up"),
    ok: N_("Satisfactory"), unchecked: N_("Unchecked"),
  },
  severity: { critical: N_("Critical"), major: N_("Major"), minor: N_("Minor") },
  outcome: { ok: N_("Checked"), not_checked: N_("Not checked"), not_applicable: N_("Not applicable") },
  inspection_kind: {
    periodic: N_("Periodic inspection"), campaign: N_("Campaign"), complaint: N_("After a complaint"),
    after_storm: N_("After a storm"), reinspection: N_("Re-inspection"),
  },
  how: { ground: N_("From the ground"), climb: N_("By climbing"), documents: N_("From documents"), instrument: N_("With an instrument") },
  reinspection_outcome: { fixed: N_("Fixed"), not_fixed: N_("Not fixed"), cannot_verify: N_("Cannot be verified") },
  weather: { clear: N_("Clear sky"), cloudy: N_("Cloudy"), rain: N_("Rain"), strong_wind: N_("Strong wind") },
  verdict: {
    ok: N_("Satisfactory"), needs_follow_up: N_("Defects to be remedied"),
    assessment_needed: N_("A load-safety assessment is needed"), dangerous: N_("Dangerous"),
  },
  photo_source: { camera: N_("Taken with the camera"), file: N_("Chosen from files") },
  yes_no: { yes: N_("Yes"), no: N_("No") },
  input: {
    offset_mm: N_("Offset"), measured_height_m: N_("Height at which it was measured"), measured_kN: N_("Measured tension"),
    design_kN: N_("Design tension"), breaking_kN: N_("Breaking strength"), distance_m: N_("Distance"), height_m: N_("Height"),
    temperature_C: N_("Temperature"), guy_diameter_mm: N_("Guy diameter"), method: N_("Method"),
    soil_resistivity_ohm_m: N_("Soil resistivity"), weather: N_("Weather"), direct_jack: N_("Direct jack"), pulse: N_("Pulse"),
    tangent_intercept: N_("Tangent intercept"), shunt_dynamometer: N_("Shunt dynamometer"), fall_of_potential: N_("Fall of potential"),
    clamp: N_("Clamp"), dry: N_("Dry"), wet: N_("Wet"),
  },
};
