//! A vault on one disk: SQLite for rows, files for large envelopes.
//!
//! A folder holds `vault.sqlite` (with its write-ahead log beside it), `blobs/` and `lock`, which
//! one process at a time holds. Write-ahead log, `synchronous=FULL`: a commit is on the disk, in
//! the sense of `fsync`, before anybody is told. One thread writes (`writer.rs`), any number read.
//!
//! *Trust:* the files are trusted for availability and order, never for content. Whoever edits them
//! can make records vanish or damaged, which copies mend; move an envelope, which then does not
//! open; change a commitment, which then fails against its anchor or never gets one; link a token
//! to another patient, so that *new* records go to the wrong account until somebody looks (the
//! operator must guard the disk of a running node as he guards its memory); and forget local
//! emergency receipts that were not submitted. He reads nothing: no key is here but the wrapped
//! scope secrets.

mod failure;
mod read;
mod readers;
mod rows;
mod schema;
mod write;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    sync::Arc,
};

use proof::Hash;
use rusqlite::Connection;

use self::{
    failure::{Failure, Fatal},
    read::Select,
    readers::Readers,
    rows::{Body, Held},
    write::{PlacedBatch, PlacedCopies, PlacedRecord},
    writer::Writer,
};
use crate::{
    AnchoredBatch, Batch, CopyBatch, Counts, EmergencyEntry, Envelope, Erased, JobPart, KeptCase,
    KeptMessage, Link, LocalEmergency, MemberId, MessageCounts, NewEmergency, NewRecord, OwnScope,
    PatientId, RecordId, ScopeTag, SealedRecord, SealedScope, Stored, Tally, Token, Vault,
    VaultError, Version, Versions, WantedErasure,
    blobs::{self, Blob, Blobs},
    check,
    limits::PAGE_ITEMS_MAX,
};

/// A vault in a folder.
pub struct Sqlite {
    // Dropped in this order: the writer folds the log into the main file when it is the last
    // connection.
    readers: Readers,
    writer: Writer,
    blobs: Arc<Blobs>,
    fatal: Fatal,
    /// Held until the end.
    _lock: Lock,
}

impl Sqlite {
    /// Opens the vault in a folder, making it if need be; removes what a crash left half done.
    ///
    /// # Errors
    /// [`VaultError::Unopened`] if another process has it open, the file system or the files are
    /// not fit, or the chain of local emergency receipts is broken.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        Self::open_folder(folder).map_err(|failure| match failure {
            Failure::Refused(error) => VaultError::Unopened(error.to_string()),
            Failure::Broken(why) => VaultError::Unopened(format!("{}: {why}", folder.display())),
        })
    }

    fn open_folder(folder: &Path) -> Result<Self, Failure> {
        schema::check_library()?;
        fs::create_dir_all(folder)?;
        let lock = Lock::take(folder)?;
        let path = folder.join("vault.sqlite");
        let mut connection = Connection::open(&path)?;
        schema::writer(&connection)?;
        schema::migrate(&mut connection)?;
        let generation = schema::next_generation(&connection)?;
        let blobs = Arc::new(Blobs::open(folder.join("blobs"), generation)?);
        blobs.sweep(|name| read::blob_is_named(&connection, name))?;
        check_emergencies(&connection)?;
        // A crash may have left the log with what was erased.
        writer::clear_log(&connection)?;
        blobs::sync_folder(folder)?;
        let fatal = Fatal::default();
        let writer = Writer::start(connection, fatal.clone())?;
        Ok(Self { readers: Readers::new(path), writer, blobs, fatal, _lock: lock })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, VaultError> {
        self.fatal.check()?;
        self.readers.read(work).map_err(|failure| self.fatal.answer(failure))
    }

    fn select(
        &self,
        select: &Select,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        self.read(|connection| read::select(connection, &self.blobs, select, versions, from, max))
    }

    /// Puts envelopes where their sizes say, and files first: a file must be durable before its row
    /// is.
    fn place(&self, envelope: Envelope, files: &mut Vec<Blob>) -> Result<Body, VaultError> {
        self.fatal.check()?;
        let body = Body::place(envelope, &self.blobs);
        let body = body.map_err(|error| self.fatal.note(format!("writing a blob: {error}")))?;
        files.extend(body.file().cloned());
        Ok(body)
    }

    /// Removes files that no row names. What cannot be removed now is swept at the next opening.
    fn discard(&self, files: &[Blob]) {
        for blob in files {
            let _ = self.blobs.remove(&blob.name);
        }
    }

    /// Removes the files of what was erased; if that fails, nobody may think that they are gone.
    fn unlink(&self, (count, files): (u64, Vec<String>)) -> Result<u64, VaultError> {
        let erased = self.blobs.erase(&files);
        erased.map_err(|error| self.fatal.note(format!("erasing a blob: {error}")))?;
        Ok(count)
    }

    /// Removes the files of a refused batch. After a failure nobody knows what is durable: they
    /// stay.
    fn settle<T>(&self, files: &[Blob], outcome: &Result<T, VaultError>) {
        if matches!(outcome, Err(VaultError::Conflict(_) | VaultError::Invalid(_))) {
            self.discard(files);
        }
    }
}

impl Vault for Sqlite {
    fn store(&self, mut batch: Batch) -> Result<Stored, VaultError> {
        check::batch(&batch)?;
        let mut files = Vec::new();
        let mut records = Vec::with_capacity(batch.records.len());
        for new in std::mem::take(&mut batch.records) {
            let NewRecord { place, commitment, envelope, tokens, name } = new;
            let body = self.place(envelope, &mut files)?;
            records.push(PlacedRecord { place, commitment, body, tokens, name });
        }
        let messages = batch.messages.iter().map(|message| message.sealed.len());
        let cases = batch.cases.iter().map(|case| case.sealed.len());
        let jobs = batch.jobs.iter().map(|part| part.sealed.len());
        let kept = messages.chain(cases).chain(jobs).sum::<usize>();
        let bytes = kept + records.iter().map(|record| record.body.row_bytes()).sum::<usize>();
        let placed = PlacedBatch { records, rest: batch };
        let outcome = self.writer.call(bytes, move |connection| write::store(connection, &placed));
        self.settle(&files, &outcome);
        outcome
    }

    fn latest_version(&self, record: RecordId) -> Result<Option<u32>, VaultError> {
        self.read(|connection| read::latest_version(connection, record))
    }

    fn last_version(&self, record: RecordId) -> Result<u32, VaultError> {
        self.read(|connection| read::last_version(connection, record))
    }

    fn record(
        &self,
        record: RecordId,
        version: Version,
    ) -> Result<Option<SealedRecord>, VaultError> {
        self.read(|connection| read::record(connection, &self.blobs, record, version))
    }

    fn history(
        &self,
        record: RecordId,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        self.select(&Select::Record(record), Versions::All, from, max)
    }

    fn records_of_scope(
        &self,
        scope: ScopeTag,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        self.select(&Select::Scope(scope), versions, from, max)
    }

    fn records_of_patient(
        &self,
        patient: PatientId,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        self.select(&Select::Patient(patient), versions, from, max)
    }

    fn records_by_token(
        &self,
        token: Token,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        self.select(&Select::Token(token), versions, from, max)
    }

    fn are_known(&self, tokens: &[Token]) -> Result<Vec<bool>, VaultError> {
        self.read(|connection| read::are_known(connection, tokens))
    }

    fn records_from(&self, from: u64, max: usize) -> Result<Vec<SealedRecord>, VaultError> {
        self.select(&Select::All, Versions::All, from, max)
    }

    fn scope(&self, scope: ScopeTag) -> Result<Vec<OwnScope>, VaultError> {
        self.read(|connection| read::scopes(connection, read::Scopes::Tag(scope)))
    }

    fn scopes_of_patient(&self, patient: PatientId) -> Result<Vec<OwnScope>, VaultError> {
        self.read(|connection| read::scopes(connection, read::Scopes::Patient(patient)))
    }

    fn name(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError> {
        self.read(|connection| read::name(connection, record))
    }

    fn patient_by_token(&self, token: Token) -> Result<Option<PatientId>, VaultError> {
        self.read(|connection| read::patient_by_token(connection, token))
    }

    fn links_after(&self, after: Option<Token>, max: usize) -> Result<Vec<Link>, VaultError> {
        self.read(|connection| read::links_after(connection, after, max))
    }

    fn unanchored(&self, max: usize) -> Result<Vec<(u64, Hash)>, VaultError> {
        self.read(|connection| read::unanchored(connection, max))
    }

    fn mark_anchored(
        &self,
        first: u64,
        count: u32,
        root: Hash,
        log_index: u64,
    ) -> Result<(), VaultError> {
        check::anchor(first, count, log_index)?;
        self.writer.call(0, move |connection| {
            write::mark_anchored(connection, first, count, root, log_index)
        })
    }

    fn batch_of(&self, sequence: u64) -> Result<Option<AnchoredBatch>, VaultError> {
        self.read(|connection| read::batch_of(connection, sequence))
    }

    fn keep_copy(&self, batch: CopyBatch) -> Result<(), VaultError> {
        check::copies(&batch)?;
        let mut files = Vec::new();
        let mut records = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            let body = self.place(record.envelope, &mut files)?;
            let SealedRecord { sequence, place, commitment, .. } = record;
            records.push(Held { sequence, place, commitment, body });
        }
        let bytes = records.iter().map(|record| record.body.row_bytes()).sum();
        let (custodian, scopes) = (batch.custodian, batch.scopes);
        let (placed, blobs) = (PlacedCopies { custodian, scopes, records }, self.blobs.clone());
        let outcome = self
            .writer
            .call(bytes, move |connection| write::keep_copy(connection, &placed, &blobs));
        self.settle(&files, &outcome);
        self.discard(&outcome?);
        Ok(())
    }

    fn copies_of_patient(
        &self,
        custodian: MemberId,
        patient: PatientId,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let whose = (custodian, patient);
        self.read(|connection| {
            read::copies_of_patient(connection, &self.blobs, whose, versions, from, max)
        })
    }

    fn copied_scopes_of_patient(
        &self,
        custodian: MemberId,
        patient: PatientId,
    ) -> Result<Vec<SealedScope>, VaultError> {
        self.read(|connection| read::copied_scopes_of_patient(connection, custodian, patient))
    }

    fn copied_commitments(
        &self,
        custodian: MemberId,
        first: u64,
        count: u32,
    ) -> Result<Option<Vec<Hash>>, VaultError> {
        check::anchor(first, count, 0)?;
        self.read(|connection| read::copied_commitments(connection, custodian, first, count))
    }

    fn copy_cursor(&self, peer: MemberId) -> Result<u64, VaultError> {
        self.read(|connection| read::copy_cursor(connection, peer))
    }

    fn advance_copy_cursor(&self, peer: MemberId, next: u64) -> Result<(), VaultError> {
        self.writer.call(0, move |connection| write::advance_copy_cursor(connection, peer, next))
    }

    fn wanted_erasures(
        &self,
        after: Option<Token>,
        max: usize,
    ) -> Result<Vec<WantedErasure>, VaultError> {
        self.read(|connection| read::wanted_erasures(connection, after, max))
    }

    fn keep_wanted(&self, token: Token) -> Result<(), VaultError> {
        self.writer.call(0, move |connection| write::keep_wanted(connection, token))
    }

    fn erase(&self, erased: &Erased) -> Result<u64, VaultError> {
        check::runs(&erased.runs)?;
        let erased = erased.clone();
        let gone = self.writer.erase(move |connection| write::erase(connection, &erased));
        self.unlink(gone?)
    }

    fn erase_copies(&self, custodian: MemberId, erased: &Erased) -> Result<u64, VaultError> {
        check::runs(&erased.runs)?;
        let erased = erased.clone();
        let gone = self
            .writer
            .erase(move |connection| write::erase_copies(connection, custodian, &erased));
        self.unlink(gone?)
    }

    fn is_erased(
        &self,
        custodian: MemberId,
        patient: PatientId,
        sequence: u64,
    ) -> Result<bool, VaultError> {
        self.read(|connection| match read::peer(connection, custodian)? {
            Some(peer) => read::is_erased(connection, peer, patient, sequence),
            None => Ok(false),
        })
    }

    fn erased_between(&self, from: u64, to: u64) -> Result<Vec<(u64, Hash)>, VaultError> {
        self.read(|connection| read::erased_between(connection, from, to))
    }

    fn keep_commitments(
        &self,
        custodian: MemberId,
        commitments: &[(u64, Hash)],
    ) -> Result<(), VaultError> {
        check::commitments(commitments)?;
        let commitments = commitments.to_vec();
        self.writer
            .call(0, move |connection| write::keep_commitments(connection, custodian, &commitments))
    }

    fn declare_emergency(&self, emergency: NewEmergency) -> Result<LocalEmergency, VaultError> {
        check::emergency(&emergency)?;
        let bytes = emergency.body.len();
        let entry =
            self.writer.call(bytes, move |connection| write::emergency(connection, emergency))?;
        Ok(LocalEmergency::durable(entry))
    }

    fn emergencies(&self, from: u64, max: usize) -> Result<Vec<EmergencyEntry>, VaultError> {
        self.read(|connection| read::emergencies(connection, from, max))
    }

    fn message(&self, token: Token) -> Result<Option<KeptMessage>, VaultError> {
        self.read(|connection| read::message(connection, token))
    }

    fn messages_waiting(
        &self,
        from: u64,
        max: usize,
    ) -> Result<Vec<(u64, KeptMessage)>, VaultError> {
        self.read(|connection| read::messages_waiting(connection, from, max))
    }

    fn message_counts(&self, feed: Token) -> Result<MessageCounts, VaultError> {
        self.read(|connection| read::message_counts(connection, feed))
    }

    fn case(&self, token: Token) -> Result<Option<(u64, KeptCase)>, VaultError> {
        self.read(|connection| read::case(connection, token))
    }

    fn cases(&self, from: u64, max: usize) -> Result<Vec<(u64, KeptCase)>, VaultError> {
        self.read(|connection| read::cases(connection, from, max))
    }

    fn reader(&self, access: [u8; 32]) -> Result<Option<Vec<u8>>, VaultError> {
        self.read(|connection| read::reader(connection, access))
    }

    fn portrait(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError> {
        self.read(|connection| read::portrait(connection, record))
    }

    fn tallies(&self, from_day: u32) -> Result<Vec<Tally>, VaultError> {
        self.read(|connection| read::tallies(connection, from_day))
    }

    fn jobs(&self) -> Result<Vec<JobPart>, VaultError> {
        self.read(read::jobs)
    }

    fn job_parts(&self, job: Token, from: u64, max: usize) -> Result<Vec<JobPart>, VaultError> {
        self.read(|connection| read::job_parts(connection, job, from, max))
    }

    fn forget_job(&self, job: Token) -> Result<(), VaultError> {
        self.writer.call(0, move |connection| write::forget_job(connection, job))
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        self.read(|connection| read::setting(connection, name))
    }

    fn put_setting(&self, name: &str, value: &[u8]) -> Result<(), VaultError> {
        check::setting(name, value)?;
        let (name, value) = (name.to_owned(), value.to_vec());
        self.writer.call(value.len(), move |connection| write::setting(connection, &name, &value))
    }

    fn counts(&self) -> Result<Counts, VaultError> {
        self.read(read::counts)
    }
}

/// Keeps a second process out: two would sweep each other's blobs.
struct Lock(File);

impl Lock {
    fn take(folder: &Path) -> Result<Self, Failure> {
        let file = File::create(folder.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::Broken("another process has it open, stop that one first".into()))
            }
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is being forked holds the lock too, until it
    /// starts its program.
    fn drop(&mut self) {
        // Whoever comes next finds out if it is still locked.
        let _ = self.0.unlock();
    }
}

/// Walks the chain of local emergency receipts once.
fn check_emergencies(connection: &Connection) -> Result<(), Failure> {
    let mut last: Option<EmergencyEntry> = None;
    loop {
        let from = last.as_ref().map_or(0, |entry| entry.sequence + 1);
        let page = read::emergencies(connection, from, PAGE_ITEMS_MAX)?;
        if page.is_empty() {
            return Ok(());
        }
        for entry in page {
            if !entry.follows(last.as_ref()) {
                let number = entry.sequence;
                let why = format!("the chain of local emergency receipts is broken at {number}");
                return Err(Failure::Broken(why));
            }
            last = Some(entry);
        }
    }
}
