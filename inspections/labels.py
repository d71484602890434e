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
    "operation_kind": {
        "inspection": N_("Inspection"),
        "proposal": N_("Tower that is not in the register"),
        "discard": N_("Draft that is given up"),
        "photo": N_("Photo"),
    },
    "review_state": {
        "open": N_("Waits for a decision"),
        "accepted": N_("Taken"),
        "kept_other": N_("The known one was kept"),
        "rejected": N_("Rejected"),
    },
    "review_reason": {
        "different_body": N_("Sent before with another content"),
        "two_inspectors": N_("Two inspectors at one tower"),
        "violation_ended": N_("The violation ended meanwhile"),
        "changed_meanwhile": N_("Changed by the department meanwhile"),
        "revoked_device": N_("The phone was revoked"),
        "disabled_account": N_("The account was disabled"),
    },
    "review_reason_long": {
        "different_body": N_("The same inspection was sent before, and said something else."),
        "two_inspectors": N_("Somebody else inspected this tower on nearly the same day."),
        "violation_ended": N_(
            "The violation was closed or withdrawn while the inspector was offline."
        ),
        "changed_meanwhile": N_(
            "The department decided about this inspection while the inspector was editing it"
            " offline."
        ),
        "revoked_device": N_("The phone was revoked, as a lost one, before it sent this."),
        "disabled_account": N_("The account was disabled before its phone sent this."),
    },
    # What an inspection says beside its answers.
    "visit_field": {
        "answers": N_("Answers"),
        "app_version": N_("Version of the app"),
        "assessment_reason": N_("Why an assessment is asked for"),
        "assessment_requested": N_("Load-safety assessment"),
        "checklist_version": N_("Checklist version"),
        "ended_at": N_("End of the visit"),
        "far_reason": N_("Why so far from the tower"),
        "inspected_on": N_("Inspected on"),
        "instruments": N_("Instruments used"),
        "item": N_("Item"),
        "kind": N_("Kind"),
        "methods": N_("How it was inspected"),
        "note": N_("Note"),
        "photos": N_("Photos"),
        "position": N_("Position"),
        "representative": N_("Owner's representative"),
        "started_at": N_("Start of the visit"),
        "structure_type": N_("Structure type"),
        "team": N_("Inspection team"),
        "tower": N_("Tower"),
        "verdict": N_("Verdict"),
        "weather": N_("Weather"),
        "values": N_("What is proposed"),
    },
    "inspection_status": {
        "draft": N_("Draft"),
        "submitted": N_("Submitted"),
        "accepted": N_("Accepted"),
        "returned": N_("Returned"),
        "voided": N_("Voided"),
    },
    "campaign_state": {
        "planned": N_("In planning"),
        "running": N_("Running"),
        "closed": N_("Finished"),
        "cancelled": N_("Cancelled"),
    },
    "campaign_work": {
        "add": N_("Towers are being added"),
        "share": N_("Towers are being assigned"),
        "edit": N_("The days of the towers are being moved"),
        "cancel": N_("The campaign is being cancelled"),
    },
    "campaign_step": {
        "running": N_("Start"),
        "closed": N_("End the campaign"),
        "cancelled": N_("Cancel the campaign"),
    },
    "standing": {
        "unassigned": N_("Not assigned"),
        "assigned": N_("Assigned"),
        "overdue": N_("Overdue"),
        "done": N_("Done"),
    },
    "campaign_field": {
        "name": N_("Name"),
        "kind": N_("Kind"),
        "begins_on": N_("From"),
        "ends_on": N_("To"),
        "note": N_("Note"),
        "state": N_("State"),
        "reason": N_("Reason"),
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
    "checklist_status": {
        "draft": N_("Draft"),
        "published": N_("In force"),
        "retired": N_("Retired"),
    },
    "answer_type": {
        "measurement": N_("Measurement"),
        "count": N_("Count"),
        "yes_no": N_("Yes or no"),
        "enum": N_("One of several values"),
        "text": N_("Text"),
    },
    "height_of": {
        "structure": N_("The structure itself"),
        "overall": N_("With the building below it"),
    },
    "photo_rule": {"on_fail": N_("Needed if it fails")},
    "derived_function": {
        "plumb_percent": N_("Out of plumb, from offset and height"),
        "tension_deviation_percent": N_("Deviation of a tension from its design"),
        "tension_percent_of_breaking": N_("Tension in per cent of the breaking strength"),
        "distance_in_heights": N_("Distance in heights of the structure"),
    },
    "item_change": {
        "added": N_("Added"),
        "removed": N_("Removed"),
        "changed": N_("Changed"),
    },
    "back_test_kind": {
        "more": N_("A violation more"),
        "fewer": N_("A violation fewer"),
        "other": N_("Another severity"),
    },
    "operator": {
        ">": N_("greater than"),
        "<": N_("less than"),
        ">=": N_("at least"),
        "<=": N_("at most"),
        "abs>": N_("off by more than"),
        "outside": N_("outside of (a; b)"),
        "in": N_("one of (a, b)"),
        "fail": N_("not in order"),
    },
    "checklist_field": {
        "key": N_("Code"),
        "group": N_("Group"),
        "vi": N_("Vietnamese text"),
        "en": N_("English text"),
        "applies_to": N_("Structure types"),
        "services": N_("Services"),
        "min_height_m": N_("From a height of (m)"),
        "height_of": N_("Which height"),
        "answer.type": N_("Kind of answer"),
        "answer.unit": N_("Unit"),
        "answer.unit_en": N_("Unit in English"),
        "answer.decimals": N_("Decimals"),
        "answer.min": N_("Smallest value"),
        "answer.max": N_("Largest value"),
        "answer.prompt": N_("Hint"),
        "answer.pass_value": N_("Answer that is in order"),
        "answer.values": N_("Values"),
        "answer.derived": N_("Computed from"),
        "answer.record_also": N_("Recorded beside it"),
        "answer.risk_input_only": N_("For the risk only, never a violation"),
        "levels": N_("Limits"),
        "how": N_("How it is checked"),
        "photo": N_("Photo"),
        "basis": N_("Basis"),
        "source": N_("Source"),
        "legal_basis": N_("Legal basis"),
        "note": N_("Note"),
        "asked_when": N_("Asked when"),
        "groups": N_("Groups"),
        "severities": N_("Severities"),
        "structure_types": N_("Structure types"),
        "evaluation": N_("Explanations"),
    },
    "violation_state": {
        "open": N_("Open"),
        "closed": N_("Closed"),
        "withdrawn": N_("Withdrawn"),
    },
    "violation_stage": {
        "found": N_("Found"),
        "confirmed": N_("Confirmed"),
        "notified": N_("Owner notified"),
        "served": N_("Notice served"),
        "claimed": N_("Reported as fixed"),
        "closed": N_("Closed"),
        "withdrawn": N_("Withdrawn"),
    },
    "violation_event": {
        "found": N_("Found"),
        "withdrawn": N_("Withdrawn by a correction"),
        "reinspected": N_("Re-inspected"),
        "reinspection_withdrawn": N_("Re-inspection withdrawn"),
        "assessed_safe": N_("Found safe by an assessment"),
        "continued": N_("Goes on in the record of the same defect"),
        "confirmed": N_("Confirmed"),
        "notified": N_("Owner notified"),
        "notice_withdrawn": N_("Notice withdrawn"),
        "served": N_("Notice served"),
        "extension_requested": N_("Extension requested"),
        "extended": N_("Extended"),
        "extension_refused": N_("Extension refused"),
        "emergency_measures": N_("Emergency measures taken"),
        "authority_informed": N_("Local authority informed"),
        "claimed_fixed": N_("Reported as fixed"),
        "escalated": N_("Escalated"),
        "annulment_requested": N_("Annulment requested"),
        "annulled": N_("Annulled"),
    },
    "violation_step": {
        "confirmed": N_("Confirm the finding"),
        "notified": N_("Record that the owner was notified"),
        "notice_withdrawn": N_("Withdraw the notice"),
        "served": N_("Record the service of the notice"),
        "extension_requested": N_("Request an extension"),
        "extended": N_("Grant the extension"),
        "extension_refused": N_("Refuse the extension"),
        "emergency_measures": N_("Record emergency measures"),
        "authority_informed": N_("Record that the local authority was informed"),
        "claimed_fixed": N_("Record the owner's report that it is fixed"),
        "escalated": N_("Escalate"),
        "annulment_requested": N_("Request annulment"),
        "annulled": N_("Annul"),
    },
    "reminder_kind": {
        "emergency": N_("Emergency not secured"),
        "due_soon": N_("Due soon"),
        "overdue": N_("Overdue"),
        "escalated": N_("Escalated"),
    },
    "audience": {
        "department": N_("Department"),
        "owner": N_("Owner"),
    },
    "reminder_state": {
        "waiting": N_("Waiting to be sent"),
        "sent": N_("Sent"),
        "failed": N_("Not delivered"),
        "obsolete": N_("No longer needed"),
    },
    "reinspection_outcome": {
        "fixed": N_("Fixed"),
        "not_fixed": N_("Not fixed"),
        "cannot_verify": N_("Cannot be verified"),
    },
    "weather": {
        "clear": N_("Clear sky"),
        "cloudy": N_("Cloudy"),
        "rain": N_("Rain"),
        "strong_wind": N_("Strong wind"),
    },
    "verdict": {
        "ok": N_("Satisfactory"),
        "needs_follow_up": N_("Defects to be remedied"),
        "assessment_needed": N_("A load-safety assessment is needed"),
        "dangerous": N_("Dangerous"),
    },
    "evidence_grade": {
        "strong": N_("Strong evidence"),
        "fair": N_("Fair evidence"),
        "weak": N_("Weak evidence"),
    },
    "evidence_check": {
        "place": N_("At the tower"),
        "photos": N_("Photos taken there"),
        "clock": N_("Clock of the device"),
        "complete": N_("Everything answered"),
    },
    "evidence_reason": {
        "no_position": N_("No position was recorded"),
        "position_inexact": N_("The position is not exact enough"),
        "far_from_tower": N_("The inspector was too far from the tower"),
        "no_photo": N_("There is no photo"),
        "photos_not_taken_there": N_("Photos were chosen from files, not taken with the camera"),
        "no_clock": N_("The device did not tell its time"),
        "clock_off": N_("The clock of the device was wrong"),
        "no_times": N_("Start or end of the visit is missing"),
        "times_impossible": N_("Start and end of the visit are impossible"),
        "incomplete": N_("Not everything was checked"),
    },
    "signature_place": {
        "inspector": N_("Inspector"),
        "representative": N_("Owner's representative"),
        "witness": N_("Witness"),
    },
    "photo_source": {"camera": N_("Taken with the camera"), "file": N_("Chosen from files")},
    "assessment_outcome": {
        "safe": N_("Safe"),
        "safe_with_conditions": N_("Safe with conditions"),
        "dangerous": N_("Dangerous"),
    },
    "assessment_state": {"open": N_("Waiting for the report"), "answered": N_("Answered")},
    "statistic": {
        "towers": N_("Towers"),
        "inspected": N_("Inspected within the interval"),
        "critical": N_("Open critical violations"),
        "closure": N_("Days to closure (median)"),
        "overdue": N_("Overdue violations"),
        "unchecked": N_("Unchecked towers"),
        "never": N_("never inspected"),
        "incomplete": N_("incompletely inspected"),
        "out_of_date": N_("out of date"),
        "open": N_("Open violations"),
        "found": N_("Violations found"),
        "closed": N_("Violations closed"),
    },
    # What is counted, of what, and when.
    "statistic_definition": {
        "towers": N_(
            "Towers that stand on the last day of the period: neither planned nor dismantled, nor"
            " built in a later year. The number is the denominator of what is said of towers."
        ),
        "inspected": N_(
            "Towers whose last full inspection was complete and is no older than the inspection"
            " interval of their structure type, out of all towers. Re-inspections of single"
            " violations do not count."
        ),
        "critical": N_(
            "Critical violations that were open at the end of the period, per 100 towers. One"
            " tower can have several."
        ),
        "closure": N_(
            "The middle of the days from the day on which a violation was found to the day on"
            " which a re-inspection closed it, out of the violations closed in the period."
        ),
        "overdue": N_(
            "Violations whose deadline had passed at the end of the period, out of all that were"
            " open then. Deadlines and severities are those that count today."
        ),
        "unchecked": N_(
            "Towers without an open violation or a pending assessment whose safety nobody vouches"
            " for: never inspected, inspected incompletely, or too long ago; out of all towers."
        ),
        "open": N_(
            "Violations that were open at the end of the period; withdrawn ones never were."
        ),
        "found": N_(
            "Violations found in the period, without withdrawn ones; also those of towers that"
            " were dismantled since."
        ),
        "closed": N_(
            "Violations that a re-inspection in the period saw mended; also those of towers that"
            " were dismantled since."
        ),
    },
    "statistic_by": {
        "commune": N_("Commune"),
        "owner": N_("Owner"),
        "structure_type": N_("Structure type"),
    },
    "task_kind": {
        "critical": N_("Critical"),
        "assessment": N_("Load-safety assessment"),
        "major": N_("Major"),
        "minor": N_("Minor"),
    },
    "notice_state": {
        "draft": N_("Draft"),
        "issued": N_("Issued"),
        "withdrawn": N_("Withdrawn"),
        "discarded": N_("Discarded"),
    },
    "served_how": {
        "handed_over": N_("Handed over in person"),
        "post": N_("By registered mail"),
        "electronic": N_("By the electronic document system"),
        "posted_up": N_("Posted up at the site"),
    },
    "notice_reply": {
        "claim": N_("Reported as fixed"),
        "extension": N_("Extension requested"),
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
