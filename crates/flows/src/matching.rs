//! Which of this hospital's patients somebody at the desk may be.
//!
//! Patients are found by keyed words that were written with their `Patient` resources (see
//! `docs/matching.md` for what they leak), and by identifiers. Whoever is found that way is opened
//! like any record, receipt first, and compared in memory. Only this member's own records are
//! looked at: nobody browses other members by name.

use std::collections::{BTreeMap, BTreeSet};

pub use fhir::matching::Grade;
use fhir::{
    Issue, IssueCode, Resource, Severity,
    bundle::{
        BundleKind,
        answer::{Answer, Match, Mode},
    },
    matching::{Likeness, Person},
};
use futures::{StreamExt, stream};
use ledger::{Category, CategorySet, PatientId, Purpose};
use vault::{Batch, Mark, Place, RecordId, SealedRecord, Token, Versions};

use crate::{FlowError, Member, OpenedRecord, Reading, Session, limits};

/// A question who somebody may be.
pub struct Sought {
    /// What is known of them.
    pub person: Person,
    /// Who asks, as in [`Reading`].
    pub staff: String,
    /// Why.
    pub purpose: Purpose,
    /// Which categories may be opened.
    pub categories: CategorySet,
}

/// What came of a question who somebody may be.
#[derive(Default)]
pub struct Seen {
    /// Who may be, the most alike first.
    pub found: Vec<Found>,
    /// How many could not be looked at: the ledger denied the access, or was out of reach.
    pub unseen: usize,
}

/// A patient of this hospital who may be the one that is sought.
pub struct Found {
    /// The access under which the patient was looked at.
    pub session: Session,
    /// The logical id.
    pub id: String,
    /// How alike they are.
    pub likeness: Likeness,
}

/// How far the patients of this hospital can be found by who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Patients that were looked at.
    pub seen: usize,
    /// Registrations that can be found from now on.
    pub indexed: usize,
    /// Where the next page goes on; none at the end.
    pub next: Option<Token>,
}

impl Sought {
    /// Reads a `Patient`, or the parameter `resource` of `Parameters` that holds one.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is no patient, or too little to find anybody by.
    pub fn person(patient: &[u8]) -> Result<Person, FlowError> {
        let refuse = |code, place: &str, text: &str| {
            FlowError::Content(vec![Issue::error(code, place, text)])
        };
        let patient = Resource::parse(patient.to_vec()).map_err(FlowError::Content)?;
        if patient.type_name() != "Patient" {
            return Err(refuse(IssueCode::Invalid, "Parameters", "`resource` is a Patient"));
        }
        let person = Person::of(&patient);
        if !person.can_be_found() {
            let text = "say an identifier, or a name with date of birth, telephone or postal code";
            return Err(refuse(IssueCode::Required, "Patient", text));
        }
        Ok(person)
    }
}

impl Member {
    /// The patients of this hospital who may be the one that is sought, the most alike first. Each
    /// of them was looked at under an access of its own, which has ended; so was whoever turned out
    /// to be somebody else. One who cannot be looked at does not keep the others from being found.
    pub async fn seek(&self, sought: &Sought) -> Result<Seen, FlowError> {
        let candidates = self.candidates(&sought.person)?;
        let looked_at = stream::iter(candidates)
            .map(|(patient, places)| self.look_at(sought, patient, places))
            .buffer_unordered(limits::MATCH_READS)
            .collect::<Vec<Result<Vec<Found>, FlowError>>>();
        let (mut found, mut unseen) = (Vec::new(), 0);
        for looked in looked_at.await {
            match looked {
                Ok(seen) => found.extend(seen),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => unseen += 1,
            }
        }
        found.retain(|one| one.likeness.grade > Grade::CertainlyNot);
        found.sort_by(|left, right| {
            let score = right.likeness.score.total_cmp(&left.likeness.score);
            score.then_with(|| left.id.cmp(&right.id))
        });
        Ok(Seen { found, unseen })
    }

    /// The words under which a patient is found, for the index; see [`Member::seek`].
    pub(crate) fn patient_tokens(&self, record: RecordId, patient: &Resource) -> Vec<Token> {
        let person = Person::of(patient);
        let mut tokens = vec![self.indexed_mark(record)];
        tokens.extend(person.blocks().iter().map(|block| {
            let parts: Vec<&[u8]> = block.parts.iter().map(String::as_bytes).collect();
            self.keys.token(block.kind, &parts)
        }));
        tokens
    }

    /// Registrations that share a word with somebody, by account; those that share most.
    fn candidates(&self, person: &Person) -> Result<BTreeMap<PatientId, Vec<Place>>, FlowError> {
        let blocks = person.blocks().into_iter().map(|block| {
            let parts: Vec<&[u8]> = block.parts.iter().map(String::as_bytes).collect();
            (self.keys.token(block.kind, &parts), 1)
        });
        let identifiers = person.identifiers();
        let identifiers = identifiers
            .map(|code| (self.identifier("Patient", code), limits::MATCH_CANDIDATES_MAX));
        let mut shared: BTreeMap<Place, usize> = BTreeMap::new();
        for (token, weight) in blocks.chain(identifiers) {
            for record in self.sharing(token)? {
                *shared.entry(record.place).or_default() += weight;
            }
        }
        let mut shared: Vec<(Place, usize)> = shared.into_iter().collect();
        shared.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        if shared.len() > limits::MATCH_CANDIDATES_MAX {
            tracing::info!(count = shared.len(), "more patients share words than are looked at");
        }
        let mut candidates: BTreeMap<PatientId, Vec<Place>> = BTreeMap::new();
        for (place, _) in shared.into_iter().take(limits::MATCH_CANDIDATES_MAX) {
            candidates.entry(PatientId(place.patient)).or_default().push(place);
        }
        Ok(candidates)
    }

    fn sharing(&self, token: Token) -> Result<Vec<SealedRecord>, FlowError> {
        let most = limits::MATCH_SHARING_MAX;
        Ok(self.vault.records_by_token(token, Versions::Latest, 0, most)?)
    }

    /// Opens the registrations of one account and compares them.
    async fn look_at(
        &self,
        sought: &Sought,
        patient: PatientId,
        places: Vec<Place>,
    ) -> Result<Vec<Found>, FlowError> {
        let held: CategorySet = places.iter().filter_map(|place| self.category_of(place)).collect();
        let categories = held.and(sought.categories);
        if categories.is_empty() {
            return Ok(Vec::new());
        }
        let who = (sought.staff.as_str(), sought.purpose);
        let session = self.read_own(patient, categories, who).await?;
        let wanted: BTreeSet<RecordId> = places.iter().map(|place| place.record).collect();
        let patients = session.latest().filter(|record| self.is_one_of(record, &wanted));
        let compared = patients.map(|record| {
            let likeness = sought.person.likeness(&Person::of(&record.resolved));
            (record.metadata.id.clone(), likeness)
        });
        let compared: Vec<(String, Likeness)> = compared.collect();
        let one = |(id, likeness)| Found { session: session.clone(), id, likeness };
        Ok(compared.into_iter().map(one).collect())
    }

    fn is_one_of(&self, record: &OpenedRecord, wanted: &BTreeSet<RecordId>) -> bool {
        let name = &record.metadata;
        name.kind == "Patient" && wanted.contains(&self.keys.record_id(&name.kind, &name.id))
    }

    /// Reads what this member itself wrote about a patient, under an access that ends at once.
    pub(crate) async fn read_own(
        &self,
        patient: PatientId,
        categories: CategorySet,
        (staff, purpose): (&str, Purpose),
    ) -> Result<Session, FlowError> {
        let reading = Reading {
            patient,
            categories,
            custodians: vec![self.id],
            purpose,
            staff: staff.to_owned(),
            duration_ms: limits::DESK_ACCESS_MS,
            emergency: None,
        };
        let session = self.read_once(reading).await?;
        match self.close(&session).await {
            Err(error) if error.is_fatal() => Err(error),
            // It ends by itself in a moment.
            Err(error) => {
                tracing::warn!(%error, "an access of the desk could not be closed");
                Ok(session)
            }
            Ok(()) => Ok(session),
        }
    }

    /// In which category a record of this member lies.
    pub(crate) fn category_of(&self, place: &Place) -> Option<Category> {
        let is_here =
            |one: &Category| self.keys.scope_tag(&place.patient, *one as u8) == place.scope;
        CategorySet::ALL.iter().find(is_here)
    }

    // ---- registrations from before -------------------------------------------------------------

    /// Makes a page of patients findable whose `Patient` resources were stored before there were
    /// words to find them by. They are opened for it, each with a receipt. Doing it again changes
    /// nothing.
    pub async fn index_patients(
        &self,
        after: Option<Token>,
        staff: &str,
    ) -> Result<Indexed, FlowError> {
        let links = self.vault.links_after(after, limits::INDEX_PAGE)?;
        let next = links.last().filter(|_| links.len() == limits::INDEX_PAGE);
        let mut indexed = Indexed { next: next.map(|last| last.token), ..Indexed::default() };
        let accounts: BTreeSet<PatientId> =
            links.iter().map(|link| PatientId(link.patient)).collect();
        for patient in accounts {
            indexed.seen += 1;
            indexed.indexed += self.index_patient(patient, staff).await?;
        }
        Ok(indexed)
    }

    async fn index_patient(&self, patient: PatientId, staff: &str) -> Result<usize, FlowError> {
        let mut lacking = BTreeMap::new();
        let mut categories = CategorySet::EMPTY;
        for category in patients_lie_in().iter() {
            let scope = self.keys.scope_tag(&patient.0, category as u8);
            let held = self.vault.records_of_scope(scope, Versions::Latest, 0, usize::MAX)?;
            for record in held {
                if self.sharing(self.indexed_mark(record.place.record))?.is_empty() {
                    lacking.insert(record.place.record, record.sequence);
                    categories = categories.or(CategorySet::of(&[category]));
                }
            }
        }
        if lacking.is_empty() {
            return Ok(0);
        }
        let session = self.read_own(patient, categories, (staff, Purpose::Operations)).await?;
        let mut count = 0;
        let records = session.newest(u64::MAX).filter_map(|record| {
            let id = self.keys.record_id(&record.metadata.kind, &record.metadata.id);
            let sequence = *lacking.get(&id)?;
            let is_patient = record.metadata.kind == "Patient" && !record.is_deletion();
            count += usize::from(is_patient);
            let tokens = match is_patient {
                true => self.patient_tokens(id, &record.resolved),
                // Of others only that they need not be looked at again.
                false => vec![self.indexed_mark(id)],
            };
            Some(Mark { sequence, tokens })
        });
        let marks: Vec<Mark> = records.collect();
        self.vault.store(Batch { marks, ..Batch::default() })?;
        Ok(count)
    }

    /// Says that the words of a record were written.
    fn indexed_mark(&self, record: RecordId) -> Token {
        self.keys.token("patient-indexed", &[&record.0])
    }
}

/// The answer to a question who somebody may be, as `Patient/$match` gives it.
pub fn matches_json(base: &str, answered: &Seen) -> Vec<u8> {
    let Seen { found, unseen } = answered;
    let mut answer = Answer::new(BundleKind::Searchset).total(found.len());
    for one in found {
        let Ok(record) = one.session.find("Patient", &one.id) else { continue };
        let full_url = format!("{base}/Patient/{}", one.id);
        let resource = record.resolved.bytes();
        let found = Match { full_url: &full_url, resource, mode: Mode::Match };
        answer.push_graded(&found, one.likeness.score, one.likeness.grade.code());
    }
    if *unseen > 0 {
        let text = format!("{unseen} who may be could not be looked at: ask again, or another way");
        let issue = Issue::error(IssueCode::Transient, "", text);
        let issue = Issue { severity: Severity::Warning, ..issue };
        answer.push_outcome(&fhir::outcome(&[issue]));
    }
    answer.finish()
}

/// Where `Patient` resources lie: among the demographics, unless a label says that they are
/// sensitive.
fn patients_lie_in() -> CategorySet {
    CategorySet::SENSITIVE.or(CategorySet::of(&[Category::Demographics]))
}
