//! A document as resources, with its original beside them.

use std::collections::BTreeSet;

use serde_json::json;

use super::ReadError;
use super::walk::Walk;
use super::xml::{HL7_V3, Xml, decoded};
use crate::import::draft::{Draft, attachment, digest, provenance};
use crate::import::time::Zone;
use crate::import::valid::valid_resources;
use crate::import::{Names, Understood};

/// What a node knows beyond the document.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Gives ids.
    pub names: Names,
    /// The zone of times that name none, if `effectiveTime` of the document does not either.
    pub zone: Zone,
}

/// What a document came to.
#[derive(Clone, Debug, Default)]
pub struct Translated {
    /// The resources, each valid, and what none of them tells.
    pub understood: Understood,
    /// `Type/id` of those that the document tells only in passing (its patient): they are stored
    /// if there is none of this id yet, and never replace what is known better.
    pub in_passing: BTreeSet<String>,
    /// `Type/id` of the document as it came. The id is made of its bytes.
    pub original: String,
}

/// Translates a document. `bytes` are the document as received, `received` is when (a FHIR
/// instant): with both the same, the outcome is the same.
///
/// What is derived is named within the document's set (`setId`, else `id`): a later version renews
/// it, another document never does. The patient is named by the identifier alone, as in HL7 v2.
///
/// ```
/// use fhir::import::{Names, Zone, cda::{Settings, translate}};
/// let xml = br#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="D1"/>
///   <recordTarget><patientRole><id root="1.2.4" extension="4711"/></patientRole></recordTarget>
/// </ClinicalDocument>"#;
/// let settings = Settings { names: Names::new([7; 32]), zone: Zone::unknown() };
/// let translated = translate(xml, "2024-01-01T00:00:00Z", &settings).unwrap();
/// let kinds: Vec<_> =
///     translated.understood.resources.iter().map(|one| one.type_name()).collect();
/// assert_eq!(kinds, ["Patient", "Composition", "DocumentReference", "Provenance"]);
/// ```
///
/// # Errors
/// [`ReadError`]: it is no clinical document, or one that is dangerous to read.
pub fn translate(
    bytes: &[u8],
    received: &str,
    settings: &Settings,
) -> Result<Translated, ReadError> {
    let text = decoded(bytes)?;
    let xml = Xml::parse(&text)?;
    let root = xml.root();
    if root.name() != "ClinicalDocument" || root.namespace() != HL7_V3 {
        return Err(ReadError::NotADocument);
    }
    let word = digest(bytes);
    let mut walk = Walk::new(&xml, settings, &word);
    walk.record_target()?;
    walk.encompassing_encounter();
    walk.participants();
    let mut composition = walk.composition(received);
    let sections = walk.body();
    composition.set("section", sections);
    walk.keep(composition);
    let original = original(&mut walk, bytes, received);
    let mut notes = walk.take_notes();
    let in_passing = std::mem::take(&mut walk.in_passing);
    let drafts = std::mem::take(&mut walk.drafts);
    let (resources, invalid) = valid_resources(drafts).ok_or(ReadError::Untold)?;
    // Without its patient, what it says would be filed under nobody.
    if resources.iter().all(|one| one.type_name() != "Patient") {
        return Err(ReadError::Untold);
    }
    notes.extend(invalid);
    notes.extend(xml.unread());
    let understood = Understood { resources, not_understood: notes };
    Ok(Translated { understood, in_passing, original })
}

/// The document as it came, and what was derived from it.
fn original(walk: &mut Walk<'_>, bytes: &[u8], received: &str) -> String {
    let derived = walk.drafts.iter().map(Draft::reference).collect::<Vec<_>>();
    let root = walk.root;
    let sender = walk.sender();
    let title = root.at("title").text().unwrap_or_else(|| "C-CDA document".to_owned());
    let mut draft = walk.begin_named("DocumentReference", &format!("original {}", digest(bytes)));
    draft.set("masterIdentifier", walk.document_number());
    draft.push("identifier", walk.identifier(root.at("setId")));
    draft.set("status", "current").set("type", walk.concept(root.at("code")));
    draft.set("subject", walk.subject()).set("date", received);
    draft.set("description", format!("as sent by {sender}"));
    draft.push("content", json!({ "attachment": attachment(MEDIA_TYPE, bytes, &title) }));
    draft.set("context", json!({ "encounter": [walk.encounter_reference()] }));
    let document = walk.keep(draft);
    let id = walk.begin_named("Provenance", &digest(bytes));
    let id = id.element("id").as_str().unwrap_or_default().to_owned();
    let mut provenance = provenance(id, received, &document, &derived, &sender);
    for agent in walk.agents() {
        provenance.push("agent", agent);
    }
    walk.keep(provenance);
    document
}

/// The media type of CDA documents (HL7, registered with IANA).
pub const MEDIA_TYPE: &str = "application/hl7-cda+xml";
