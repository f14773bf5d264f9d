//! Codes of HL7 v2 as those that FHIR requires, after the pages "Table Maps" of the implementation
//! guide "HL7 Version 2 to FHIR" (`table-hl70001-to-administrative-gender` and so on).

/// Table 0001.
pub(super) fn gender(code: &str) -> Option<&'static str> {
    find(
        code,
        &[
            ("F", "female"),
            ("M", "male"),
            ("A", "other"),
            ("O", "other"),
            ("N", "other"),
            ("X", "other"),
            ("U", "unknown"),
        ],
    )
}

/// Table 0200.
pub(super) fn name_use(code: &str) -> Option<&'static str> {
    let table = [
        ("L", "official"),
        ("D", "usual"),
        ("M", "maiden"),
        ("N", "nickname"),
        ("S", "anonymous"),
        ("A", "old"),
        ("BAD", "old"),
        ("T", "temp"),
        ("B", "official"),
        ("C", "official"),
    ];
    find(code, &table)
}

/// Table 0190, as far as it tells a use.
pub(super) fn address_use(code: &str) -> Option<&'static str> {
    let table = [
        ("H", "home"),
        ("P", "home"),
        ("B", "work"),
        ("O", "work"),
        ("C", "temp"),
        ("BA", "old"),
        ("BI", "billing"),
        ("V", "temp"),
    ];
    find(code, &table)
}

/// Table 0190, as far as it tells a type.
pub(super) fn address_type(code: &str) -> Option<&'static str> {
    find(code, &[("M", "postal"), ("SH", "postal")])
}

/// Table 0201.
pub(super) fn telecom_use(code: &str) -> Option<&'static str> {
    let table =
        [("PRN", "home"), ("ORN", "home"), ("VHN", "home"), ("WPN", "work"), ("PRS", "mobile")];
    find(code, &table)
}

/// Table 0202; a number of which nothing is said is a telephone's.
pub(super) fn telecom_system(code: Option<&str>) -> &'static str {
    let table = [
        ("FX", "fax"),
        ("BP", "pager"),
        ("Internet", "url"),
        ("X.400", "email"),
        ("MD", "other"),
        ("TDD", "other"),
        ("TTY", "other"),
        ("SAT", "phone"),
    ];
    code.and_then(|code| find(code, &table)).unwrap_or("phone")
}

/// Table 0002 as codes of v3-MaritalStatus.
pub(super) fn marital(code: &str) -> Option<&'static str> {
    let table = [
        ("A", "L"),
        ("D", "D"),
        ("I", "I"),
        ("M", "M"),
        ("S", "S"),
        ("W", "W"),
        ("C", "C"),
        ("P", "T"),
        ("N", "A"),
    ];
    find(code, &table)
}

/// Table 0004 as codes of v3-ActCode.
pub(super) fn encounter_class(code: &str) -> Option<&'static str> {
    let table =
        [("I", "IMP"), ("O", "AMB"), ("E", "EMER"), ("P", "PRENC"), ("R", "AMB"), ("B", "IMP")];
    find(code, &table)
}

/// The status of an encounter after an event (table 0003), and whether the event tells it: an
/// update of a stay is no word about whether it goes on.
pub(super) fn encounter_status(event: &str, is_ended: bool) -> (&'static str, bool) {
    let told = match event {
        "A03" => "finished",
        "A05" | "A14" => "planned",
        "A04" | "A01" | "A02" | "A06" | "A07" | "A12" | "A13" | "A22" => "in-progress",
        "A11" | "A27" | "A38" => "cancelled",
        "A21" => "onleave",
        "A23" => "entered-in-error",
        "A10" => "arrived",
        _ if is_ended => "finished",
        "A08" | "A09" | "A15" | "A16" | "A25" | "A26" => return ("in-progress", false),
        _ => return ("unknown", false),
    };
    (told, true)
}

/// Table 0127 as AllergyIntolerance.category.
pub(super) fn allergy_category(code: &str) -> Option<&'static str> {
    let table = [
        ("DA", "medication"),
        ("DRUG", "medication"),
        ("FA", "food"),
        ("FOOD", "food"),
        ("EA", "environment"),
        ("AA", "environment"),
        ("PA", "environment"),
        ("LA", "environment"),
        ("ENV", "environment"),
    ];
    find(code, &table)
}

/// Table 0128 as AllergyIntolerance.reaction.severity.
pub(super) fn allergy_severity(code: &str) -> Option<&'static str> {
    find(code, &[("SV", "severe"), ("MO", "moderate"), ("MI", "mild")])
}

/// Table 0085 as Observation.status.
pub(super) fn observation_status(code: &str) -> &'static str {
    let table = [
        ("A", "amended"),
        ("C", "corrected"),
        ("D", "entered-in-error"),
        ("F", "final"),
        ("I", "registered"),
        ("N", "cancelled"),
        ("O", "registered"),
        ("P", "preliminary"),
        ("R", "preliminary"),
        ("S", "preliminary"),
        ("U", "final"),
        ("V", "final"),
        ("W", "entered-in-error"),
        ("X", "cancelled"),
    ];
    find(code, &table).unwrap_or("unknown")
}

/// Table 0123 as DiagnosticReport.status.
pub(super) fn report_status(code: &str) -> &'static str {
    let table = [
        ("A", "partial"),
        ("C", "corrected"),
        ("F", "final"),
        ("I", "registered"),
        ("M", "amended"),
        ("O", "registered"),
        ("P", "preliminary"),
        ("R", "preliminary"),
        ("S", "registered"),
        ("X", "cancelled"),
    ];
    find(code, &table).unwrap_or("unknown")
}

/// Table 0038 (ORC-5), else table 0119 (ORC-1), as the status of a request.
pub(super) fn request_status(status: &str, control: &str) -> &'static str {
    let by_status = [
        ("A", "active"),
        ("CA", "revoked"),
        ("CM", "completed"),
        ("DC", "revoked"),
        ("ER", "entered-in-error"),
        ("HD", "on-hold"),
        ("IP", "active"),
        ("RP", "revoked"),
        ("SC", "active"),
    ];
    let by_control = [
        ("NW", "active"),
        ("OK", "active"),
        ("XO", "active"),
        ("XR", "active"),
        ("RL", "active"),
        ("SN", "active"),
        ("CA", "revoked"),
        ("OC", "revoked"),
        ("CR", "revoked"),
        ("DC", "revoked"),
        ("OD", "revoked"),
        ("DR", "revoked"),
        ("HD", "on-hold"),
        ("OH", "on-hold"),
        ("HR", "on-hold"),
    ];
    find(status, &by_status).or_else(|| find(control, &by_control)).unwrap_or("unknown")
}

/// The status of a request in the words of MedicationRequest.
pub(super) fn prescription_status(request: &'static str) -> &'static str {
    if request == "revoked" { "stopped" } else { request }
}

/// Table 0485 and its forerunner (OBR-5, ORC-7.6, TQ1-9) as a request's priority.
pub(super) fn priority(code: &str) -> Option<&'static str> {
    find(
        code,
        &[
            ("S", "stat"),
            ("A", "asap"),
            ("R", "routine"),
            ("P", "urgent"),
            ("C", "urgent"),
            ("T", "urgent"),
        ],
    )
}

/// Table 0271 as DocumentReference.docStatus.
pub(super) fn document_status(code: &str) -> Option<&'static str> {
    let table = [
        ("AU", "final"),
        ("LA", "final"),
        ("DI", "preliminary"),
        ("DO", "preliminary"),
        ("IN", "preliminary"),
        ("IP", "preliminary"),
        ("PA", "preliminary"),
    ];
    find(code, &table)
}

/// Table 0322 as Immunization.status.
pub(super) fn immunization_status(code: &str) -> &'static str {
    find(code, &[("NA", "not-done"), ("RE", "not-done")]).unwrap_or("completed")
}

/// Table 0322 as MedicationAdministration.status.
pub(super) fn administration_status(code: &str) -> &'static str {
    find(code, &[("NA", "not-done"), ("RE", "not-done"), ("PA", "stopped")]).unwrap_or("completed")
}

/// Table 0438 (IAM-17) as the clinical and the verification status of an allergy. Of one that was
/// entered in error FHIR wants no clinical status.
pub(super) fn allergy_status(code: &str) -> Option<(Option<&'static str>, Option<&'static str>)> {
    Some(match code {
        "E" => (None, Some("entered-in-error")),
        "I" => (Some("inactive"), None),
        "C" => (Some("active"), Some("confirmed")),
        "U" | "P" | "S" | "D" => (Some("active"), Some("unconfirmed")),
        _ => return None,
    })
}

/// Words for the life cycle of a problem (PRB-14), which each sender has of its own, as
/// Condition.clinicalStatus.
pub(super) fn problem_status(words: &str) -> Option<&'static str> {
    let table = [
        ("A", "active"),
        ("ACTIVE", "active"),
        ("I", "inactive"),
        ("INACTIVE", "inactive"),
        ("R", "resolved"),
        ("RESOLVED", "resolved"),
        ("REMISSION", "remission"),
        ("RECURRENCE", "recurrence"),
        ("RELAPSE", "relapse"),
    ];
    find(&words.to_ascii_uppercase(), &table)
}

/// Words for how sure a problem is (PRB-13), as Condition.verificationStatus.
pub(super) fn problem_verification(words: &str) -> Option<&'static str> {
    let table = [
        ("CONFIRMED", "confirmed"),
        ("PROVISIONAL", "provisional"),
        ("DIFFERENTIAL", "differential"),
        ("UNCONFIRMED", "unconfirmed"),
        ("REFUTED", "refuted"),
        ("RULED-OUT", "refuted"),
        ("RULED OUT", "refuted"),
    ];
    find(&words.to_ascii_uppercase(), &table)
}

/// Table 0278, else the event, as Appointment.status.
pub(super) fn appointment_status(code: &str, event: &str) -> &'static str {
    let by_code = [
        ("BOOKED", "booked"),
        ("CANCELLED", "cancelled"),
        ("COMPLETE", "fulfilled"),
        ("DC", "cancelled"),
        ("DELETED", "entered-in-error"),
        ("NOSHOW", "noshow"),
        ("PENDING", "pending"),
        ("STARTED", "arrived"),
        ("WAITLIST", "waitlist"),
    ];
    let by_event = [
        ("S12", "booked"),
        ("S13", "booked"),
        ("S14", "booked"),
        ("S15", "cancelled"),
        ("S16", "cancelled"),
        ("S17", "entered-in-error"),
        ("S26", "noshow"),
    ];
    let found = find(&code.to_ascii_uppercase(), &by_code).or_else(|| find(event, &by_event));
    found.unwrap_or("pending")
}

/// Whether a code of table 0078 is one of v3-ObservationInterpretation as well.
pub(super) fn is_interpretation(code: &str) -> bool {
    let codes = [
        "L", "H", "LL", "HH", "LU", "HU", "N", "A", "AA", "S", "R", "I", "MS", "VS", "U", "D", "B",
        "W", "<", ">", "IND", "POS", "NEG", "DET", "ND", "NR", "RR", "WR", "SDD", "NS", "CAR",
        "EX", "HX", "LX", "IE", "TOX", "SYN-R", "SYN-S", "UNE",
    ];
    codes.contains(&code)
}

/// Sections of a diagnostic service (table 0074) that are laboratories.
pub(super) fn is_laboratory(section: &str) -> bool {
    let sections = [
        "LAB", "CH", "HM", "MB", "BLB", "SR", "TX", "CP", "SP", "GE", "IMM", "VR", "MCB", "MYC",
        "ICU", "PAT", "BG", "CG",
    ];
    sections.contains(&section)
}

/// Sections of a diagnostic service (table 0074) that make images.
pub(super) fn is_imaging(section: &str) -> bool {
    ["RAD", "CT", "MR", "NMR", "NMS", "RUS", "OUS", "VUS", "CUS", "XRC", "RX", "VX", "CTH"]
        .contains(&section)
}

/// A comparator before a number, as senders of NM write it, and the rest.
pub(super) fn comparator(number: &str) -> (Option<&'static str>, &str) {
    for comparator in ["<=", ">=", "<", ">"] {
        if let Some(rest) = number.strip_prefix(comparator) {
            return (Some(comparator), rest);
        }
    }
    (None, number.strip_prefix('=').unwrap_or(number))
}

fn find(code: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == code).map(|(_, value)| *value)
}
