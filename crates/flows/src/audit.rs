//! Receipts as FHIR AuditEvents: what the ledger knows of an access, in the words of auditors.
//!
//! An AuditEvent is no second record beside the receipt, which could differ from it or be lost: it
//! is the receipt, said in FHIR. Codes are those of DICOM (PS3.16, CID 400 to 403) and of the R4
//! value sets of AuditEvent.

use fhir::{
    Resource,
    search::{Candidate, Home},
};
use ledger::{
    AccessId, Basis, CategorySet, CommandId, Decision, Entry, Event, MemberId, NetworkState,
    Outcome, PatientId, Receipt,
};
use serde_json::{Value, json};

use crate::{FlowError, Member, answers, staff::OpenedStaff, time, words};

/// Accesses to records of one patient, as AuditEvents, oldest first.
pub struct AuditTrail(Vec<AuditEvent>);

/// One access as an AuditEvent.
pub struct AuditEvent {
    resource: Resource,
    time: String,
}

/// A part of the log, as AuditEvents.
pub struct AuditPage {
    /// Accesses that concern this member, oldest first.
    pub events: Vec<AuditEvent>,
    /// The position in the log from which the next page goes on.
    pub next: u64,
}

impl AuditEvent {
    fn new(receipt: &Receipt, index: u64, network: &NetworkState) -> Result<Self, FlowError> {
        Self::naming(None, receipt, index, network)
    }

    fn naming(
        staff: Option<&OpenedStaff>,
        receipt: &Receipt,
        index: u64,
        network: &NetworkState,
    ) -> Result<Self, FlowError> {
        let mut value = audit_event(receipt, index, network);
        if let Some(OpenedStaff { name, salt }) = staff {
            value["agent"][0]["name"] = json!(name);
            let salt = json!({ "type": "staff-salt", "valueString": words::hex(salt) });
            let detail = value["entity"][1]["detail"].as_array_mut();
            detail.into_iter().for_each(|detail| detail.push(salt.clone()));
        }
        let resource = Resource::parse(value.to_string().into_bytes());
        let resource = resource
            .map_err(|issues| FlowError::Evidence(format!("an AuditEvent: {}", issues[0])))?;
        Ok(Self { resource, time: time::instant(receipt.time) })
    }

    /// The resource, as JSON.
    pub fn text(&self) -> &str {
        self.resource.text()
    }

    fn candidate(&self) -> Candidate<'_> {
        let id = self.resource.id().unwrap_or_default();
        let home = Home::default();
        Candidate { resource: &self.resource, id, last_updated: Some(&self.time), home }
    }
}

impl AuditTrail {
    /// The answer to a search among them, as [`crate::Session::search`] gives it.
    ///
    /// # Errors
    /// [`FlowError::Content`] if a parameter is not known.
    pub fn search(
        &self,
        base: &str,
        pairs: &[(String, String)],
        skip: usize,
        page_url: impl Fn(usize) -> String,
    ) -> Result<Vec<u8>, FlowError> {
        let candidates = self.0.iter().map(AuditEvent::candidate);
        let around = answers::Around::default();
        answers::searchset(base, Some("AuditEvent"), pairs, skip, page_url, candidates, &around)
    }
}

impl Member {
    /// Every access to a patient's records that was asked for: the patient's list of receipts.
    pub fn audit_of(&self, patient: PatientId) -> Result<AuditTrail, FlowError> {
        let network = self.chain.network();
        let receipts = self.chain.receipts(patient)?;
        let events =
            receipts.iter().map(|(index, receipt)| AuditEvent::new(receipt, *index, &network));
        events.collect::<Result<_, _>>().map(AuditTrail)
    }

    /// One access, and whose records it was about.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the ledger knows none of this id.
    pub fn audit_event(&self, access: AccessId) -> Result<(AuditEvent, PatientId), FlowError> {
        let unknown = || FlowError::NotFound("access");
        let (index, entry) = self.chain.outcome(CommandId(access.0))?.ok_or_else(unknown)?;
        let receipt = receipt_of(&entry).ok_or_else(unknown)?;
        let event = AuditEvent::new(receipt, index, &self.chain.network())?;
        Ok((event, receipt.patient))
    }

    /// Accesses from a position of the log on, at most `max` entries of it: those by this member's
    /// staff, with their names and what opens the ledger's commitments to them, and those to
    /// records of patients that are linked to it.
    pub fn audit_from(&self, from: u64, max: u64) -> Result<AuditPage, FlowError> {
        let size = self.chain.tip().size;
        let next = from.saturating_add(max).min(size).max(from);
        let entries = self.chain.entries(from.min(size)..next.min(size))?;
        let network = self.chain.network();
        let mut events = Vec::new();
        for (entry, index) in entries.iter().zip(from..) {
            if let Some(receipt) = receipt_of(entry)
                && self.is_concerned(receipt)?
            {
                let staff = self.staff_of(receipt.access)?;
                events.push(AuditEvent::naming(staff.as_ref(), receipt, index, &network)?);
            }
        }
        Ok(AuditPage { events, next })
    }

    fn is_concerned(&self, receipt: &Receipt) -> Result<bool, FlowError> {
        let is_linked = |custodians: Vec<MemberId>| custodians.contains(&self.id);
        let account = self.chain.account(receipt.patient)?;
        Ok(receipt.reader == self.id
            || account.is_some_and(|account| is_linked(account.custodians)))
    }
}

fn receipt_of(entry: &Entry) -> Option<&Receipt> {
    match entry {
        Entry::Outcome { outcome: Outcome::Accepted(Event::Accessed(receipt)), .. } => {
            Some(receipt)
        }
        _ => None,
    }
}

fn audit_event(receipt: &Receipt, index: u64, network: &NetworkState) -> Value {
    let purpose = json!([{ "coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "code": receipt.purpose.code(),
    }] }]);
    let (outcome, description) = match &receipt.decision {
        Decision::Allowed { basis, .. } => ("0", basis_words(basis)),
        Decision::Denied(denial) => ("4", format!("refused: {}", words::denial_word(*denial))),
    };
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": receipt.access.to_string(),
        "type": dicom("110110", "Patient Record"),
        "action": "R",
        "recorded": time::instant(receipt.time),
        "outcome": outcome,
        "outcomeDesc": description,
        "purposeOfEvent": purpose,
        "agent": [reader(receipt, network)],
        "source": {
            "site": network.name,
            "observer": { "display": format!("the ledger {}", network.origin) },
            "type": [{
                "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                "code": "5",
                "display": "Security Server",
            }],
        },
        "entity": [patient(receipt), ledger_entry(receipt, index)],
    });
    if let Decision::Allowed { basis: Basis::Emergency(_), .. } = &receipt.decision {
        event["subtype"] = json!([dicom("110127", "Emergency Override Started")]);
    }
    event
}

/// The member that read. Who of its staff it was stands there as a reference that only the member
/// can open, to the patient.
fn reader(receipt: &Receipt, network: &NetworkState) -> Value {
    let member = network.members.iter().find(|member| member.id == receipt.reader);
    json!({
        "type": { "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
            "code": "IRCP",
            "display": "information recipient",
        }] },
        "who": {
            "type": "Organization",
            "identifier": { "system": words::MEMBER, "value": receipt.reader.to_string() },
            "display": member.map(|member| member.name.as_str()).unwrap_or("a former member"),
        },
        "altId": receipt.staff.to_string(),
        "requestor": true,
    })
}

fn patient(receipt: &Receipt) -> Value {
    json!({
        "what": { "reference": format!("Patient/{}", receipt.patient) },
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
            "code": "1",
            "display": "Person",
        },
        "role": {
            "system": "http://terminology.hl7.org/CodeSystem/object-role",
            "code": "1",
            "display": "Patient",
        },
    })
}

/// What was asked for and opened, and where the ledger says so.
fn ledger_entry(receipt: &Receipt, index: u64) -> Value {
    let mut detail = vec![
        json!({ "type": "log-index", "valueString": index.to_string() }),
        json!({ "type": "receipt-number", "valueString": receipt.number.to_string() }),
        names("asked", receipt.asked),
    ];
    if let Decision::Allowed { categories, own, until, .. } = &receipt.decision {
        detail.push(names("opened", *categories));
        detail.push(names("opened-own", *own));
        detail.push(json!({ "type": "until", "valueString": time::instant(*until) }));
    }
    detail.retain(|one| one["valueString"] != "");
    json!({
        "what": { "identifier": { "system": ACCESS, "value": receipt.access.to_string() } },
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
            "code": "2",
            "display": "System Object",
        },
        "role": {
            "system": "http://terminology.hl7.org/CodeSystem/object-role",
            "code": "4",
            "display": "Domain Resource",
        },
        "detail": detail,
    })
}

fn names(kind: &str, categories: CategorySet) -> Value {
    json!({ "type": kind, "valueString": categories.names().join(" ") })
}

fn basis_words(basis: &Basis) -> String {
    match basis {
        Basis::Grant(grant) => format!("allowed by the patient's grant {grant}"),
        Basis::Custodian => "allowed: the reader's own records".to_owned(),
        Basis::Emergency(reason) => format!("emergency: {}", words::reason_word(*reason)),
    }
}

fn dicom(code: &str, display: &str) -> Value {
    json!({
        "system": "http://dicom.nema.org/resources/ontology/DCM",
        "code": code,
        "display": display,
    })
}

/// The name of an access, as an identifier of FHIR.
const ACCESS: &str = "urn:carestone:access";
