//! A message as resources, with its original beside them.

use std::collections::BTreeSet;

use serde_json::json;

use super::context::{Context, Settings};
use super::header::Header;
use super::message::Message;
use super::walk::Walk;
use super::{Fault, FaultCode};
use crate::import::draft::{Draft, attachment, digest, identifier, provenance};
use crate::import::valid::valid_resources;
use crate::import::{NotUnderstood, Understood};
use crate::limits::v2::NOT_UNDERSTOOD_MAX;

/// What a message came to.
#[derive(Clone, Debug, Default)]
pub struct Translated {
    /// The resources, each valid, and what none of them tells.
    pub understood: Understood,
    /// `Type/id` of those that the message tells only in passing (the patient of a result): they
    /// are stored if there is none of this id yet, and never replace what is known better.
    pub in_passing: BTreeSet<String>,
    /// `Type/id` of stays whose status the message does not tell: they never replace one that is
    /// over.
    pub assumed: BTreeSet<String>,
    /// Patients that gave way to others.
    pub merges: Vec<Merge>,
    /// What only people can decide before anything of it is filed: places, and what to look at.
    pub undecided: Vec<(String, String)>,
}

/// Two patients turned out to be one. What that means for their records is decided by people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// `Patient/id` that is given up.
    pub from: String,
    /// `Patient/id` that remains.
    pub into: String,
}

/// Translates a message. `bytes` are the message as it was received, `received` is when (a FHIR
/// instant): with both the same, the outcome is the same.
///
/// ```
/// use fhir::import::{Names, v2::{Message, Settings, translate}};
/// let bytes = b"MSH|^~\\&|LAB|W|||20240101||ORU^R01|1|P|2.5\rPID|1||4711^^^W^MR\r\
///     OBR|1||F1|718-7^Hb^LN|||||||||||||||||||||F\rOBX|1|NM|718-7^Hb^LN||13.50|g/dL^^UCUM|||||F";
/// let message = Message::parse(bytes, None).unwrap();
/// let settings = Settings::new(Names::new([7; 32]));
/// let translated = translate(&message, bytes, "2024-01-01T00:00:00Z", &settings).unwrap();
/// let texts = translated.understood.resources.iter().map(|one| one.text());
/// assert!(texts.collect::<String>().contains("\"value\":13.50"));
/// ```
///
/// # Errors
/// What makes it unusable, for its sender and for who looks at it here.
pub fn translate(
    message: &Message,
    bytes: &[u8],
    received: &str,
    settings: &Settings,
) -> Result<Translated, Vec<Fault>> {
    let header = Header::read(message);
    let faults = header.faults(&settings.processing);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut walk = Walk::new(Context::new(settings, header, digest(bytes)));
    walk.walk(message);
    check(&walk)?;
    original(&mut walk, bytes, received);
    finish(walk, message)
}

/// A message needs a patient; one of a kind that never has one is not for us.
fn check(walk: &Walk<'_>) -> Result<(), Vec<Fault>> {
    if !walk.faults.is_empty() {
        return Err(walk.faults.clone());
    }
    if walk.patient.is_some() {
        return Ok(());
    }
    let fault = if CLINICAL.contains(&walk.context.header.kind.as_str()) {
        let text = "the message names no patient: send PID-3";
        Fault::new(FaultCode::RequiredFieldMissing, "PID-3", text)
    } else {
        let text = "messages of this type are not taken: send it elsewhere";
        Fault::new(FaultCode::UnsupportedMessageType, "MSH-9", text)
    };
    Err(vec![fault])
}

/// The message as it came, and what was derived from it.
fn original(walk: &mut Walk<'_>, bytes: &[u8], received: &str) {
    let derived = walk.drafts.iter().map(Draft::reference).collect::<Vec<_>>();
    let word = walk.context.digest.clone();
    let header = walk.context.header.clone();
    let name = format!("HL7 v2 message {}^{}", header.kind, header.event);
    let at = walk.add("DocumentReference", &[&word, "original"], |walk, draft| {
        let number = identifier(Some(&walk.context.sender_authority()), &header.control_id);
        draft.set("masterIdentifier", number).set("status", "current");
        draft.set("type", json!({ "text": name }));
        draft.set("subject", walk.subject());
        draft.set("date", received);
        draft.set("description", format!("as sent by {}", header.sender_text()));
        draft.push("content", json!({ "attachment": attachment(ER7, bytes, &name) }));
        draft.set("context", json!({ "encounter": [walk.encounter_reference()] }));
    });
    let document = walk.drafts[at].reference();
    let id = walk.context.id("Provenance", &[&word]);
    let sender = header.sender_text();
    walk.drafts.push(provenance(id, received, &document, &derived, &sender));
}

fn finish(walk: Walk<'_>, message: &Message) -> Result<Translated, Vec<Fault>> {
    let Walk { context, drafts, in_passing, assumed, merges, undecided, .. } = walk;
    let patients = drafts.iter().filter(|draft| draft.resource_type() == "Patient").count();
    let Some((resources, invalid)) = valid_resources(drafts) else {
        let text =
            "what it says cannot be told in FHIR: look at the list of what was not understood";
        return Err(vec![Fault::new(FaultCode::DataType, "", text)]);
    };
    // Without its patient a result would be filed under nobody.
    let kept = resources.iter().filter(|one| one.type_name() == "Patient").count();
    if kept < patients {
        let why = invalid.iter().find(|note| note.place == "Patient").map(|note| &note.why);
        let text = format!("{}: correct PID", why.map_or("a Patient is not valid", |why| why));
        return Err(vec![Fault::new(FaultCode::DataType, "PID", text)]);
    }
    let not_understood = all_notes(context, message, invalid);
    let understood = Understood { resources, not_understood };
    Ok(Translated { understood, in_passing, assumed, merges, undecided })
}

/// Notes of what was tried and failed, then what nobody looked at.
fn all_notes(
    context: Context<'_>,
    message: &Message,
    invalid: Vec<NotUnderstood>,
) -> Vec<NotUnderstood> {
    let mut notes = context.into_notes();
    notes.extend(invalid);
    notes.extend(message.unread());
    notes.truncate(NOT_UNDERSTOOD_MAX + 1);
    notes
}

/// The media type of messages with separators (v2.xml has another one).
const ER7: &str = "x-application/hl7-v2+er7";

/// Messages that are about patients.
const CLINICAL: [&str; 22] = [
    "ADT", "BAR", "CRM", "DFT", "MDM", "OMD", "OMG", "OMI", "OML", "OMP", "ORF", "ORM", "ORU",
    "OUL", "PPR", "RAS", "RDE", "RDS", "REF", "RGV", "SIU", "VXU",
];
