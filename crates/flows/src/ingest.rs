//! Ingest: from received bytes to durable, sealed records with a place in the outbox.
//!
//! Everything is checked before anything is stored, and everything is stored in one transaction: an
//! answer that says "created" means durable, and an answer that says "refused" means that nothing changed.
//! The network is not asked; anchoring follows by itself.

use std::collections::{BTreeMap, HashMap};

use fhir::{
    Issue, IssueCode, Limits, Resource,
    bundle::{Bundle, BundleKind, Entry, Method},
    derive::{Code, Derived, derive_linked},
    links::Links,
    reference::{Reference, Target},
};
use ledger::{Category, PatientId};
use vault::{Batch, Content, Link, NewRecord, Place, RecordId, Token, Versions};

use crate::{FlowError, Member, scopes::Writing, sessions::Metadata};

/// A resource to be filed under an id.
#[derive(Clone)]
pub struct Incoming {
    /// What was received.
    pub resource: Resource,
    /// As what it will be known.
    pub target: Target,
    /// What its references to other entries of its Bundle stand for.
    pub links: Links,
    /// The version that the sender believes to be the latest, if it says so.
    pub expected: Option<u32>,
    /// Business identifiers of a conditional create: if one of them is known, nothing is stored.
    pub unless_known: Vec<Code>,
    /// Where it is in what was received, for issues.
    pub place: String,
}

/// What became of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// As what it is known.
    pub target: Target,
    /// Its version, from 1.
    pub version: u32,
    /// Its place in this custodian's sequence; none if it was known already and nothing was stored.
    pub sequence: Option<u64>,
}

/// What became of the entries of a Bundle, in their order.
#[derive(Debug)]
pub struct FiledBundle {
    /// What kind of Bundle it was.
    pub kind: BundleKind,
    /// Each entry: filed, or what is wrong with it (only in a batch).
    pub entries: Vec<Result<Filed, Vec<Issue>>>,
}

/// Patients that a batch brings along, and those looked up while it is prepared.
type Patients = HashMap<String, (PatientId, bool)>;

impl Member {
    /// Files a Bundle: a transaction or collection as a whole or not at all, a batch as far as it is sound.
    pub fn ingest_bundle(&self, bytes: Vec<u8>) -> Result<FiledBundle, FlowError> {
        let bundle = Bundle::parse(bytes, &Limits::STANDARD).map_err(FlowError::Content)?;
        let is_batch = bundle.kind == BundleKind::Batch;
        match bundle.kind {
            BundleKind::Transaction | BundleKind::Batch | BundleKind::Collection => {}
            kind => return Err(FlowError::Content(vec![unsupported_kind(kind)])),
        }
        let checked: Vec<Result<Incoming, Vec<Issue>>> =
            bundle.entries.iter().map(|entry| self.check_entry(entry)).collect();
        let mut refused = bundle.errors();
        if is_batch {
            refused.retain(|issue| !issue.expression.starts_with("Bundle.entry["));
        } else {
            refused
                .extend(checked.iter().filter_map(|entry| entry.as_ref().err()).flatten().cloned());
        }
        if !refused.is_empty() {
            refused.dedup();
            return Err(FlowError::Content(refused));
        }
        self.file_checked(bundle.kind, checked)
    }

    /// Files one resource of this type. With an id (`PUT`) it becomes the next version under that id.
    pub fn ingest_resource(
        &self,
        bytes: Vec<u8>,
        kind: &str,
        id: Option<&str>,
        expected: Option<u32>,
    ) -> Result<Filed, FlowError> {
        let resource = Resource::parse(bytes, &Limits::STANDARD).map_err(FlowError::Content)?;
        let mut issues = errors(fhir::validate(&resource));
        issues.extend(misnamed(&resource, kind, id));
        if !issues.is_empty() {
            return Err(FlowError::Content(issues));
        }
        let id = resource.id().map_or_else(|| self.new_id(), str::to_owned);
        let target = Target { resource_type: resource.resource_type(), id };
        let place = resource.type_name().to_owned();
        let (links, unless_known) = (Links::none(), Vec::new());
        let incoming = Incoming { resource, target, links, expected, unless_known, place };
        let mut filed = self.file(vec![incoming])?;
        Ok(filed.remove(0))
    }

    /// Files resources that have been checked: all of them, durably, or none.
    pub fn file(&self, incoming: Vec<Incoming>) -> Result<Vec<Filed>, FlowError> {
        // Somebody else may write the same record or open the same scope at the same time; the vault
        // then refuses the batch whole, and it is prepared again from what is there now.
        for _ in 0..CONFLICTS_MAX {
            let prepared = self.prepare(&incoming)?;
            let batch = prepared.batch.clone();
            if batch == Batch::default() {
                return Ok(prepared.filed(0));
            }
            match self.vault.store(batch) {
                Ok(stored) => {
                    self.remember(&prepared);
                    return Ok(prepared.filed(stored.first));
                }
                Err(vault::VaultError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(FlowError::Conflict)
    }

    fn file_checked(
        &self,
        kind: BundleKind,
        checked: Vec<Result<Incoming, Vec<Issue>>>,
    ) -> Result<FiledBundle, FlowError> {
        let mut sound: Vec<Incoming> =
            checked.iter().filter_map(|entry| entry.as_ref().ok()).cloned().collect();
        let mut refused: BTreeMap<String, Vec<Issue>> = BTreeMap::new();
        let filed = loop {
            match self.file(sound.clone()) {
                Ok(filed) => break filed,
                // In a batch an entry with an unknown patient does not stop the others.
                Err(FlowError::Content(issues)) if kind == BundleKind::Batch => {
                    for issue in issues {
                        refused.entry(entry_place(&issue.expression)).or_default().push(issue);
                    }
                    let before = sound.len();
                    sound.retain(|incoming| !refused.contains_key(&incoming.place));
                    if sound.len() == before {
                        return Err(FlowError::Content(refused.into_values().flatten().collect()));
                    }
                }
                Err(error) => return Err(error),
            }
        };
        let mut filed = filed.into_iter();
        let entries = checked.into_iter().map(|entry| {
            let incoming = entry?;
            match refused.remove(&incoming.place) {
                Some(issues) => Err(issues),
                None => Ok(filed.next().expect("each sound entry was filed")),
            }
        });
        Ok(FiledBundle { kind, entries: entries.collect() })
    }

    // ---- checking --------------------------------------------------------------------------------

    /// What an entry asks for, if it is sound and asks to store something.
    fn check_entry(&self, entry: &Entry) -> Result<Incoming, Vec<Issue>> {
        let mut issues = errors(entry.issues.clone());
        let Some(resource) = entry.exact() else {
            if issues.is_empty() {
                let text = "an entry without a resource stores nothing: remove it";
                issues.push(Issue::error(IssueCode::NotSupported, entry.place(), text));
            }
            return Err(issues);
        };
        let method = entry.request.as_ref().map_or(Method::Post, |request| request.method);
        if !matches!(method, Method::Post | Method::Put) {
            let text = format!("{} is not taken in a Bundle yet: use POST or PUT", method.code());
            issues.push(Issue::error(IssueCode::NotSupported, entry.place(), text));
        }
        let place = format!("{}.resource", entry.place());
        issues.extend(
            errors(fhir::validate(resource)).into_iter().map(|issue| placed(issue, &place)),
        );
        if !issues.is_empty() {
            return Err(issues);
        }
        let target = entry.target.clone().unwrap_or_else(|| Target {
            resource_type: resource.resource_type(),
            id: self.new_id(),
        });
        Ok(Incoming {
            resource: resource.clone(),
            target,
            links: entry.links.clone(),
            expected: None,
            unless_known: unless_known(entry),
            place: entry.place(),
        })
    }

    fn new_id(&self) -> String {
        self.world.draw::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // ---- preparing -------------------------------------------------------------------------------

    /// Finds patients, scopes and versions, and seals. Nothing is stored yet.
    fn prepare(&self, incoming: &[Incoming]) -> Result<Prepared, FlowError> {
        let derived: Vec<Derived> =
            incoming.iter().map(|one| derive_linked(&one.resource, &one.links)).collect();
        let patients = self.find_patients(incoming, &derived)?;
        let mut prepared = Prepared::default();
        for (local_id, (patient, is_new)) in &patients {
            if *is_new {
                let link: Link = self.link(local_id, *patient);
                prepared.batch.links.push(link);
            }
        }
        for (one, derived) in incoming.iter().zip(&derived) {
            self.prepare_one(one, derived, &patients, &mut prepared)?;
        }
        Ok(prepared)
    }

    fn prepare_one(
        &self,
        one: &Incoming,
        derived: &Derived,
        patients: &Patients,
        prepared: &mut Prepared,
    ) -> Result<(), FlowError> {
        let kind = one.target.resource_type.name();
        if let Some(known) = self.known(kind, &one.unless_known)? {
            prepared.outcomes.push((one.target.clone(), known, false));
            return Ok(());
        }
        let patient = match local_patient(&one.target, derived) {
            Some(local_id) => patients[local_id.as_str()].0,
            None => self.house(),
        };
        let record = self.keys.record_id(kind, &one.target.id);
        let version = self.next_version(record, one.expected, prepared)?;
        let category = derived.filed_under().and_then(Category::parse).unwrap_or(HOUSE_CATEGORY);
        let scope = prepared.scope(self, patient, category)?;
        let place =
            Place { record, version, patient: patient.0, scope: scope.tag, epoch: scope.epoch };
        let sealed = self.seal(one, &place, scope)?;
        let tokens = derived.identifiers.iter().map(|code| self.identifier(kind, code)).collect();
        let (commitment, envelope) = sealed;
        prepared.batch.records.push(NewRecord { place, commitment, envelope, tokens });
        prepared.outcomes.push((one.target.clone(), version, true));
        Ok(())
    }

    /// The account of every patient that is named. A `Patient` resource brings its patient along; any
    /// other reference must be to a patient of this hospital.
    fn find_patients(
        &self,
        incoming: &[Incoming],
        derived: &[Derived],
    ) -> Result<Patients, FlowError> {
        let mut patients = Patients::new();
        let mut issues = Vec::new();
        for one in incoming.iter().filter(|one| one.target.resource_type.name() == "Patient") {
            let known = self.account_of(&one.target.id)?;
            let is_new = known.is_none();
            let patient = known.unwrap_or_else(|| PatientId(self.world.draw()));
            patients.entry(one.target.id.clone()).or_insert((patient, is_new));
        }
        for (one, derived) in incoming.iter().zip(derived) {
            if let Some(unclear) = unclear_patient(derived) {
                issues.push(Issue::error(IssueCode::NotSupported, one.place.clone(), unclear));
                continue;
            }
            let Some(local_id) = local_patient(&one.target, derived) else { continue };
            if patients.contains_key(&local_id) {
                continue;
            }
            match self.account_of(&local_id)? {
                Some(patient) => drop(patients.insert(local_id, (patient, false))),
                None => issues.push(unknown_patient(&one.place)),
            }
        }
        if issues.is_empty() { Ok(patients) } else { Err(FlowError::Content(issues)) }
    }

    fn next_version(
        &self,
        record: RecordId,
        expected: Option<u32>,
        prepared: &mut Prepared,
    ) -> Result<u32, FlowError> {
        let latest = match prepared.versions.get(&record) {
            Some(latest) => *latest,
            None => self.vault.latest_version(record)?.unwrap_or(0),
        };
        if expected.is_some_and(|expected| expected != latest) {
            return Err(FlowError::Stale { latest });
        }
        prepared.versions.insert(record, latest + 1);
        Ok(latest + 1)
    }

    /// The version of a record with one of these identifiers, if there is one.
    fn known(&self, kind: &str, identifiers: &[Code]) -> Result<Option<u32>, FlowError> {
        for code in identifiers {
            let token = self.identifier(kind, code);
            let found = self.vault.records_by_token(token, Versions::Latest, 0, 1)?;
            if let Some(record) = found.first() {
                return Ok(Some(record.place.version));
            }
        }
        Ok(None)
    }

    fn identifier(&self, kind: &str, code: &Code) -> Token {
        let system = code.system.as_deref().unwrap_or_default();
        let parts = [kind.as_bytes(), system.as_bytes(), code.value.as_bytes()];
        self.keys.token("identifier", &parts)
    }

    fn seal(
        &self,
        one: &Incoming,
        place: &Place,
        scope: &Writing,
    ) -> Result<([u8; 32], vault::Envelope), FlowError> {
        let metadata = Metadata {
            kind: one.target.resource_type.name().to_owned(),
            id: one.target.id.clone(),
            stored_ms: self.world.clock.now_ms(),
            links: links_of(&one.links),
        };
        let metadata = borsh::to_vec(&metadata).expect("writing to memory does not fail");
        let salt: [u8; 32] = self.world.draw();
        let content = Content { salt: &salt, metadata: &metadata, bytes: one.resource.bytes() };
        let key = custody::record_key(&scope.secret, &place.record.0, place.version);
        let envelope = self
            .world
            .with_chance(|mut rng| vault::seal(&key, &self.id.0, place, content, &mut rng));
        let too_large = |error: vault::SealError| {
            let issue = Issue::error(IssueCode::TooLong, one.place.clone(), error.to_string());
            FlowError::Content(vec![issue])
        };
        Ok((content.commitment(), envelope.map_err(too_large)?))
    }

    /// After the store: the new epochs' secrets need no look-up next time.
    fn remember(&self, prepared: &Prepared) {
        for scope in prepared.scopes.values().filter(|scope| scope.opened.is_some()) {
            self.scopes.remember(scope.tag, scope.epoch, scope.secret.clone());
        }
    }
}

/// A batch in the making.
#[derive(Default)]
struct Prepared {
    batch: Batch,
    scopes: BTreeMap<(PatientId, Category), Writing>,
    versions: HashMap<RecordId, u32>,
    /// For each resource: as what, which version, and whether it is in the batch.
    outcomes: Vec<(Target, u32, bool)>,
}

impl Prepared {
    /// The scope of a record; its epoch joins the batch if it is new.
    fn scope(
        &mut self,
        member: &Member,
        patient: PatientId,
        category: Category,
    ) -> Result<&Writing, FlowError> {
        let place = match self.scopes.entry((patient, category)) {
            std::collections::btree_map::Entry::Occupied(known) => return Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => place,
        };
        let writing = member.writing(patient, category)?;
        self.batch.scopes.extend(writing.opened.clone());
        Ok(place.insert(writing))
    }

    fn filed(&self, first: u64) -> Vec<Filed> {
        let mut next = first;
        let filed = self.outcomes.iter().map(|(target, version, is_stored)| {
            let sequence = is_stored.then_some(next);
            next += u64::from(*is_stored);
            Filed { target: target.clone(), version: *version, sequence }
        });
        filed.collect()
    }
}

/// The local id of the patient that a record is about.
fn local_patient(target: &Target, derived: &Derived) -> Option<String> {
    if target.resource_type.name() == "Patient" {
        return Some(target.id.clone());
    }
    match &derived.patient {
        Some(Reference::Local(patient)) => Some(patient.id.clone()),
        _ => None,
    }
}

/// Why it cannot be known whose record it is, although it names a patient.
fn unclear_patient(derived: &Derived) -> Option<&'static str> {
    match &derived.patient {
        None | Some(Reference::Local(_)) => None,
        Some(_) if derived.resource_type == "Patient" => None,
        Some(_) => Some("name the patient by `Patient/id` or by a `urn:uuid:` of this Bundle"),
    }
}

/// Why a resource does not belong under the URL it was sent to.
fn misnamed(resource: &Resource, kind: &str, id: Option<&str>) -> Option<Issue> {
    let name = resource.type_name();
    if name != kind {
        let text = format!("the URL says `{kind}`: send a {name} to `{name}`");
        return Some(Issue::error(IssueCode::Invalid, format!("{name}.resourceType"), text));
    }
    let id = id.filter(|id| resource.id() != Some(*id))?;
    let text = format!("the URL says `{id}`: the resource must have the same id");
    Some(Issue::error(IssueCode::Invalid, format!("{name}.id"), text))
}

fn unknown_patient(place: &str) -> Issue {
    let text =
        "the patient it refers to is not known here: send the Patient first, or in the same Bundle";
    Issue::error(IssueCode::NotFound, place, text)
}

fn unsupported_kind(kind: BundleKind) -> Issue {
    let text =
        format!("a Bundle of type `{}` is not taken: send a transaction or batch", kind.code());
    Issue::error(IssueCode::NotSupported, "Bundle.type", text)
}

/// The identifiers of `ifNoneExist: identifier=system|value`.
fn unless_known(entry: &Entry) -> Vec<Code> {
    let query = entry.request.as_ref().and_then(|request| request.if_none_exist.as_deref());
    let values = query.and_then(|query| query.strip_prefix("identifier=")).unwrap_or_default();
    let codes = values.split(',').filter(|value| !value.is_empty()).map(|value| {
        let (system, value) = value.split_once('|').unwrap_or(("", value));
        Code { system: (!system.is_empty()).then(|| system.to_owned()), value: value.to_owned() }
    });
    codes.collect()
}

fn links_of(links: &Links) -> Vec<(String, String, String)> {
    let links = links.iter().map(|(name, target)| {
        (name.to_owned(), target.resource_type.name().to_owned(), target.id.clone())
    });
    links.collect()
}

fn errors(issues: Vec<Issue>) -> Vec<Issue> {
    issues.into_iter().filter(Issue::is_error).collect()
}

/// Moves an issue of a resource to where the resource is.
fn placed(issue: Issue, place: &str) -> Issue {
    let expression = match issue.expression.split_once('.') {
        Some((_type, inside)) => format!("{place}.{inside}"),
        None => place.to_owned(),
    };
    Issue { expression, ..issue }
}

/// `Bundle.entry[3]` of `Bundle.entry[3].resource.subject`.
fn entry_place(expression: &str) -> String {
    let end = expression.find(']').map_or(expression.len(), |end| end + 1);
    expression[..end].to_owned()
}

/// Where records without a patient are kept, in the member's own account.
const HOUSE_CATEGORY: Category = Category::Documents;

/// How often a batch is prepared anew because somebody else was faster.
const CONFLICTS_MAX: usize = 8;
