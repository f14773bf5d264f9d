//! Read sessions: opened records, in memory only, for as long as their access runs.
//!
//! A session ends with its access: when the access expires, is closed, or the patient revokes, the
//! node drops the opened records at the block that ended it. What was read was read.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use borsh::{BorshDeserialize, BorshSerialize};
use custody::ReaderSecret;
use fhir::{Resource, links::Links, reference::Target};
use ledger::{AccessId, Category, Decision, MemberId, Receipt};
use serde_json::Value;

use crate::{Clock, FlowError, limits, message::WireBatch};

/// The opened records of one access.
#[derive(Clone)]
pub struct Session {
    /// Who reads, as this member names its staff.
    pub staff: String,
    /// Opens the stewards' answers for this access, also when records are fetched again.
    pub(crate) reader: Arc<ReaderSecret>,
    pub(crate) opened: Opened,
    /// Place of the receipt in the log.
    pub receipt_index: u64,
    /// The receipt.
    pub receipt: Receipt,
    /// The records, all versions, by custodian and sequence.
    pub records: Vec<Arc<OpenedRecord>>,
    /// Custodians whose records could not be had: the view is incomplete.
    pub missing: Vec<MemberId>,
    /// How long each step took.
    pub timings: Timings,
    /// Other accesses whose records are seen together with these, because they are decided to be of
    /// the same person.
    pub joined: Vec<AccessId>,
}

/// What the records of a session were opened after: what came later makes them old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How many records this member's own vault had.
    pub own_records: u64,
    /// How often records of the patient had been erased.
    pub erasures: u64,
}

/// One opened record version.
pub struct OpenedRecord {
    /// Who wrote it.
    pub custodian: MemberId,
    /// Place in the custodian's sequence.
    pub sequence: u64,
    /// Version of the resource, from 1.
    pub version: u32,
    /// In which category it was sealed.
    pub category: Category,
    /// What the custodian noted about it.
    pub metadata: Metadata,
    /// The resource as it was received.
    pub exact: Resource,
    /// The resource with the references inside its Bundle resolved; every other byte is as
    /// received.
    pub resolved: Resource,
    /// The salt of its commitment.
    pub salt: [u8; 32],
    /// The batch it was anchored in, and the place of the anchor in the log; none if it is too
    /// young.
    pub anchor: Option<(Arc<WireBatch>, u64)>,
}

/// What a custodian notes about a record, sealed with it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Metadata {
    /// Resource type, as in `Observation`.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub stored_ms: u64,
    /// What references to other entries of its Bundle stand for: name, type, id.
    pub links: Vec<(String, String, String)>,
    /// What made this version.
    pub change: Change,
}

/// What made a version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Change {
    /// It was created, and the server could choose its id.
    Created,
    /// It was put under a known id.
    Updated,
    /// It was deleted. What is left is its type and id; the versions before stay.
    Deleted,
}

/// How long the steps of a read took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until the receipt was final.
    pub receipt_ms: u64,
    /// Until the sealed records were here.
    pub fetch_ms: u64,
    /// Until the scope secrets were recovered.
    pub shares_ms: u64,
    /// Until the records were open and checked.
    pub open_ms: u64,
    last: u64,
}

impl Timings {
    /// Starts the watch.
    pub(crate) fn start(clock: &dyn Clock) -> Self {
        Self { last: clock.now_ms(), ..Self::default() }
    }

    /// Milliseconds since the last call.
    pub(crate) fn lap(&mut self, clock: &dyn Clock) -> u64 {
        let now = clock.now_ms();
        let lap = now.saturating_sub(self.last);
        self.last = now;
        lap
    }
}

impl Session {
    /// The access.
    pub fn access(&self) -> AccessId {
        self.receipt.access
    }

    /// Block time at which it ends by itself.
    pub fn until(&self) -> u64 {
        match self.receipt.decision {
            Decision::Allowed { until, .. } => until,
            Decision::Denied(_) => 0,
        }
    }

    /// The latest version of each resource that is not deleted.
    pub fn latest(&self) -> impl Iterator<Item = &OpenedRecord> {
        self.newest(u64::MAX).filter(|record| !record.is_deletion())
    }

    /// The latest version of each resource, deletions too, as it was at a time, in milliseconds
    /// since the Unix epoch.
    pub(crate) fn newest(&self, at_ms: u64) -> impl Iterator<Item = &OpenedRecord> {
        let mut newest: HashMap<(MemberId, &str, &str), u32> = HashMap::new();
        let there = move |record: &&OpenedRecord| record.metadata.stored_ms <= at_ms;
        let records = || self.records.iter().map(|record| &**record).filter(there);
        for record in records() {
            let place = newest.entry(record.name()).or_default();
            *place = (*place).max(record.version);
        }
        records().filter(move |record| newest.get(&record.name()) == Some(&record.version))
    }

    /// The version before a deletion; none if there is no other.
    pub(crate) fn before(&self, deletion: &OpenedRecord) -> Option<&OpenedRecord> {
        let records = self.records.iter().map(|record| &**record);
        records
            .filter(|record| record.name() == deletion.name() && !record.is_deletion())
            .filter(|record| record.version < deletion.version)
            .max_by_key(|record| record.version)
    }

    /// The same access, seen through a keyhole: what does not fit is not there, so that no search,
    /// include, total or page of the view tells of it.
    ///
    /// A resource is there if its latest version fits, or the one before if that is a deletion; so
    /// a view never shows as current what is superseded. Of its other versions those are there that
    /// fit themselves.
    pub fn narrowed(&self, fits: impl Fn(&OpenedRecord) -> bool) -> Session {
        let mut by_name: HashMap<_, Vec<&Arc<OpenedRecord>>> = HashMap::new();
        for record in &self.records {
            by_name.entry(record.name()).or_default().push(record);
        }
        let mut kept = HashSet::new();
        for mut versions in by_name.into_values() {
            versions.sort_by_key(|record| record.version);
            let shown = shown(&versions, &fits);
            if shown.last() == Some(&true) {
                let shown = versions.iter().zip(shown).filter(|(_, is_shown)| *is_shown);
                kept.extend(shown.map(|(record, _)| (record.custodian, record.sequence)));
            }
        }
        self.with_those(|record| kept.contains(&(record.custodian, record.sequence)))
    }

    /// The same access with some of its records.
    fn with_those(&self, stays: impl Fn(&OpenedRecord) -> bool) -> Session {
        let kept = self.records.iter().filter(|record| stays(record));
        Session { records: kept.cloned().collect(), ..self.emptied() }
    }

    /// The same access before its records are there.
    pub(crate) fn emptied(&self) -> Session {
        Session {
            staff: self.staff.clone(),
            reader: self.reader.clone(),
            receipt: self.receipt.clone(),
            records: Vec::new(),
            missing: self.missing.clone(),
            joined: self.joined.clone(),
            ..*self
        }
    }

    /// The same, with what other accesses opened beside it.
    pub(crate) fn beside(&self, others: &[Arc<Session>]) -> Session {
        let mut joined = self.clone();
        for other in others {
            joined.records.extend(other.records.iter().cloned());
            joined.missing.extend(&other.missing);
            joined.joined.push(other.access());
        }
        joined.missing.sort_unstable();
        joined.missing.dedup();
        joined
    }

    /// The versions of one resource, oldest first: of the one that the reader's own hospital wrote,
    /// else of another's. The same id at two hospitals names two resources.
    pub fn versions(&self, kind: &str, id: &str) -> Vec<&OpenedRecord> {
        let named =
            |record: &&OpenedRecord| record.metadata.kind == kind && record.metadata.id == id;
        let records = self.records.iter().map(|record| &**record);
        let mut versions: Vec<_> = records.filter(named).collect();
        let rank = |custodian: MemberId| (custodian != self.receipt.reader, custodian);
        let first = versions.iter().map(|record| rank(record.custodian)).min();
        versions.retain(|record| Some(rank(record.custodian)) == first);
        versions.sort_by_key(|record| record.version);
        versions
    }

    /// Whether it has a resource of this name: of the reader's own hospital, or of any.
    pub fn has(&self, kind: &str, id: &str, is_own: bool) -> bool {
        let versions = self.versions(kind, id);
        versions.first().is_some_and(|one| !is_own || one.custodian == self.receipt.reader)
    }
}

/// Which of the versions of one resource, oldest first, are shown to who sees what fits. A deletion
/// has no content: it is shown to whoever sees the version before.
fn shown(versions: &[&Arc<OpenedRecord>], fits: impl Fn(&OpenedRecord) -> bool) -> Vec<bool> {
    let mut before = None;
    let is_shown = |record: &&Arc<OpenedRecord>| match before {
        Some(shown) if record.is_deletion() => shown,
        _ => *before.insert(fits(record)),
    };
    versions.iter().map(is_shown).collect()
}

impl OpenedRecord {
    /// Reads what was sealed.
    pub(crate) fn new(
        custodian: MemberId,
        record: &vault::SealedRecord,
        category: Category,
        content: vault::Opened,
        anchor: Option<(Arc<WireBatch>, u64)>,
    ) -> Result<Self, FlowError> {
        let unreadable = || FlowError::Evidence("an opened record cannot be read".to_owned());
        let metadata: Metadata = borsh::from_slice(content.metadata()).map_err(|_| unreadable())?;
        let exact = Resource::parse(content.bytes().to_vec()).map_err(|_| unreadable())?;
        let resolved = named(&exact, &metadata)?;
        Ok(Self {
            custodian,
            sequence: record.sequence,
            version: record.place.version,
            category,
            metadata,
            exact,
            resolved,
            salt: *content.salt(),
            anchor,
        })
    }

    /// The record with what was decided about its patient, beside what it says itself.
    pub(crate) fn with_links(mut self, links: Vec<Value>) -> Result<Self, FlowError> {
        let own = self.resolved.value()["link"].as_array().cloned().unwrap_or_default();
        let is_said = |link: &Value| {
            let same = |one: &Value| {
                one["other"]["reference"] == link["other"]["reference"]
                    && one["type"] == link["type"]
            };
            own.iter().any(same)
        };
        let new: Vec<Value> = links.into_iter().filter(|link| !is_said(link)).collect();
        if self.is_deletion() || new.is_empty() {
            return Ok(self);
        }
        let text = self.resolved.text();
        let inside = text.find('{').map_or(0, |brace| brace + 1);
        let said = match own.is_empty() {
            true => {
                format!("{}\"link\":{},{}", &text[..inside], Value::Array(new), &text[inside..])
            }
            // Rare: the hospital's own system says links, too.
            false => {
                let mut value = self.resolved.value().clone();
                value["link"] = own.into_iter().chain(new).collect();
                value.to_string()
            }
        };
        self.resolved = Resource::parse(said)
            .map_err(|_| FlowError::Evidence("a patient cannot be given its links".to_owned()))?;
        Ok(self)
    }

    /// The resource as it was filed: without what was decided about its patient since.
    pub(crate) fn as_filed(&self) -> Result<Resource, FlowError> {
        named(&self.exact, &self.metadata)
    }

    /// Whether this version says that the resource is deleted.
    pub fn is_deletion(&self) -> bool {
        self.metadata.change == Change::Deleted
    }

    fn name(&self) -> (MemberId, &str, &str) {
        (self.custodian, &self.metadata.kind, &self.metadata.id)
    }
}

/// The resource as it is served: links resolved, and under the id it was given if it brought none.
/// Every other byte is as received.
fn named(exact: &Resource, metadata: &Metadata) -> Result<Resource, FlowError> {
    under_id(&exact.resolved(&metadata.links()), &metadata.id)
}

/// The resource with this id, if it brought none.
pub(crate) fn under_id(resource: &Resource, id: &str) -> Result<Resource, FlowError> {
    if resource.id().is_some() {
        return Ok(resource.clone());
    }
    let text = resource.text();
    let inside = text.find('{').map_or(0, |brace| brace + 1);
    let with_id = format!("{}\"id\":\"{id}\",{}", &text[..inside], &text[inside..]);
    Resource::parse(with_id)
        .map_err(|_| FlowError::Evidence("an opened record cannot be given its id".to_owned()))
}

impl Metadata {
    /// The links as the FHIR crate wants them.
    pub fn links(&self) -> Links {
        let links = self.links.iter().filter_map(|(name, kind, id)| {
            Some((name.clone(), Target::parse(&format!("{kind}/{id}"))?))
        });
        links.collect()
    }
}

/// The sessions that are open at this member.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<AccessId, Arc<Session>>>);

impl Sessions {
    /// Keeps a session until its access ends; the oldest goes if there are too many.
    pub fn keep(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let mut sessions = self.lock();
        if sessions.len() >= limits::SESSIONS_MAX
            && let Some(oldest) = sessions.values().min_by_key(|kept| kept.receipt.time)
        {
            let oldest = oldest.access();
            sessions.remove(&oldest);
        }
        sessions.insert(session.access(), session.clone());
        session
    }

    /// The session of an access.
    pub fn find(&self, access: AccessId) -> Option<Arc<Session>> {
        self.lock().get(&access).cloned()
    }

    /// A session that fits.
    pub fn find_by(&self, fits: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        self.lock().values().find(|session| fits(session)).cloned()
    }

    /// Forgets the sessions that no longer hold.
    pub fn retain(&self, holds: impl Fn(&Session) -> bool) {
        self.lock().retain(|_, session| holds(session));
    }

    /// Takes records that are erased, or going to be, out of every session.
    pub fn forget(&self, is_gone: impl Fn(&OpenedRecord) -> bool) {
        for session in self.lock().values_mut() {
            if session.records.iter().any(|record| is_gone(record)) {
                *session = Arc::new(session.with_those(|record| !is_gone(record)));
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccessId, Arc<Session>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use ledger::{CategorySet, Denial, NetworkId, PatientId, Purpose, StaffRef};
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const OWN: MemberId = MemberId([7; 32]);

    /// A session with the versions of `Observation/o`, one a word: `final` and `amended` with this
    /// status, `deleted`.
    fn session(custodian: MemberId, versions: &str) -> Session {
        let patient = PatientId([1; 32]);
        let mut rng = StdRng::seed_from_u64(1);
        let (reader, _) = ReaderSecret::generate(&mut rng, NetworkId([0; 32]), OWN, patient, 1);
        let receipt = Receipt {
            access: AccessId([0; 32]),
            number: 1,
            patient,
            reader: OWN,
            staff: StaffRef([0; 32]),
            purpose: Purpose::Treatment,
            asked: CategorySet::ALL,
            custodians: Vec::new(),
            time: 0,
            decision: Decision::Denied(Denial::NoConsent),
        };
        let records = (1..).zip(versions.split_whitespace());
        Session {
            staff: String::new(),
            reader: Arc::new(reader),
            opened: Opened::default(),
            receipt_index: 0,
            receipt,
            records: records.map(|(version, word)| record(custodian, version, word)).collect(),
            missing: Vec::new(),
            timings: Timings::default(),
            joined: Vec::new(),
        }
    }

    fn record(custodian: MemberId, version: u32, word: &str) -> Arc<OpenedRecord> {
        let change = if word == "deleted" { Change::Deleted } else { Change::Updated };
        let content = match change {
            Change::Deleted => r#"{"resourceType":"Observation","id":"o"}"#.to_owned(),
            _ => format!(r#"{{"resourceType":"Observation","id":"o","status":"{word}"}}"#),
        };
        let resource = Resource::parse(content).unwrap();
        let (kind, id) = ("Observation".to_owned(), "o".to_owned());
        let metadata = Metadata { kind, id, stored_ms: 0, links: Vec::new(), change };
        Arc::new(OpenedRecord {
            custodian,
            sequence: version.into(),
            version,
            category: Category::Results,
            metadata,
            exact: resource.clone(),
            resolved: resource,
            salt: [0; 32],
            anchor: None,
        })
    }

    fn is_final(record: &OpenedRecord) -> bool {
        record.exact.value()["status"] == "final"
    }

    fn versions(session: &Session) -> Vec<u32> {
        session.records.iter().map(|record| record.version).collect()
    }

    #[test]
    fn a_keyhole_shows_nothing_as_current_that_is_superseded() {
        let cases: [(&str, &[u32]); 8] = [
            ("final", &[1]),
            ("amended final", &[2]),
            ("final amended", &[]),
            ("final deleted", &[1, 2]),
            ("final amended deleted", &[]),
            ("final deleted final", &[1, 2, 3]),
            ("amended deleted final amended final", &[3, 5]),
            ("deleted", &[]),
        ];
        for (all, expected) in cases {
            assert_eq!(versions(&session(OWN, all).narrowed(is_final)), expected, "{all}");
        }
    }

    #[test]
    fn what_is_erased_takes_nothing_else_along() {
        let sessions = Sessions::default();
        sessions.keep(session(OWN, "final amended final"));
        sessions.forget(|record| record.version == 3);
        assert_eq!(versions(&sessions.find(AccessId([0; 32])).unwrap()), [1, 2]);
    }

    #[test]
    fn a_name_is_of_one_hospital() {
        let mut joined = session(MemberId([3; 32]), "amended amended amended");
        assert!(joined.has("Observation", "o", false) && !joined.has("Observation", "o", true));
        assert_eq!(joined.versions("Observation", "o").len(), 3);
        joined.records.extend(session(OWN, "final deleted").records);
        joined.records.extend(session(MemberId([1; 32]), "final").records);
        assert!(matches!(joined.find("Observation", "o"), Err(FlowError::Gone)));
        assert!(joined.has("Observation", "o", true) && !joined.has("Observation", "p", false));
        assert_eq!(joined.latest().count(), 2);
        let addresses = joined.addresses("http://here/fhir", None);
        let of = |id: u8| addresses.of([id; 32], "Observation", "o");
        assert_eq!(of(7), "http://here/fhir/Observation/o");
        assert!(of(3).starts_with("urn:uuid:") && of(3) != of(1), "{} {}", of(3), of(1));
        assert_eq!((of(3).len(), &of(3)[23..24]), (45, "8"));
    }
    #[test]
    fn an_answer_that_lacks_a_hospital_says_so() {
        let mut session = session(OWN, "final");
        let answers = |session: &Session| {
            let page = |_| String::new();
            let kind = Some("Observation");
            let found = session.search("http://here/fhir", kind, &[], 0, page, None).unwrap();
            let whole = crate::HistoryPage { skip: 0, count: None, since_ms: 0 };
            [found, session.everything("http://here/fhir", &[], whole, page, None)]
                .map(|answer| serde_json::from_slice::<Value>(&answer).unwrap())
        };
        let modes = |answer: &Value| -> Vec<String> {
            let entries = answer["entry"].as_array().unwrap().iter();
            entries.map(|entry| entry["search"]["mode"].as_str().unwrap().to_owned()).collect()
        };
        for answer in answers(&session) {
            assert_eq!(modes(&answer), ["match"]);
        }
        session.missing = vec![MemberId([9; 32])];
        for answer in answers(&session) {
            assert_eq!(modes(&answer), ["match", "outcome"]);
            assert_eq!(answer["total"], 1);
        }
    }
}
