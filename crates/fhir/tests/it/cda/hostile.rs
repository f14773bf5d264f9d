//! Hostile documents: a clear error, never a panic, a hang (the runner ends it), or memory that
//! grows.

use fhir::import::cda::ReadError;
use proptest::prelude::*;

use super::{OWN, own, translated};

fn check(bytes: &[u8]) -> ReadError {
    let error = translated(bytes).unwrap_err();
    assert!(!error.to_string().is_empty());
    error
}

fn document(inside: &str) -> Vec<u8> {
    format!("<ClinicalDocument xmlns=\"urn:hl7-org:v3\">{inside}</ClinicalDocument>").into_bytes()
}

#[test]
fn declarations_are_refused_before_anything_is_expanded() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">
        <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
        <ClinicalDocument xmlns="urn:hl7-org:v3">&c;</ClinicalDocument>"#;
    let external = r#"<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
        <ClinicalDocument xmlns="urn:hl7-org:v3"><title>&f;</title></ClinicalDocument>"#;
    let remote = r#"<!DOCTYPE x SYSTEM "http://example.org/x.dtd"><ClinicalDocument/>"#;
    for text in [laughs, external, remote, "<!DOCTYPE", "<!ENTITY a 'b'>"] {
        assert_eq!(check(text.as_bytes()), ReadError::Declarations);
    }
    let entity = document("<title>&unknown;</title>");
    assert!(matches!(check(&entity), ReadError::Form { .. }));
}

#[test]
fn what_would_cost_much_is_refused() {
    let deep = "<a>".repeat(1_000_000);
    assert!(matches!(check(&document(&deep)), ReadError::TooDeep { .. }));
    let closed = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    assert!(matches!(check(&document(&closed)), ReadError::TooDeep { .. }));
    let wide = "<a/>".repeat(600_000);
    assert!(matches!(check(&document(&wide)), ReadError::TooManyNodes { .. }));
    let attributes: String = (0..100_000).map(|at| format!(" a{at}=''")).collect();
    assert_eq!(check(&document(&format!("<a{attributes}/>"))), ReadError::TooManyAttributes);
    let namespaces: String = (0..5_000).map(|at| format!("<a xmlns:n{at}='n{at}'/>")).collect();
    assert_eq!(check(&document(&namespaces)), ReadError::TooManyAttributes);
    let large = document(&" ".repeat(64 << 20));
    assert!(matches!(check(&large), ReadError::TooLarge { .. }));
}

/// A small document must not become a large one, nor be compared with itself over and over.
#[test]
fn what_repeats_or_nests_stays_in_proportion() {
    let head = "<id root='2.999.1'/><recordTarget><patientRole><id root='2.999.2' extension='1'/>\
        </patientRole></recordTarget>";
    let with = |section: &str| {
        let body = format!(
            "<component><structuredBody><component>{section}</component>\
            </structuredBody></component>"
        );
        let bytes = document(&format!("{head}{body}"));
        let translated = translated(&bytes).unwrap();
        translated.understood.resources.iter().map(|one| one.text().len()).sum::<usize>()
    };
    let observation = |inside: &str| {
        format!("<entry><observation classCode='OBS' moodCode='EVN'>{inside}</observation></entry>")
    };
    let codes: String =
        (0..60_000).map(|at| format!("<interpretationCode code='{at}'/>")).collect();
    with(&format!("<section>{}</section>", observation(&codes)));
    let codes: String = (0..60_000).map(|at| format!("<translation code='{at}'/>")).collect();
    with(&format!("<section>{}</section>", observation(&format!("<code>{codes}</code>"))));
    let text = format!("<text><content ID='t'>{}</content></text>", "a ".repeat(500_000));
    let links = observation("<code><originalText><reference value='#t'/></originalText></code>");
    assert!(with(&format!("<section>{text}{}</section>", links.repeat(1_000))) < 40 << 20);
    let nested = "<section><code code='unknown'/><text>".to_owned() + &"b".repeat(100_000);
    let nested = format!("{nested}</text><component>").repeat(25)
        + "<section/>"
        + &"</component></section>".repeat(25);
    assert!(with(&nested) < 20 << 20);
}

#[test]
fn what_is_no_clinical_document_is_named() {
    assert!(matches!(check(b""), ReadError::Form { .. }));
    assert!(matches!(check(b"{\"resourceType\":\"Patient\"}"), ReadError::Form { .. }));
    assert_eq!(check(b"<html/>"), ReadError::NotADocument);
    assert_eq!(check(b"<ClinicalDocument/>"), ReadError::NotADocument);
    assert_eq!(check(&document("")), ReadError::NoPatient);
    let nobody = "<recordTarget><patientRole><id nullFlavor='UNK'/></patientRole></recordTarget>";
    assert_eq!(check(&document(nobody)), ReadError::NoPatient);
}

#[test]
fn encodings_are_those_that_are_named() {
    let text = String::from_utf8(own("ccd")).unwrap().replace("Winter", "Wintér");
    let expected = translated(text.as_bytes()).unwrap().understood.resources[0].text().to_owned();
    assert!(expected.contains("Wintér"));
    let latin = text.replace("encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"");
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(&latin);
    assert_eq!(translated(&latin).unwrap().understood.resources[0].text(), expected);
    let wide: Vec<u8> = "\u{feff}"
        .chars()
        .chain(text.chars())
        .collect::<String>()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(translated(&wide).unwrap().understood.resources[0].text(), expected);
    let marked = format!("\u{feff}{text}");
    assert_eq!(translated(marked.as_bytes()).unwrap().understood.resources[0].text(), expected);
    // Says UTF-8 and is not; names an encoding that is none; says 16 bits and has 8.
    let wrong = latin.iter().copied().collect::<Vec<u8>>();
    let wrong = String::from_utf8_lossy(&wrong[..60])
        .replace("ISO-8859-1", "UTF-8")
        .into_bytes()
        .into_iter()
        .chain(wrong[60..].iter().copied())
        .collect::<Vec<u8>>();
    assert!(matches!(check(&wrong), ReadError::Encoding { .. }));
    for name in ["EBCDIC-XX", "UTF-16", ""] {
        let text = text.replace("UTF-8", name);
        assert!(matches!(check(text.as_bytes()), ReadError::Encoding { .. }), "{name}");
    }
}

#[test]
fn a_document_cut_anywhere_is_refused() {
    let whole = own("unstructured");
    let end = whole.iter().rposition(|byte| *byte == b'>').unwrap();
    for length in 0..end {
        let error = translated(&whole[..length]).unwrap_err();
        let is_named = matches!(error, ReadError::Form { .. } | ReadError::Encoding { .. });
        assert!(is_named, "{length}: {error}");
    }
}

proptest! {
    /// Bytes changed, removed and doubled: an answer, and valid resources if it is taken.
    #[test]
    fn mutated_documents_are_refused_or_valid(
        which in 0..OWN.len(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..8,
        ),
    ) {
        let mut bytes = own(OWN[which]);
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => {
                    let end = (at + usize::from(byte)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(translated) = translated(&bytes) {
            for resource in &translated.understood.resources {
                prop_assert_eq!(fhir::validate(resource), []);
            }
        }
    }

    /// Attributes with other values: codes, times, numbers and OIDs that are none.
    #[test]
    fn strange_values_never_make_an_invalid_resource(
        which in 0..OWN.len(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        value in prop::sample::select(&VALUES[..]),
    ) {
        let mut text = String::from_utf8(own(OWN[which])).unwrap();
        for index in at {
            let starts: Vec<usize> = text.match_indices("=\"").map(|(at, _)| at + 2).collect();
            let start = starts[index.index(starts.len())];
            let end = start + text[start..].find('"').unwrap();
            if !text[..start].ends_with("xmlns=\"") && !text[start..end].starts_with("urn:") {
                text.replace_range(start..end, value);
            }
        }
        if let Ok(translated) = translated(text.as_bytes()) {
            for resource in &translated.understood.resources {
                prop_assert_eq!(fhir::validate(resource), [], "{}", resource.text());
            }
        }
    }
}

const VALUES: [&str; 16] = [
    "",
    " ",
    "-1",
    "1e9",
    "0",
    "99999999999999999999",
    "20240230",
    "2024-01-01",
    "1.2.840",
    "http://a b",
    "true",
    "a  b",
    "\u{e9}",
    "&lt;script&gt;",
    "#a1s",
    "CD",
];
