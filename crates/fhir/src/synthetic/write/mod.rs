//! Events as FHIR R4 resources: one transaction Bundle for each hospital that knows a person.
//!
//! References within a bundle are `urn:uuid:`; hospitals, clinicians and insurers are not part of
//! a person's record and are named by identifier and display only.

mod base64;
mod clinical;
mod directives;
mod medications;
mod note;
mod parts;
mod people;
mod results;

use serde_json::{Map, Value, json};

use super::facts::conditions::Illness;
use super::facts::places::STAFF;
use super::life::{Life, Visit};
use super::random::Random;
use super::{Hospital, HospitalBundle, Sensitivity};
use parts::{MRN_TYPE, staff_reference};

/// Everything that one site of a life knows, as a transaction Bundle.
pub(super) fn bundle(
    root: &Random,
    life: &Life,
    site: usize,
    hospital: &Hospital,
) -> HospitalBundle {
    let mrn = super::life::who::unique_number(root, &format!("mrn {}", hospital.id), life.index);
    let ids = root.fork("ids").fork_number(life.index as u64).fork(&hospital.id);
    let mut writer = Writer::new(life, site, hospital, ids);
    people::patient(&mut writer, &mrn);
    people::coverage(&mut writer);
    clinical::allergies(&mut writer);
    clinical::problems(&mut writer);
    medications::prescriptions(&mut writer);
    clinical::immunizations(&mut writer);
    for place in 0..life.visits.len() {
        if life.visits[place].site == site {
            clinical::encounter(&mut writer, place);
            results::groups(&mut writer, place);
            results::pictures(&mut writer, place);
            clinical::interventions(&mut writer, place);
            directives::visit_note(&mut writer, place);
        }
    }
    results::smoking(&mut writer);
    directives::plans(&mut writer);
    directives::directive(&mut writer);
    let mut bytes = br#"{"resourceType":"Bundle","type":"transaction","entry":["#.to_vec();
    bytes.append(&mut writer.entries);
    bytes.extend_from_slice(b"]}");
    HospitalBundle { hospital: life.sites[site], mrn, resources: writer.resources, bytes }
}

/// Collects the entries of one bundle.
struct Writer<'a> {
    life: &'a Life,
    site: usize,
    hospital: &'a Hospital,
    ids: Random,
    /// The id of the Patient.
    patient: String,
    /// The ids of the encounters, by place in the life's visits.
    encounters: Vec<String>,
    /// The ids of the lasting conditions written so far.
    conditions: Vec<(Illness, String)>,
    /// The number of entries.
    resources: usize,
    /// The entries as JSON, with commas between them. Each is written as soon as it is made: a tree
    /// of the whole bundle would cost more than everything else.
    entries: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(life: &'a Life, site: usize, hospital: &'a Hospital, mut ids: Random) -> Self {
        let patient = uuid(&mut ids);
        let encounters = life.visits.iter().map(|_| uuid(&mut ids)).collect();
        Self {
            life,
            site,
            hospital,
            ids,
            patient,
            encounters,
            conditions: Vec::new(),
            resources: 0,
            entries: Vec::new(),
        }
    }

    /// Adds a resource with a new id, and returns the id. A field that is null is absent.
    fn add(&mut self, kind: &str, label: Option<Sensitivity>, fields: Value) -> String {
        let id = uuid(&mut self.ids);
        self.add_with_id(kind, id.clone(), label, fields);
        id
    }

    fn add_with_id(&mut self, kind: &str, id: String, label: Option<Sensitivity>, fields: Value) {
        let mut resource = Map::new();
        resource.insert("resourceType".into(), kind.into());
        resource.insert("id".into(), id.as_str().into());
        if let Some(label) = label {
            resource.insert("meta".into(), json!({ "security": parts::security(label) }));
        }
        let Value::Object(fields) = fields else { unreachable!("fields are an object") };
        resource.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        let comma = if self.resources == 0 { "" } else { "," };
        let start = format!(r#"{comma}{{"fullUrl":"{}","resource":"#, urn(&id));
        self.entries.extend_from_slice(start.as_bytes());
        serde_json::to_writer(&mut self.entries, &resource).expect("memory takes every JSON value");
        let end = format!(r#","request":{{"method":"POST","url":"{kind}"}}}}"#);
        self.entries.extend_from_slice(end.as_bytes());
        self.resources += 1;
    }

    fn subject(&self) -> Value {
        json!({ "reference": urn(&self.patient) })
    }

    /// A reference to the encounter of a visit, which must be at this site; null without a visit.
    fn encounter(&self, visit: Option<usize>) -> Value {
        visit.map_or(Value::Null, |place| {
            assert_eq!(self.life.visits[place].site, self.site, "a visit belongs to one hospital");
            json!({ "reference": urn(&self.encounters[place]) })
        })
    }

    /// The clinician of a visit; without one, the hospital's first.
    fn clinician(&self, visit: Option<usize>) -> Value {
        staff_reference(self.hospital, visit.map_or(0, |place| self.life.visits[place].staff))
    }

    fn visit(&self, place: usize) -> &'a Visit {
        &self.life.visits[place]
    }

    fn mrn_identifier(&self, mrn: &str) -> Value {
        json!({
            "use": "usual",
            "type": parts::concept(MRN_TYPE.0, MRN_TYPE.1),
            "system": format!("https://{}.example.org/mrn", self.hospital.id),
            "value": mrn,
            "assigner": { "display": self.hospital.name },
        })
    }
}

/// A clinician's name, as in `Dr. Moreau`.
fn clinician_name(staff: usize) -> String {
    format!("Dr. {}", STAFF[staff])
}

/// A random UUID (RFC 9562, version 4).
fn uuid(ids: &mut Random) -> String {
    let high = ids.bits() & !0xf000 | 0x4000;
    let low = ids.bits() & (u64::MAX >> 2) | 1 << 63;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff,
    )
}

fn urn(id: &str) -> String {
    format!("urn:uuid:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_version_and_variant() {
        let mut ids = Random::new(5);
        for _ in 0..100 {
            let id = uuid(&mut ids);
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "4");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
