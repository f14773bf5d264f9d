//! Filing: checked resources become sealed records, all of them in one durable transaction or none.
//!
//! Nothing is decided about content here; that is [`ingest`](crate::ingest). The network is not
//! asked; anchoring follows by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fhir::{
    Issue, IssueCode, Resource,
    derive::{Code, Derived, derive_linked},
    links::Links,
    reference::{Reference, Target},
};
use ledger::{Category, PatientId};
use vault::{
    Batch, Conflict, Content, JobPart, Link, NewRecord, Place, RecordId, SealedRecord, Token,
    Version,
};

use crate::{
    FlowError, Member,
    limits::IDENTIFIERS_MAX,
    quality::{Check, Policy, report::Counted},
    scopes::Writing,
    sessions::{Change, Metadata},
};

/// A version to be filed.
#[derive(Clone)]
pub(crate) struct Incoming {
    /// What was received; of a deletion, what is left: type and id.
    pub resource: Resource,
    /// As what it will be known.
    pub target: Target,
    /// What its references to other entries of its Bundle stand for.
    pub links: Links,
    /// The version that the sender believes to be the latest, if it says so.
    pub expected: Option<u32>,
    /// What made it.
    pub change: Change,
    /// Where it is in what was received, for issues.
    pub place: String,
    /// What was found in it, and is stored all the same.
    pub(crate) flags: Vec<Check>,
    /// What the same content is recognised by.
    pub(crate) content: Option<Token>,
    /// What exactly these bytes under this name are recognised by; only of an import.
    pub(crate) exact: Option<Token>,
    /// What else it can be looked up by.
    pub(crate) marks: Vec<Token>,
    /// Of a Patient, the latest version there was when it was judged who this is.
    pub(crate) judged_after: Option<u32>,
}

impl Incoming {
    /// A version to be filed, not judged yet.
    pub(crate) fn new(resource: Resource, target: Target, change: Change, place: String) -> Self {
        let (links, expected) = (Links::none(), None);
        let (flags, content, exact, judged_after) = (Vec::new(), None, None, None);
        Self {
            resource,
            target,
            links,
            expected,
            change,
            place,
            flags,
            content,
            exact,
            marks: Vec::new(),
            judged_after,
        }
    }
}

/// What is stored in one step with the records.
#[derive(Clone, Default)]
pub(crate) struct Aside<'s> {
    /// Who delivers; nobody if nothing is counted.
    pub source: Option<&'s str>,
    /// Messages that brought the records, or that are settled or kept with them; cases and changed
    /// links. What it says of records, scopes and links is not looked at.
    pub batch: Batch,
    /// Patients whose records go elsewhere than their links say now.
    pub patients: Patients,
    /// What is counted beside the records.
    pub counted: Counted,
    /// How far the job is that brings the records, once they are filed: told as what they are going
    /// to be, but for their places in the sequence.
    pub job: Option<Job<'s>>,
}

/// What is kept of a job with what is going to be filed.
pub(crate) type Job<'s> = &'s dyn Fn(&[Filed]) -> Vec<JobPart>;

/// What became of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// As what it is known.
    pub target: Target,
    /// Its version, from 1.
    pub version: u32,
    /// What made it.
    pub change: Change,
    /// Its place in this custodian's sequence.
    pub sequence: u64,
}

/// Patients that a batch brings along, and those looked up while it is prepared: by logical id, the
/// account, and whether it is new.
pub(crate) type Patients = HashMap<String, (PatientId, bool)>;

impl Member {
    /// Files resources that have been checked: all of them, durably, or none.
    pub(crate) fn file(&self, incoming: Vec<Incoming>) -> Result<Vec<Filed>, FlowError> {
        self.file_with(incoming, Aside::default())
    }

    /// As [`Member::file`], with what belongs to it in the same step.
    ///
    /// # Errors
    /// [`FlowError::Conflict`] if one of the messages was taken before, a case was decided before,
    /// a link that changes leads elsewhere by now, or somebody else changed a patient since it was
    /// judged.
    pub(crate) fn file_with(
        &self,
        incoming: Vec<Incoming>,
        aside: Aside<'_>,
    ) -> Result<Vec<Filed>, FlowError> {
        let Aside { source, batch, patients, mut counted, job } = aside;
        incoming.iter().for_each(|one| counted.filed(one));
        let tallies = source.map(|source| self.tallies(source, &counted)).unwrap_or_default();
        let beside = Batch { tallies, ..batch };
        if incoming.is_empty() && beside == Batch::default() && job.is_none() {
            return Ok(Vec::new());
        }
        // Somebody else may write the same record or open the same scope at the same time; the
        // vault then refuses the batch whole, and it is prepared again from what is there now.
        for _ in 0..CONFLICTS_MAX {
            let prepared = self.prepare(&incoming, &patients)?;
            let Batch { scopes, links, records, portraits, .. } = prepared.batch.clone();
            let jobs = job.map(|job| job(&prepared.filed(0))).unwrap_or_default();
            let batch = Batch { scopes, links, records, portraits, jobs, ..beside.clone() };
            match self.vault.store(batch) {
                Ok(stored) => {
                    self.remember(&prepared);
                    return Ok(prepared.filed(stored.first));
                }
                Err(vault::VaultError::Conflict(Conflict::Message(_) | Conflict::Case(_))) => break,
                Err(vault::VaultError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(FlowError::Conflict)
    }

    /// Finds patients, scopes and versions, and seals. Nothing is stored yet.
    pub(crate) fn prepare(
        &self,
        incoming: &[Incoming],
        known: &Patients,
    ) -> Result<Prepared, FlowError> {
        let derived: Vec<Derived> =
            incoming.iter().map(|one| derive_linked(&one.resource, &one.links)).collect();
        let mut prepared = Prepared { policy: self.quality_policy(), ..Prepared::default() };
        let patients = self.find_patients(incoming, &derived, known, &prepared.policy)?;
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
        let record = self.keys.record_id(kind, &one.target.id);
        self.check_version(record, one, prepared)?;
        let latest = self.latest_lies(record, prepared)?;
        let lies = match one.change {
            // Whoever could see the record sees that it is gone, and nobody else.
            Change::Deleted => latest.ok_or(FlowError::NotFound("resource"))?,
            _ => self.files_as(&one.target, derived, patients, &prepared.policy),
        };
        if let Some(left) = latest.filter(|latest| *latest != lies)
            && !self.has_ended(record, prepared)?
        {
            self.end_there(one, record, left, prepared)?;
        }
        let tokens = match one.change {
            Change::Deleted => vec![self.deletion_mark(record)],
            _ => self.tokens_of(one, derived, record)?,
        };
        let version = self.push_version(one, record, lies, tokens, prepared)?;
        if kind == "Patient" {
            // Of one who is deleted nothing is left to be compared with.
            prepared.batch.portraits.push(self.sealed_portrait(record, &one.resource));
        }
        let place = prepared.batch.records.len() as u64 - 1;
        prepared.outcomes.push((place, one.target.clone(), version, one.change));
        Ok(())
    }

    /// Ends a record where it lies, because its next version belongs to another patient or into
    /// another category: whoever sees only the old place would go on reading it as current.
    fn end_there(
        &self,
        one: &Incoming,
        record: RecordId,
        left: Lies,
        prepared: &mut Prepared,
    ) -> Result<(), FlowError> {
        let resource = what_is_left(&one.target)?;
        let (target, place) = (one.target.clone(), one.place.clone());
        let end = Incoming::new(resource, target, Change::Deleted, place);
        let tokens = vec![self.deletion_mark(record)];
        self.push_version(&end, record, left, tokens, prepared).map(drop)
    }

    /// Seals the next version of a record into the batch; gives its number.
    fn push_version(
        &self,
        one: &Incoming,
        record: RecordId,
        (patient, category): Lies,
        tokens: Vec<Token>,
        prepared: &mut Prepared,
    ) -> Result<u32, FlowError> {
        let last = match prepared.newest.get(&record) {
            Some(newest) => newest.version,
            // No version has the number of one that was erased.
            None => self.vault.last_version(record)?,
        };
        let version = last + 1;
        let scope = prepared.scope(self, patient, category)?;
        let place =
            Place { record, version, patient: patient.0, scope: scope.tag, epoch: scope.epoch };
        let (commitment, envelope) = self.seal(one, &place, scope)?;
        let name = self.wrapped_name(record, &one.target);
        prepared.batch.records.push(NewRecord { place, commitment, envelope, tokens, name });
        let newest = Newest { version, lies: (patient, category), change: one.change };
        prepared.newest.insert(record, newest);
        Ok(version)
    }

    /// What a version can be looked up by: its identifiers, and of a patient also who it is.
    fn tokens_of(
        &self,
        one: &Incoming,
        derived: &Derived,
        record: RecordId,
    ) -> Result<Vec<Token>, FlowError> {
        let kind = one.target.resource_type.name();
        if derived.identifiers.len() > IDENTIFIERS_MAX {
            let text = format!("a resource has at most {IDENTIFIERS_MAX} identifiers: send fewer");
            let issue = Issue::error(IssueCode::TooCostly, one.place.clone(), text);
            return Err(FlowError::Content(vec![issue]));
        }
        let identifiers = derived.identifiers.iter().flat_map(|code| {
            [self.identifier(kind, code), self.identifier_value(kind, &code.value)]
        });
        let flags = one.flags.iter().map(|check| self.finding_mark(*check));
        let marks = one.content.into_iter().chain(one.exact).chain(one.marks.iter().copied());
        let mut tokens: Vec<Token> = identifiers.chain(flags).chain(marks).collect();
        if kind == "Patient" {
            tokens.extend(self.patient_tokens(record, &one.resource));
        }
        tokens.sort();
        tokens.dedup();
        Ok(tokens)
    }

    /// Whose record it is, and of which category.
    fn files_as(
        &self,
        target: &Target,
        derived: &Derived,
        patients: &Patients,
        policy: &Policy,
    ) -> Lies {
        let patient = match local_patient(target, derived, policy) {
            Some(local_id) => patients[local_id.as_str()].0,
            None => self.house(),
        };
        let category = derived.filed_under().and_then(Category::parse).unwrap_or(HOUSE_CATEGORY);
        (patient, category)
    }

    /// Where the latest version of a record lies; none if there is none.
    fn latest_lies(
        &self,
        record: RecordId,
        prepared: &Prepared,
    ) -> Result<Option<Lies>, FlowError> {
        if let Some(newest) = prepared.newest.get(&record) {
            return Ok(Some(newest.lies));
        }
        let latest = self.vault.record(record, Version::Latest)?;
        Ok(latest.map(|SealedRecord { place, .. }| {
            (PatientId(place.patient), self.category_of(&place).unwrap_or(HOUSE_CATEGORY))
        }))
    }

    /// Whether the latest version of a record is a deletion.
    fn has_ended(&self, record: RecordId, prepared: &Prepared) -> Result<bool, FlowError> {
        match prepared.newest.get(&record) {
            Some(newest) => Ok(newest.change == Change::Deleted),
            None => self.is_deleted(record),
        }
    }

    /// The account of every patient that is named. A `Patient` resource brings its patient along;
    /// any other reference must be to a patient of this hospital.
    fn find_patients(
        &self,
        incoming: &[Incoming],
        derived: &[Derived],
        known: &Patients,
        policy: &Policy,
    ) -> Result<Patients, FlowError> {
        let mut patients = known.clone();
        let mut issues = Vec::new();
        for one in incoming.iter().filter(|one| one.target.resource_type.name() == "Patient") {
            let known = self.account_of(&one.target.id)?;
            let is_new = known.is_none();
            let patient = known.unwrap_or_else(|| PatientId(self.world.draw()));
            patients.entry(one.target.id.clone()).or_insert((patient, is_new));
        }
        for (one, derived) in incoming.iter().zip(derived) {
            let Some(local_id) = local_patient(&one.target, derived, policy) else { continue };
            if patients.contains_key(&local_id) {
                continue;
            }
            let by_identifier = match &derived.patient {
                Some(reference) => self.patient_by_identifier(reference)?,
                None => None,
            };
            let known = match by_identifier {
                Some(patient) => Some(patient),
                None => self.account_of(&local_id)?,
            };
            match known {
                Some(patient) => drop(patients.insert(local_id, (patient, false))),
                None if fhir::resource::is_id(&local_id) => {
                    issues.push(unknown_patient(&one.place));
                }
                // Nobody here: an account apart, until somebody knows whose it is.
                None => {
                    let apart = PatientId(self.world.draw());
                    patients.insert(local_id, (apart, true));
                }
            }
        }
        if issues.is_empty() { Ok(patients) } else { Err(FlowError::Content(issues)) }
    }

    /// The patient of this hospital who has this identifier, if exactly one has.
    pub(crate) fn patient_by_identifier(
        &self,
        reference: &Reference,
    ) -> Result<Option<PatientId>, FlowError> {
        let Reference::Logical { system: Some(system), value } = reference else {
            return Ok(None);
        };
        let code = Code { system: Some(system.clone()), value: value.clone() };
        let known = self.carriers(self.identifier("Patient", &code))?;
        let accounts: BTreeSet<_> = known.iter().map(|place| place.patient).collect();
        let only = accounts.first().copied().filter(|_| accounts.len() == 1);
        Ok(only.map(PatientId))
    }

    /// Checks that nobody has written since whoever sends this has looked.
    fn check_version(
        &self,
        record: RecordId,
        one: &Incoming,
        prepared: &Prepared,
    ) -> Result<(), FlowError> {
        let latest = match prepared.newest.get(&record) {
            Some(newest) => newest.version,
            None => {
                let latest = self.vault.latest_version(record)?.unwrap_or(0);
                // Somebody told something else of the same patient since.
                if one.judged_after.is_some_and(|judged| judged != latest) {
                    return Err(FlowError::Conflict);
                }
                latest
            }
        };
        match one.expected {
            Some(expected) if expected != latest => {
                Err(FlowError::Stale { latest, place: one.place.clone() })
            }
            _ => Ok(()),
        }
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
            change: one.change,
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
pub(crate) struct Prepared {
    batch: Batch,
    policy: Policy,
    scopes: BTreeMap<(PatientId, Category), Writing>,
    /// The newest version of each record in the batch.
    newest: HashMap<RecordId, Newest>,
    /// For each resource: its place in the batch, as what, which version, and what made it.
    outcomes: Vec<(u64, Target, u32, Change)>,
}

/// The newest version of a record.
struct Newest {
    version: u32,
    lies: Lies,
    change: Change,
}

/// Where a version lies: whose record it is, and of which category.
type Lies = (PatientId, Category);

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
        let filed = self.outcomes.iter().map(|(place, target, version, change)| Filed {
            target: target.clone(),
            version: *version,
            change: *change,
            sequence: first + place,
        });
        filed.collect()
    }
}

/// What the patient that a record is about is called here: the local id, or for a patient who has
/// none the words of the reference, which are no id.
pub(crate) fn local_patient(target: &Target, derived: &Derived, policy: &Policy) -> Option<String> {
    if target.resource_type.name() == "Patient" {
        return Some(target.id.clone());
    }
    let reference = derived.patient.as_ref()?;
    if let Some(patient) = policy.own(reference) {
        return Some(patient.id.clone());
    }
    Some(match reference {
        Reference::Contained(id) => format!("{target}#{id}"),
        Reference::Logical { system, value } => {
            format!("{}|{value}", system.as_deref().unwrap_or_default())
        }
        Reference::Remote { base, target } => format!("{base}/{target}"),
        Reference::Conditional { resource_type, query } => format!("{resource_type}?{query}"),
        Reference::Urn(text) | Reference::Other(text) => format!("{text}#"),
        Reference::Local(patient) => patient.id.clone(),
    })
}

/// What stands in the place of a resource that is deleted: its type and id.
pub(crate) fn what_is_left(target: &Target) -> Result<Resource, FlowError> {
    let left =
        format!("{{\"resourceType\":\"{}\",\"id\":\"{}\"}}", target.resource_type, target.id);
    Resource::parse(left).map_err(FlowError::Content)
}

fn unknown_patient(place: &str) -> Issue {
    let text =
        "the patient it refers to is not known here: send the Patient first, or in the same Bundle";
    Issue::error(IssueCode::NotFound, place, text)
}

fn links_of(links: &Links) -> Vec<(String, String, String)> {
    let links = links.iter().map(|(name, target)| {
        (name.to_owned(), target.resource_type.name().to_owned(), target.id.clone())
    });
    links.collect()
}

/// Where records without a patient are kept, in the member's own account.
const HOUSE_CATEGORY: Category = Category::Documents;

/// How often a batch is prepared anew because somebody else was faster.
const CONFLICTS_MAX: usize = 8;
