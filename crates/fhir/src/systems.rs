//! Code systems by the URIs that FHIR knows them by, also from their names and OIDs.
//!
//! Sources: HL7 table 0396 (coding systems of v2), the OID registry of HL7, and the pages
//! "Using Code Systems" and "Terminologies Systems" of FHIR R4.

use std::borrow::Cow;

/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// SNOMED CT.
pub const SNOMED: &str = "http://snomed.info/sct";
/// UCUM, the units.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// RxNorm.
pub const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
/// The vaccines of the CDC.
pub const CVX: &str = "http://hl7.org/fhir/sid/cvx";
/// The medicines of the WHO.
pub const ATC: &str = "http://www.whocc.no/atc";
/// DICOM, the images.
pub const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// ICD-10 of the WHO.
pub const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10";
/// ICD-10 as the United States code by it.
pub const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";

/// The URI of a code system by its name in HL7 v2 (`LN`, `SCT`, `HL70001`, an OID, a URI). `None`
/// if the name is local (`L`, `99LAB`): then [`local`] says where it comes from.
///
/// ```
/// use fhir::systems::of_name;
/// assert_eq!(of_name("LN").unwrap(), "http://loinc.org");
/// assert_eq!(of_name("HL70078").unwrap(), "http://terminology.hl7.org/CodeSystem/v2-0078");
/// assert_eq!(of_name("99LAB"), None);
/// ```
pub fn of_name(name: &str) -> Option<Cow<'static, str>> {
    let name = name.trim();
    if let Some(known) = find(&NAMES, &name.to_ascii_uppercase()) {
        return Some(Cow::Borrowed(known));
    }
    if let Some(table) = table_number(name) {
        return Some(Cow::Owned(of_table(table)));
    }
    if is_oid(name) {
        return Some(of_oid(name));
    }
    is_uri(name).then(|| Cow::Owned(name.to_owned()))
}

/// The URI of a code system or naming system by its OID: `urn:oid:` if it has no other.
///
/// ```
/// use fhir::systems::of_oid;
/// assert_eq!(of_oid("2.16.840.1.113883.6.96"), "http://snomed.info/sct");
/// let gender = "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender";
/// assert_eq!(of_oid("2.16.840.1.113883.5.1"), gender);
/// assert_eq!(of_oid("1.2.3"), "urn:oid:1.2.3");
/// ```
pub fn of_oid(oid: &str) -> Cow<'static, str> {
    let oid = oid.trim().trim_start_matches("urn:oid:");
    if let Some(known) = find(&OIDS, oid) {
        return Cow::Borrowed(known);
    }
    if let Some(name) = find(&V3_SYSTEMS, oid) {
        return Cow::Owned(format!("http://terminology.hl7.org/CodeSystem/v3-{name}"));
    }
    let table = oid.strip_prefix("2.16.840.1.113883.12.").and_then(|rest| rest.parse().ok());
    match table {
        Some(table) => Cow::Owned(of_table(table)),
        None => Cow::Owned(format!("urn:oid:{oid}")),
    }
}

/// The URI of a table of HL7 v2: `v2-0001`.
pub fn of_table(table: u16) -> String {
    format!("http://terminology.hl7.org/CodeSystem/v2-{table:04}")
}

/// A URI for a name that only its sender knows (a namespace, a local code system): `urn:id:NAME`.
/// Letters that a URI cannot hold are written as `%XX`.
pub fn local(name: &str) -> String {
    let mut uri = "urn:id:".to_owned();
    for byte in name.trim().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// Whether the text is an OID: numbers with points, the first 0, 1 or 2.
pub fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc.len() == 1 || !arc.starts_with('0'))
    };
    let mut arcs = text.split('.');
    arcs.next().is_some_and(|first| matches!(first, "0" | "1" | "2"))
        && text.contains('.')
        && arcs.all(is_arc)
}

/// Whether the text is a UUID in its usual form.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether the text is a URI with a scheme that needs no mapping.
pub fn is_uri(text: &str) -> bool {
    let has_scheme = ["http://", "https://", "urn:"].iter().any(|scheme| text.starts_with(scheme));
    has_scheme && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The number of `HL70001`, `HL7nnnn` or `0001`.
fn table_number(name: &str) -> Option<u16> {
    let digits = name.strip_prefix("HL7").or_else(|| name.strip_prefix("hl7")).unwrap_or(name);
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn find(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| *name == key).map(|(_, uri)| *uri)
}

const NDC: &str = "http://hl7.org/fhir/sid/ndc";
const MVX: &str = "http://hl7.org/fhir/sid/mvx";
const ICD_10_PCS: &str = "http://www.cms.gov/Medicare/Coding/ICD10";
const ICD_9_CM: &str = "http://hl7.org/fhir/sid/icd-9-cm";
const CPT: &str = "http://www.ama-assn.org/go/cpt";
const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
const UNII: &str = "http://fdasis.nlm.nih.gov";
const RACE: &str = "urn:oid:2.16.840.1.113883.6.238";
const NCIT: &str = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl";
const LANGUAGE: &str = "urn:ietf:bcp:47";
const COUNTRY: &str = "urn:iso:std:iso:3166";
const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
/// The number of social security in the United States.
pub const SSN: &str = "http://hl7.org/fhir/sid/us-ssn";
const NUCC: &str = "http://nucc.org/provider-taxonomy";
const ICD_O_3: &str = "http://terminology.hl7.org/CodeSystem/icd-o-3";
const FDB: &str = "urn:oid:2.16.840.1.113883.6.64";
const NDFRT: &str = "http://hl7.org/fhir/ndfrt";

/// HL7 table 0396 as far as FHIR has a URI, and spellings of real senders.
const NAMES: [(&str, &str); 57] = [
    ("LN", LOINC),
    ("LNC", LOINC),
    ("LOINC", LOINC),
    ("SCT", SNOMED),
    ("SCT2", SNOMED),
    ("SNM", SNOMED),
    ("SNOMED", SNOMED),
    ("SNOMED-CT", SNOMED),
    ("SNOMEDCT", SNOMED),
    ("RXNORM", RXNORM),
    ("UCUM", UCUM),
    ("CVX", CVX),
    ("MVX", MVX),
    ("NDC", NDC),
    ("I10", ICD_10),
    ("ICD10", ICD_10),
    ("ICD-10", ICD_10),
    ("I10C", ICD_10_CM),
    ("ICD10CM", ICD_10_CM),
    ("ICD-10-CM", ICD_10_CM),
    ("ICD10-CM", ICD_10_CM),
    ("I10P", ICD_10_PCS),
    ("ICD10PCS", ICD_10_PCS),
    ("ICD-10-PCS", ICD_10_PCS),
    ("I9", ICD_9_CM),
    ("I9C", ICD_9_CM),
    ("I9CDX", ICD_9_CM),
    ("I9CP", ICD_9_CM),
    ("ICD9", ICD_9_CM),
    ("ICD9CM", ICD_9_CM),
    ("ICD-9-CM", ICD_9_CM),
    ("C4", CPT),
    ("CPT", CPT),
    ("CPT4", CPT),
    ("CPT-4", CPT),
    ("HCPCS", HCPCS),
    ("HPC", HCPCS),
    ("UNII", UNII),
    ("FDDC", FDB),
    ("NDFRT", NDFRT),
    ("CDCREC", RACE),
    ("NCIT", NCIT),
    ("WC", ATC),
    ("ATC", ATC),
    ("DCM", DICOM),
    ("DICOM", DICOM),
    ("ISO+", UCUM_ISO),
    ("ANS+", UCUM_ANSI),
    ("NPI", NPI),
    ("NUCC", NUCC),
    ("ICDO3", ICD_O_3),
    ("ISO639", LANGUAGE),
    ("ISO639-1", LANGUAGE),
    ("ISO3166_1", COUNTRY),
    ("ISO3166-1", COUNTRY),
    ("BCP47", LANGUAGE),
    ("SSN", SSN),
];

const UCUM_ISO: &str = "http://terminology.hl7.org/CodeSystem/ISOPlus";
const UCUM_ANSI: &str = "http://terminology.hl7.org/CodeSystem/ANSPlus";

/// OIDs of what FHIR knows by another URI.
const OIDS: [(&str, &str); 33] = [
    ("2.16.840.1.113883.6.1", LOINC),
    ("2.16.840.1.113883.6.96", SNOMED),
    ("2.16.840.1.113883.6.88", RXNORM),
    ("2.16.840.1.113883.6.8", UCUM),
    ("2.16.840.1.113883.12.292", CVX),
    ("2.16.840.1.113883.6.59", CVX),
    ("2.16.840.1.113883.12.227", MVX),
    ("2.16.840.1.113883.6.69", NDC),
    ("2.16.840.1.113883.6.3", ICD_10),
    ("2.16.840.1.113883.6.90", ICD_10_CM),
    ("2.16.840.1.113883.6.4", ICD_10_PCS),
    ("2.16.840.1.113883.6.103", ICD_9_CM),
    ("2.16.840.1.113883.6.42", ICD_9_CM),
    ("2.16.840.1.113883.6.104", "http://hl7.org/fhir/sid/icd-9-cm-procedure"),
    ("2.16.840.1.113883.6.12", CPT),
    ("2.16.840.1.113883.6.14", HCPCS),
    ("2.16.840.1.113883.6.285", HCPCS),
    ("2.16.840.1.113883.4.9", UNII),
    ("2.16.840.1.113883.6.238", RACE),
    ("2.16.840.1.113883.3.26.1.1", NCIT),
    ("2.16.840.1.113883.6.73", ATC),
    ("1.2.840.10008.2.16.4", DICOM),
    ("2.16.840.1.113883.6.101", NUCC),
    ("2.16.840.1.113883.6.345", "http://www.nlm.nih.gov/research/umls/MED-RT"),
    ("2.16.840.1.113883.3.26.1.5", NDFRT),
    ("2.16.840.1.113883.6.209", NDFRT),
    ("2.16.840.1.113883.6.43.1", ICD_O_3),
    ("2.16.840.1.113883.6.121", LANGUAGE),
    ("2.16.840.1.113883.6.316", LANGUAGE),
    ("1.0.3166.1.2.2", COUNTRY),
    ("2.16.840.1.113883.4.6", NPI),
    ("2.16.840.1.113883.4.1", SSN),
    (
        "2.16.840.1.113883.6.259",
        "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html",
    ),
];

/// OIDs of code systems of HL7 V3 and their names.
const V3_SYSTEMS: [(&str, &str); 20] = [
    ("2.16.840.1.113883.5.1", "AdministrativeGender"),
    ("2.16.840.1.113883.5.2", "MaritalStatus"),
    ("2.16.840.1.113883.5.4", "ActCode"),
    ("2.16.840.1.113883.5.6", "ActClass"),
    ("2.16.840.1.113883.5.7", "ActPriority"),
    ("2.16.840.1.113883.5.8", "ActReason"),
    ("2.16.840.1.113883.5.14", "ActStatus"),
    ("2.16.840.1.113883.5.25", "Confidentiality"),
    ("2.16.840.1.113883.5.43", "EntityNamePartQualifier"),
    ("2.16.840.1.113883.5.60", "LanguageAbilityMode"),
    ("2.16.840.1.113883.5.61", "LanguageAbilityProficiency"),
    ("2.16.840.1.113883.5.83", "ObservationInterpretation"),
    ("2.16.840.1.113883.5.84", "ObservationMethod"),
    ("2.16.840.1.113883.5.88", "ParticipationFunction"),
    ("2.16.840.1.113883.5.90", "ParticipationType"),
    ("2.16.840.1.113883.5.110", "RoleClass"),
    ("2.16.840.1.113883.5.111", "RoleCode"),
    ("2.16.840.1.113883.5.112", "RouteOfAdministration"),
    ("2.16.840.1.113883.5.1008", "NullFlavor"),
    ("2.16.840.1.113883.5.1076", "ReligiousAffiliation"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_table_0396_and_of_real_senders() {
        for (name, uri) in [
            ("LN", LOINC),
            ("sct", SNOMED),
            (" RxNorm ", RXNORM),
            ("I10C", ICD_10_CM),
            ("HL70001", "http://terminology.hl7.org/CodeSystem/v2-0001"),
            ("0078", "http://terminology.hl7.org/CodeSystem/v2-0078"),
            ("2.16.840.1.113883.6.1", LOINC),
            ("http://example.org/codes", "http://example.org/codes"),
        ] {
            assert_eq!(of_name(name).unwrap(), uri, "{name}");
        }
        for name in ["", "L", "99ABC", "HL7nnnn", "HL7", "1.2.x", "http://a b"] {
            assert_eq!(of_name(name), None, "{name}");
        }
    }

    #[test]
    fn oids_of_tables_and_unknown_ones() {
        assert_eq!(of_oid("2.16.840.1.113883.12.78"), of_table(78));
        assert_eq!(of_oid("urn:oid:2.16.840.1.113883.6.8"), UCUM);
        assert_eq!(of_oid("2.999.1"), "urn:oid:2.999.1");
    }

    #[test]
    fn local_names_become_uris() {
        assert_eq!(local("GOOD HEALTH/1"), "urn:id:GOOD%20HEALTH%2F1");
        assert!(is_oid("1.2.840.0") && !is_oid("1") && !is_oid("3.1") && !is_oid("1..2"));
        assert!(!is_oid("1.02") && is_uuid("426d2726-51fc-89fe-a946-8596e80a80eb"));
    }

    #[test]
    fn no_key_stands_twice() {
        let keys = NAMES.iter().chain(&OIDS).chain(&V3_SYSTEMS).map(|(key, _)| key);
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
