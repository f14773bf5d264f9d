//! Exports: the records of many patients, one after the other, written to files
//! ([Bulk Data 2.0](https://hl7.org/fhir/uv/bulkdata/STU2/)).
//!
//! Every patient's records are read as always: an access of its own, receipt first, and what
//! the ledger denies is not there. Memory holds one patient at a time.
//!
//! # Layout
//!
//! - [`output`]: NDJSON by type
//!
//! An export ends with the process: its key is nowhere but in memory, and a folder that was left
//! behind is emptied at the next start. So nothing here must be durable, and a disk that is full
//! ends an export, not the node.

mod output;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fhir::{Issue, IssueCode, Severity, reference::Target};
use ledger::{CategorySet, PatientId, Purpose};
use serde_json::Value;
use vault::Version;
use zeroize::Zeroizing;

pub use crate::sealed::Reader;
use crate::{Busy, FlowError, Member, OpenedRecord, Reading, Session, limits, sealed, words::hex};
use output::Output;
pub use output::{ExportFile, Heading};

/// What is to be exported, for whom, and why.
#[derive(Clone)]
pub struct ExportOrder {
    /// Under which name the reader stands in receipts; only this reader gets the files.
    pub reader: String,
    /// What was asked, for the manifest.
    pub request: String,
    /// Whose records.
    pub whose: Whose,
    /// Why they are read.
    pub purpose: Purpose,
    /// What kinds of records are asked of the ledger.
    pub categories: CategorySet,
    /// Only what was stored or deleted since, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// What was asked for and is not done: the export says so.
    pub left_out: Vec<String>,
    /// Which of the records that an access opens belong into the export.
    pub fits: Fits,
}

impl ExportOrder {
    fn left_out_outcomes(&self) -> impl Iterator<Item = Value> {
        self.left_out.iter().map(|name| {
            let text = format!("`{name}` is not supported and was left out");
            let issue = Issue::error(IssueCode::NotSupported, "", text);
            fhir::outcome(&[Issue { severity: Severity::Warning, ..issue }])
        })
    }
}

/// Says whether a record belongs into an export.
pub type Fits = Arc<dyn Fn(&OpenedRecord) -> bool + Send + Sync>;

/// Whose records are exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of all patients of this hospital, and what is about no patient.
    Everybody,
    /// Those of all patients of this hospital.
    Patients,
    /// Those of these patients; and how many others were named who are not patients of this
    /// hospital.
    These(BTreeSet<PatientId>, u64),
}

/// The exports of a node.
pub struct Exports {
    member: Arc<Member>,
    folder: PathBuf,
    kept: Mutex<BTreeMap<String, Arc<Export>>>,
}

/// One export.
pub struct Export {
    /// Its name: 128 random bits, in hex.
    pub id: String,
    /// What was asked, for whom.
    pub order: ExportOrder,
    /// When it began, in milliseconds since the Unix epoch.
    pub begun_ms: u64,
    folder: PathBuf,
    key: sealed::Key,
    /// Whose records it may hold, and how many erasures there had been before the first.
    patients: Mutex<BTreeSet<PatientId>>,
    erasures_seen: usize,
    stage: Mutex<Stage>,
}

/// How far an export is.
#[derive(Clone, Debug)]
pub enum Stage {
    /// It reads.
    Running {
        /// How many patients are done.
        done: usize,
        /// How many there are; none while they are counted.
        total: Option<usize>,
    },
    /// It is there.
    Done {
        /// Its files.
        files: Arc<[ExportFile]>,
        /// When it goes, in milliseconds since the Unix epoch.
        expires_ms: u64,
    },
    /// It came to nothing.
    Failed {
        /// Why.
        why: String,
        /// When it is forgotten, in milliseconds since the Unix epoch.
        expires_ms: u64,
    },
    /// Nobody wants it any more.
    Removed,
}

/// Whom an export left out, and what of others.
#[derive(Default)]
struct Lacking {
    denied: u64,
    unread: u64,
    strangers: u64,
}

/// Why an export came to nothing.
struct Failed(String);

impl Exports {
    /// Takes a folder for files and empties it: what an earlier process wrote nobody can read.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub fn open(member: Arc<Member>, folder: PathBuf) -> io::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { member, folder, kept: Mutex::default() })
    }

    /// Whether a reader may begin another export now.
    ///
    /// # Errors
    /// [`Busy`] if it has too many, or too many are being written.
    pub fn has_room(&self, reader: &str) -> Result<(), Busy> {
        self.room(&self.kept(), reader)
    }

    fn room(&self, kept: &BTreeMap<String, Arc<Export>>, reader: &str) -> Result<(), Busy> {
        let running = kept.values().filter(|export| export.is_running()).count();
        if running >= limits::EXPORTS_RUNNING_MAX {
            return Err(Busy { retry_ms: RETRY_MS });
        }
        let own: Vec<_> = kept.values().filter(|export| export.order.reader == reader).collect();
        if own.len() < limits::EXPORTS_OF_ONE_MAX {
            return Ok(());
        }
        let now = self.member.world.clock.now_ms();
        let ends = own.iter().filter_map(|export| export.expires_ms());
        let first = ends.min().map_or(RETRY_MS, |end| end.saturating_sub(now));
        Err(Busy { retry_ms: first.max(RETRY_MS) })
    }

    /// Begins an export. Nothing is read until it [runs](Self::run).
    ///
    /// # Errors
    /// [`Busy`] as for [`has_room`](Self::has_room).
    pub fn begin(&self, order: ExportOrder) -> Result<Arc<Export>, Busy> {
        let mut kept = self.kept();
        self.room(&kept, &order.reader)?;
        let world = &self.member.world;
        let id = hex(&world.draw::<16>());
        let export = Arc::new(Export {
            folder: self.folder.join(&id),
            order,
            begun_ms: world.clock.now_ms(),
            key: Zeroizing::new(world.draw()),
            patients: Mutex::default(),
            erasures_seen: self.member.erasures_seen(),
            stage: Mutex::new(Stage::Running { done: 0, total: None }),
            id: id.clone(),
        });
        kept.insert(id, export.clone());
        Ok(export)
    }

    /// An export of this reader.
    pub fn find(&self, id: &str, reader: &str) -> Option<Arc<Export>> {
        let now = self.member.world.clock.now_ms();
        let export = self.kept().get(id).cloned()?;
        if self.holds_erased(&export) {
            self.remove(&export);
            return None;
        }
        let is_there = export.expires_ms().is_none_or(|end| now < end);
        (export.order.reader == reader && is_there).then_some(export)
    }

    /// Removes what has waited long enough, for as long as the node runs.
    pub async fn sweep(&self) {
        loop {
            self.member.world.clock.sleep(limits::EXPORT_SWEEP_MS).await;
            let now = self.member.world.clock.now_ms();
            let has_ended = |export: &&Arc<Export>| {
                export.expires_ms().is_some_and(|end| end <= now) || self.holds_erased(export)
            };
            let ended: Vec<_> = self.kept().values().filter(has_ended).cloned().collect();
            ended.iter().for_each(|export| self.remove(export));
        }
    }

    /// Whether something in it may have been erased since it was read.
    fn holds_erased(&self, export: &Export) -> bool {
        let patients = export.patients.lock().unwrap_or_else(PoisonError::into_inner);
        self.member.were_erased_since(export.erasures_seen, &patients)
    }

    /// Ends an export, wherever it is, and removes its files.
    pub fn remove(&self, export: &Export) {
        export.put_stage(Stage::Removed);
        self.kept().remove(&export.id);
        // Without its folder a running export can begin no file any more.
        if let Err(error) = fs::remove_dir_all(&export.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the files of an export cannot be removed");
        }
    }

    /// Writes an export.
    pub async fn run(&self, export: Arc<Export>) {
        let outcome = self.write(&export).await;
        let expires_ms = self.member.world.clock.now_ms() + limits::EXPORT_KEPT_MS;
        match outcome {
            Ok(files) => export.put_stage(Stage::Done { files: files.into(), expires_ms }),
            Err(_) if export.is_removed() => {}
            Err(Failed(why)) => {
                tracing::warn!(why, "an export failed");
                export.put_stage(Stage::Failed { why, expires_ms });
            }
        }
        if export.is_removed() {
            self.remove(&export);
        }
    }

    async fn write(&self, export: &Export) -> Result<Vec<ExportFile>, Failed> {
        let (patients, strangers) = self.member.patients_of(&export.order.whose)?;
        let total = Some(patients.len());
        fs::create_dir(&export.folder)?;
        let mut output = Output::new(export.folder.clone(), export.key.clone());
        let mut lacking = Lacking { strangers, ..Lacking::default() };
        for (done, patient) in patients.into_iter().enumerate() {
            export.put_stage(Stage::Running { done, total });
            if export.is_removed() {
                return Err(Failed("nobody wants it any more".to_owned()));
            }
            export.holds(patient);
            self.write_patient(export, patient, &mut output, &mut lacking).await?;
            if output.bytes() > limits::EXPORT_BYTES_MAX {
                let max = limits::EXPORT_BYTES_MAX;
                let why = format!("an export has at most {max} bytes: ask for fewer types");
                return Err(Failed(why));
            }
        }
        export.order.left_out_outcomes().try_for_each(|outcome| output.push_outcome(&outcome))?;
        lacking.outcomes().iter().try_for_each(|outcome| output.push_outcome(outcome))?;
        Ok(output.finish()?)
    }

    /// One patient: an access, what it opens, its end; and the same for what was filed before the
    /// patient was linked to this account.
    async fn write_patient(
        &self,
        export: &Export,
        patient: PatientId,
        output: &mut Output,
        lacking: &mut Lacking,
    ) -> Result<(), Failed> {
        let Some(session) = self.read_account(export, patient, lacking).await? else {
            return Ok(());
        };
        let before = self.member.people().map(|people| people.accounts_before(patient))?;
        let mut sessions = Vec::new();
        for account in before {
            export.holds(account);
            let read = self.read_account(export, account, lacking).await?;
            sessions.extend(read.map(Arc::new));
        }
        let joined = session.beside(&sessions);
        let is_elsewhere = |record: &OpenedRecord| {
            // Whoever cannot be asked is told what the patient's own records say.
            self.member.is_exported_elsewhere(record, &export.order).unwrap_or(false)
        };
        let written = export.write_session(&joined, is_elsewhere, output);
        for session in sessions.iter().map(|session| &**session).chain([&session]) {
            if let Err(error) = self.member.close(session).await {
                tracing::warn!(%error, "an access of an export was not closed: it ends by itself");
            }
        }
        Ok(written?)
    }

    /// What an access opens; none if there is none, which is counted.
    async fn read_account(
        &self,
        export: &Export,
        patient: PatientId,
        lacking: &mut Lacking,
    ) -> Result<Option<Session>, Failed> {
        let order = &export.order;
        let reading = Reading {
            patient,
            categories: order.categories,
            // What another hospital keeps has that one's ids, which may be other people's here.
            custodians: vec![self.member.id],
            purpose: order.purpose,
            staff: order.reader.clone(),
            duration_ms: limits::EXPORT_ACCESS_MS,
            emergency: None,
        };
        match self.member.read_once(reading).await {
            Ok(session) => return Ok(Some(session)),
            Err(FlowError::Denied(_)) => lacking.denied += 1,
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "an export could not read a patient's records");
                lacking.unread += 1;
            }
        }
        Ok(None)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Export>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Export {
    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time of the export for the manifest, in milliseconds since the Unix epoch: what was
    /// stored before it is in this export, and what was stored since is in the next one that names
    /// this time as `_since`.
    pub fn transaction_ms(&self) -> u64 {
        self.begun_ms.saturating_sub(limits::EXPORT_SETTLE_MS)
    }

    /// One of its files, when it is done.
    pub fn file(&self, number: u32) -> Option<ExportFile> {
        let Stage::Done { files, .. } = self.stage() else { return None };
        files.iter().find(|file| file.number == number).cloned()
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// If it is not there any more.
    pub fn open(&self, file: &ExportFile) -> io::Result<Reader> {
        let path = self.folder.join(file.number.to_string());
        Reader::open(&path, &self.key, file.number, file.bytes)
    }

    /// Writes what belongs into the export: the latest versions as they were when it began. What
    /// ended where it lay, and is filed elsewhere in this export, is told there alone.
    fn write_session(
        &self,
        session: &Session,
        is_elsewhere: impl Fn(&OpenedRecord) -> bool,
        output: &mut Output,
    ) -> io::Result<()> {
        let since_ms = self.order.since_ms.unwrap_or(0);
        let mut deleted = Vec::new();
        let newest = session.newest(self.begun_ms);
        for record in newest.filter(|record| record.metadata.stored_ms >= since_ms) {
            if !record.is_deletion() {
                if (self.order.fits)(record) {
                    output.push(record)?;
                }
            } else if session.before(record).is_some_and(|before| (self.order.fits)(before))
                && !is_elsewhere(record)
            {
                // A deletion has no content: it is told to whoever would have got the one before.
                deleted.push(format!("{}/{}", record.metadata.kind, record.metadata.id));
            }
        }
        match self.order.since_ms {
            Some(_) => output.push_deleted(&deleted),
            None => Ok(()),
        }
    }

    /// Notes an account that is read: if its records are erased, the export goes.
    fn holds(&self, patient: PatientId) {
        self.patients.lock().unwrap_or_else(PoisonError::into_inner).insert(patient);
    }

    /// When it goes, in milliseconds since the Unix epoch; none while it is written.
    fn expires_ms(&self) -> Option<u64> {
        match self.stage() {
            Stage::Done { expires_ms, .. } | Stage::Failed { expires_ms, .. } => Some(expires_ms),
            Stage::Running { .. } | Stage::Removed => None,
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.stage(), Stage::Running { .. })
    }

    fn is_removed(&self) -> bool {
        matches!(self.stage(), Stage::Removed)
    }

    /// The next stage; nothing follows the removal.
    fn put_stage(&self, stage: Stage) {
        let mut place = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*place, Stage::Removed) {
            *place = stage;
        }
    }
}

impl Lacking {
    /// What is told: how many, never who.
    fn outcomes(&self) -> Vec<Value> {
        let said = [
            (
                self.denied,
                Severity::Information,
                IssueCode::Forbidden,
                "patients are left out: their consent does not allow this",
            ),
            (
                self.unread,
                Severity::Error,
                IssueCode::Transient,
                "patients could not be read now: export again",
            ),
            (
                self.strangers,
                Severity::Information,
                IssueCode::NotFound,
                "members of the group are not patients of this hospital",
            ),
        ];
        let said = said.into_iter().filter(|(count, ..)| *count > 0);
        let outcome = |(count, severity, code, text): (u64, Severity, IssueCode, &str)| {
            let text = format!("{count} {text}");
            fhir::outcome(&[Issue { severity, ..Issue::error(code, "", text) }])
        };
        said.map(outcome).collect()
    }
}

impl Member {
    /// The patients that a `Group` resource of this hospital names, read under an access of its
    /// own. Members that are no patients of this hospital, groups in groups among them, are
    /// counted.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the access opens no such group.
    pub async fn patients_of_group(&self, reading: Reading, id: &str) -> Result<Whose, FlowError> {
        let session = self.read_once(reading).await?;
        let members = session.find("Group", id).map(|group| named_members(group.resolved.value()));
        self.close(&session).await?;
        let (mut patients, mut strangers) = (BTreeSet::new(), 0);
        for member in members? {
            let account = match &member {
                Some(local_id) => self.account_of(local_id)?,
                None => None,
            };
            match account {
                Some(patient) => drop(patients.insert(patient)),
                None => strangers += 1,
            }
        }
        Ok(Whose::These(patients, strangers))
    }

    /// Whether a record that ended where it lay is filed for another patient now, or in another
    /// category, and exported there: an export names nothing both as there and as gone.
    fn is_exported_elsewhere(
        &self,
        record: &OpenedRecord,
        order: &ExportOrder,
    ) -> Result<bool, FlowError> {
        let id = self.keys.record_id(&record.metadata.kind, &record.metadata.id);
        let Some(latest) = self.vault.record(id, Version::Latest)? else { return Ok(false) };
        let patient = PatientId(latest.place.patient);
        let is_asked = match &order.whose {
            Whose::These(patients, _) => patients.contains(&patient),
            Whose::Patients => patient != self.house(),
            Whose::Everybody => true,
        };
        let categories = order.categories;
        let is_covered =
            self.category_of(&latest.place).is_some_and(|one| categories.contains(one));
        Ok(is_asked && is_covered && !self.is_deleted(id)?)
    }

    /// Whose records an export reads, and how many were named who are not here.
    fn patients_of(&self, whose: &Whose) -> Result<(BTreeSet<PatientId>, u64), Failed> {
        match whose {
            Whose::These(patients, strangers) => Ok((patients.clone(), *strangers)),
            Whose::Patients => Ok((self.linked_patients()?, 0)),
            Whose::Everybody => {
                let mut patients = self.linked_patients()?;
                patients.insert(self.house());
                Ok((patients, 0))
            }
        }
    }

    /// The accounts of all patients of this hospital.
    fn linked_patients(&self) -> Result<BTreeSet<PatientId>, Failed> {
        let mut patients = BTreeSet::new();
        let mut after = None;
        loop {
            let links = self.vault.links_after(after, usize::MAX).map_err(FlowError::from)?;
            let Some(last) = links.last() else { return Ok(patients) };
            after = Some(last.token);
            patients.extend(links.iter().map(|link| PatientId(link.patient)));
            if patients.len() > limits::EXPORT_PATIENTS_MAX {
                let max = limits::EXPORT_PATIENTS_MAX;
                let why = format!("an export has at most {max} patients: export groups instead");
                return Err(Failed(why));
            }
        }
    }
}

/// The members of a group that are in it now: the id of a patient, or none for what is no patient.
fn named_members(group: &Value) -> Vec<Option<String>> {
    let members = group["member"].as_array().into_iter().flatten();
    let active = members.filter(|member| member["inactive"] != true);
    let named = active.map(|member| {
        let target = Target::parse(member["entity"]["reference"].as_str()?)?;
        (target.resource_type.name() == "Patient").then_some(target.id)
    });
    named.collect()
}

impl From<FlowError> for Failed {
    fn from(error: FlowError) -> Self {
        Failed(error.to_string())
    }
}

/// A disk that is full, or a folder that is gone with its export.
impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed(format!("the files cannot be written: {error}"))
    }
}

/// When to ask again if nothing tells better, in milliseconds.
const RETRY_MS: u64 = 10_000;
