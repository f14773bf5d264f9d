//! Codes of the CDA as those of FHIR, after the concept maps of "C-CDA on FHIR" 2.0.0 (`CF-...`).
//! Where these say nothing, by what the words mean.

/// `NullFlavor` as `data-absent-reason`.
pub(super) fn absent_reason(flavor: Option<&str>) -> &'static str {
    match flavor.unwrap_or_default() {
        "ASKU" => "asked-unknown",
        "NAV" => "temp-unknown",
        "NASK" => "not-asked",
        "NAVU" => "unknown",
        "MSK" => "masked",
        "NA" => "not-applicable",
        "OTH" | "TRC" => "unsupported",
        "NINF" => "negative-infinity",
        "PINF" => "positive-infinity",
        _ => "unknown",
    }
}

/// `EntityNameUse`.
pub(super) fn name_use(code: &str) -> Option<&'static str> {
    Some(match code {
        "L" => "usual",
        "C" => "official",
        "A" => "nickname",
        "P" => "anonymous",
        _ => return None,
    })
}

/// `PostalAddressUse`.
pub(super) fn address_use(code: &str) -> Option<&'static str> {
    Some(match code {
        "H" | "HP" | "HV" => "home",
        "WP" | "DIR" | "PUB" => "work",
        "TMP" => "temp",
        "BAD" => "old",
        _ => return None,
    })
}

/// `TelecommunicationAddressUse`.
pub(super) fn contact_use(code: &str) -> Option<&'static str> {
    Some(match code {
        "H" | "HP" | "HV" => "home",
        "WP" | "DIR" | "PUB" | "AS" => "work",
        "MC" | "PG" => "mobile",
        "TMP" => "temp",
        "BAD" => "old",
        _ => return None,
    })
}

/// `AdministrativeGender`.
pub(super) fn gender(code: &str) -> Option<&'static str> {
    Some(match code {
        "F" => "female",
        "M" => "male",
        "UN" => "other",
        _ => return None,
    })
}

/// `ActStatus` of an observation.
pub(super) fn observation_status(code: &str) -> &'static str {
    match code {
        "completed" | "normal" | "" => "final",
        "aborted" | "cancelled" => "cancelled",
        "active" | "held" | "suspended" | "new" => "registered",
        "nullified" => "entered-in-error",
        "obsolete" => "amended",
        _ => "unknown",
    }
}

/// `ActStatus` of an encounter; one that says nothing has been.
pub(super) fn encounter_status(code: &str) -> &'static str {
    match code {
        "completed" | "normal" | "" => "finished",
        "active" => "in-progress",
        "cancelled" => "cancelled",
        "held" => "planned",
        "suspended" => "onleave",
        "nullified" => "entered-in-error",
        _ => "unknown",
    }
}

/// `ActStatus` of a vaccination that is not denied.
pub(super) fn immunization_status(code: &str) -> &'static str {
    match code {
        "nullified" => "entered-in-error",
        "aborted" | "cancelled" | "held" | "new" | "obsolete" | "suspended" => "not-done",
        _ => "completed",
    }
}

/// `ActStatus` of a procedure.
pub(super) fn procedure_status(code: &str) -> &'static str {
    match code {
        "completed" | "normal" => "completed",
        "active" => "in-progress",
        "aborted" => "stopped",
        "cancelled" => "not-done",
        "held" | "suspended" => "on-hold",
        "new" => "preparation",
        "nullified" => "entered-in-error",
        _ => "unknown",
    }
}

/// `ActStatus` of a request.
pub(super) fn request_status(code: &str) -> &'static str {
    match code {
        "active" | "new" | "normal" => "active",
        "completed" => "completed",
        "aborted" | "cancelled" | "obsolete" => "revoked",
        "held" | "suspended" => "on-hold",
        "nullified" => "entered-in-error",
        _ => "unknown",
    }
}

/// `ActStatus` of an order for a medication.
pub(super) fn medication_request_status(code: &str) -> &'static str {
    match code {
        "aborted" | "obsolete" => "stopped",
        "cancelled" => "cancelled",
        other => request_status(other),
    }
}

/// `ActStatus` of a medication that is or was taken.
pub(super) fn medication_status(code: &str) -> &'static str {
    match code {
        "active" | "normal" => "active",
        "completed" => "completed",
        "aborted" | "cancelled" | "obsolete" => "stopped",
        "held" | "suspended" => "on-hold",
        "new" => "intended",
        "nullified" => "entered-in-error",
        _ => "unknown",
    }
}

/// `ActStatus` of a dispense.
pub(super) fn dispense_status(code: &str) -> &'static str {
    match code {
        "completed" | "normal" => "completed",
        "active" => "in-progress",
        "aborted" => "stopped",
        "cancelled" => "cancelled",
        "held" | "suspended" => "on-hold",
        "new" => "preparation",
        "nullified" => "entered-in-error",
        _ => "unknown",
    }
}

/// `ActStatus` of a goal.
pub(super) fn goal_status(code: &str) -> &'static str {
    match code {
        "completed" => "completed",
        "aborted" | "cancelled" | "obsolete" => "cancelled",
        "held" | "suspended" => "on-hold",
        "new" => "planned",
        "nullified" => "entered-in-error",
        _ => "active",
    }
}

/// `ActMood` of a request as its intent.
pub(super) fn intent(mood: &str) -> &'static str {
    match mood {
        "RQO" | "ARQ" => "order",
        "PRP" => "proposal",
        _ => "plan",
    }
}

/// Kind of allergy (SNOMED CT): its type and category.
pub(super) fn allergy_kind(code: &str) -> (Option<&'static str>, Option<&'static str>) {
    match code {
        "416098002" => (Some("allergy"), Some("medication")),
        "414285001" => (Some("allergy"), Some("food")),
        "426232007" | "232347008" => (Some("allergy"), Some("environment")),
        "419199007" => (Some("allergy"), None),
        "59037007" => (Some("intolerance"), Some("medication")),
        "235719002" => (Some("intolerance"), Some("food")),
        "419511003" => (None, Some("medication")),
        "418471000" => (None, Some("food")),
        _ => (None, None),
    }
}

/// What is said by denying a kind of allergy (SNOMED CT): "no known ..." and its words.
pub(super) fn no_known_allergy(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "416098002" | "59037007" | "419511003" => ("409137002", "No known drug allergy"),
        "414285001" | "235719002" | "418471000" => ("429625007", "No known food allergy"),
        "426232007" | "232347008" => ("428607008", "No known environmental allergy"),
        _ => ("716186003", "No known allergy"),
    }
}

/// Criticality (`ObservationValue`).
pub(super) fn criticality(code: &str) -> Option<&'static str> {
    Some(match code {
        "CRITL" => "low",
        "CRITH" => "high",
        "CRITU" => "unable-to-assess",
        _ => return None,
    })
}

/// Severity of a reaction (SNOMED CT). FHIR has no word beyond severe.
pub(super) fn severity(code: &str) -> Option<&'static str> {
    Some(match code {
        "255604002" => "mild",
        "6736007" | "371923003" => "moderate",
        "24484000" | "371924009" | "399166001" => "severe",
        _ => return None,
    })
}

/// Status of a problem or an allergy (SNOMED CT).
pub(super) fn clinical_status(code: &str) -> Option<&'static str> {
    Some(match code {
        "55561003" => "active",
        "73425007" => "inactive",
        "413322009" => "resolved",
        "246455001" => "recurrence",
        "263855007" => "relapse",
        "277022003" => "remission",
        _ => return None,
    })
}

/// `x_ActRelationshipDocument`: how a document relates to an earlier one.
pub(super) fn relates_to(code: &str) -> Option<&'static str> {
    Some(match code {
        "RPLC" => "replaces",
        "APND" => "appends",
        "XFRM" => "transforms",
        _ => return None,
    })
}

/// The category (code system `observation-category`) of observations in a section (LOINC).
pub(super) fn observation_category(section: &str) -> &'static str {
    match section {
        "8716-3" => "vital-signs",
        "30954-2" | "11493-4" => "laboratory",
        "29762-2" => "social-history",
        "47420-5" | "10190-7" | "61144-2" | "11383-7" | "69730-0" => "survey",
        "121070" | "121072" | "18782-3" => "imaging",
        "59776-5" | "55109-3" | "47519-4" => "procedure",
        _ => "exam",
    }
}

/// Sections (LOINC, or DICOM where C-CDA takes its codes) whose meaning is known. Narrative of the
/// others is kept in the Composition too, and their XML in a DocumentReference.
pub(super) fn is_known_section(code: &str) -> bool {
    SECTIONS.contains(&code)
}

/// The sections of C-CDA R2.1, and the kinds of notes of its companion guide.
const SECTIONS: [&str; 108] = [
    "10154-3", "10157-6", "10160-0", "10164-2", "10183-2", "10184-0", "10187-3", "10190-7",
    "10210-3", "10216-0", "10218-6", "10219-4", "10223-6", "11283-9", "11329-0", "11348-0",
    "11369-6", "11383-7", "11450-4", "11488-4", "11493-4", "11502-2", "11504-8", "11505-5",
    "11506-3", "11526-1", "11535-2", "11537-8", "121069", "121070", "121072", "121074", "121077",
    "121106", "121109", "121110", "121111", "121181", "18748-4", "18761-7", "18776-5", "18782-3",
    "18841-7", "18842-5", "28570-0", "29299-5", "29545-1", "29549-3", "29551-9", "29554-3",
    "29762-2", "30954-2", "34109-9", "34111-5", "34117-2", "34133-9", "34746-8", "34748-4",
    "34899-5", "42344-2", "42346-7", "42347-5", "42348-3", "42349-1", "42545-4", "44833-2",
    "46239-0", "46240-8", "46241-6", "46264-8", "46268-9", "47046-8", "47420-5", "47519-4",
    "48765-2", "48767-8", "48768-6", "51847-2", "51848-0", "51851-6", "51899-3", "54545-5",
    "55109-3", "57133-1", "59768-2", "59769-0", "59770-8", "59771-6", "59772-4", "59773-2",
    "59774-0", "59775-7", "59776-5", "61144-2", "61145-9", "61146-7", "61149-1", "61150-9",
    "62387-6", "68609-7", "69730-0", "75310-3", "75311-1", "85847-2", "8648-8", "8653-8", "8709-8",
    "8716-3",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The concept maps `CF-...Status` of the guide, row by row.
    #[test]
    fn statuses_are_those_of_the_guide() {
        type Map = fn(&str) -> &'static str;
        let maps: [(Map, &[(&str, &str)]); 5] = [
            (
                observation_status,
                &[
                    ("aborted", "cancelled"),
                    ("active", "registered"),
                    ("cancelled", "cancelled"),
                    ("completed", "final"),
                    ("held", "registered"),
                    ("suspended", "registered"),
                ],
            ),
            (
                encounter_status,
                &[
                    ("aborted", "unknown"),
                    ("active", "in-progress"),
                    ("cancelled", "cancelled"),
                    ("completed", "finished"),
                    ("held", "planned"),
                    ("new", "unknown"),
                    ("suspended", "onleave"),
                    ("nullified", "entered-in-error"),
                ],
            ),
            (
                immunization_status,
                &[
                    ("aborted", "not-done"),
                    ("cancelled", "not-done"),
                    ("completed", "completed"),
                    ("held", "not-done"),
                    ("new", "not-done"),
                    ("nullified", "entered-in-error"),
                    ("obsolete", "not-done"),
                    ("suspended", "not-done"),
                ],
            ),
            (
                procedure_status,
                &[
                    ("aborted", "stopped"),
                    ("active", "in-progress"),
                    ("cancelled", "not-done"),
                    ("completed", "completed"),
                ],
            ),
            (
                medication_status,
                &[
                    ("active", "active"),
                    ("suspended", "on-hold"),
                    ("aborted", "stopped"),
                    ("completed", "completed"),
                    ("nullified", "entered-in-error"),
                ],
            ),
        ];
        for (map, rows) in maps {
            for (code, status) in rows {
                assert_eq!(map(code), *status, "{code}");
            }
        }
    }
}
