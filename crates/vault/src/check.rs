//! What can be refused without looking at the store; the same for every store.

use proof::Hash;

use crate::{
    Batch, Conflict, CopyBatch, JobPart, KeptCase, KeptMessage, Mark, NewEmergency, NewRecord,
    PatientId, Place, Portrait, Reader, Run, SealedScope, Tally, VaultError,
    VaultError::Invalid,
    WantedErasure,
    limits::{
        ANCHOR_COUNT_MAX, BATCH_BYTES_MAX, BATCH_CASES_MAX, BATCH_ERASURES_MAX,
        BATCH_JOB_PARTS_MAX, BATCH_MESSAGES_MAX, BATCH_READERS_MAX, BATCH_RECORDS_MAX,
        BATCH_SCOPES_MAX, BATCH_TALLIES_MAX, CASE_BYTES_MAX, EMERGENCY_BYTES_MAX, EMERGENCY_MS_MAX,
        ERASURE_BYTES_MAX, ERASURE_RECORDS_MAX, ERASURE_RUNS_MAX, JOB_PART_BYTES_MAX,
        MESSAGE_BYTES_MAX, NAME_BYTES_MAX, PAGE_ITEMS_MAX, PORTRAIT_BYTES_MAX, READER_BYTES_MAX,
        SEAL_BYTES_MAX, SETTING_BYTES_MAX, SETTING_NAME_BYTES_MAX, TALLY_NAME_BYTES_MAX,
        TOKENS_MAX, WRAPPED_BYTES_MAX,
    },
};

pub(crate) fn batch(batch: &Batch) -> Result<(), VaultError> {
    counts(batch.scopes.len().max(batch.links.len()), batch.records.len())?;
    bytes(batch.records.iter().map(|record| record.envelope.as_bytes().len()))?;
    batch.records.iter().try_for_each(record)?;
    messages(&batch.messages)?;
    cases(&batch.cases, batch.relinks.len())?;
    batch.marks.iter().try_for_each(mark)?;
    portraits(&batch.portraits)?;
    readers(&batch.readers)?;
    tallies(&batch.tallies)?;
    erasures(&batch.erasures)?;
    job_parts(&batch.jobs)?;
    for scope in &batch.scopes {
        self::scope(&scope.sealed)?;
        require(scope.wrapped.len() <= WRAPPED_BYTES_MAX, "the wrapped scope secret is too large")?;
    }
    Ok(())
}

pub(crate) fn copies(batch: &CopyBatch) -> Result<(), VaultError> {
    counts(batch.scopes.len(), batch.records.len())?;
    bytes(batch.records.iter().map(|record| record.envelope.as_bytes().len()))?;
    batch.scopes.iter().try_for_each(scope)?;
    for record in &batch.records {
        require(record.place.version >= 1, "the first version of a record is 1")?;
        sequence(record.sequence)?;
    }
    Ok(())
}

pub(crate) fn anchor(first: u64, count: u32, log_index: u64) -> Result<(), VaultError> {
    sequence(first)?;
    sequence(log_index)?;
    require((1..=ANCHOR_COUNT_MAX).contains(&count), "an anchor has 1 to 4096 records")
}

/// Databases count in signed 64-bit integers; no honest number comes near.
pub(crate) fn sequence(sequence: u64) -> Result<(), VaultError> {
    require(sequence < 1 << 62, "the sequence number is out of range")
}

pub(crate) fn emergency(new: &NewEmergency) -> Result<(), VaultError> {
    let length_ms = new.until_ms.saturating_sub(new.from_ms);
    require(length_ms > 0, "an emergency ends after it begins")?;
    require(length_ms <= EMERGENCY_MS_MAX, "an emergency lasts at most four hours")?;
    require(new.until_ms < 1 << 62, "the time is out of range")?;
    require(new.body.len() <= EMERGENCY_BYTES_MAX, "the emergency's command is too large")
}

pub(crate) fn setting(name: &str, value: &[u8]) -> Result<(), VaultError> {
    require(!name.is_empty(), "a setting has a name")?;
    require(name.len() <= SETTING_NAME_BYTES_MAX, "the setting's name is too long")?;
    require(value.len() <= SETTING_BYTES_MAX, "the setting's value is too large")
}

/// Whether an epoch of a scope may follow the newest one, given with its patient.
pub(crate) fn scope_follows(
    newest: Option<(u32, PatientId)>,
    new: &SealedScope,
) -> Result<(), VaultError> {
    let Some((newest, patient)) = newest else {
        return require(new.back.is_none(), "the first epoch of a scope has none before it");
    };
    if new.epoch <= newest {
        return Err(Conflict::Epoch { scope: new.scope, newest, given: new.epoch }.into());
    }
    require(new.patient == patient, "the scope is another patient's")?;
    require(new.back.is_some(), "a later epoch of a scope must lead back to the one before")
}

/// Whether a record version may follow the latest one, which is 0 if there is none.
pub(crate) fn version_follows(latest: u32, place: &Place) -> Result<(), VaultError> {
    if Some(place.version) == latest.checked_add(1) {
        return Ok(());
    }
    Err(Conflict::Version { record: place.record, latest, given: place.version }.into())
}

/// Whether the scope epoch of a record is there, for the record's patient.
pub(crate) fn scope_known(patient: Option<PatientId>, place: &Place) -> Result<(), VaultError> {
    require(patient.is_some(), "the record's scope epoch is not known")?;
    require(patient == Some(place.patient), "the record's scope is another patient's")
}

/// Whether a custodian's scope epoch is the one that is held, if one is.
pub(crate) fn same_scope(
    held: Option<&SealedScope>,
    given: &SealedScope,
) -> Result<(), VaultError> {
    if held.is_some_and(|held| held != given) {
        return Err(Conflict::CopiedEpoch { scope: given.scope, epoch: given.epoch }.into());
    }
    Ok(())
}

/// The root of a batch: RFC 6962 over its commitments.
pub(crate) fn root(commitments: &[Hash]) -> Hash {
    let leaves: Vec<Hash> =
        commitments.iter().map(|commitment| proof::tree::leaf_hash(commitment)).collect();
    proof::tree::root(&leaves)
}

fn record(record: &NewRecord) -> Result<(), VaultError> {
    require(record.place.version >= 1, "the first version of a record is 1")?;
    require(record.tokens.len() <= TOKENS_MAX, "the record has too many look-up tokens")?;
    require(record.name.len() <= NAME_BYTES_MAX, "the record's name is too long")
}

fn messages(messages: &[KeptMessage]) -> Result<(), VaultError> {
    require(messages.len() <= BATCH_MESSAGES_MAX, "the batch has too many messages, split it")?;
    let is_short = |message: &KeptMessage| message.sealed.len() <= MESSAGE_BYTES_MAX;
    require(messages.iter().all(is_short), "the message is too large")
}

fn cases(cases: &[KeptCase], relinks: usize) -> Result<(), VaultError> {
    let count = cases.len().max(relinks);
    require(count <= BATCH_CASES_MAX, "the batch has too many cases or changed links, split it")?;
    let is_short = |case: &KeptCase| case.sealed.len() <= CASE_BYTES_MAX;
    require(cases.iter().all(is_short), "the case is too large")
}

fn mark(mark: &Mark) -> Result<(), VaultError> {
    require(mark.tokens.len() <= TOKENS_MAX, "the record has too many look-up tokens")?;
    sequence(mark.sequence)
}

fn portraits(portraits: &[Portrait]) -> Result<(), VaultError> {
    require(portraits.len() <= BATCH_RECORDS_MAX, "the batch has too many portraits, split it")?;
    let is_short = |portrait: &Portrait| portrait.sealed.len() <= PORTRAIT_BYTES_MAX;
    require(portraits.iter().all(is_short), "the portrait is too large")
}

fn readers(readers: &[Reader]) -> Result<(), VaultError> {
    require(readers.len() <= BATCH_READERS_MAX, "the batch has too many readers, split it")?;
    let is_short = |reader: &Reader| reader.sealed.len() <= READER_BYTES_MAX;
    require(readers.iter().all(is_short), "the name of the reader is too long")
}

fn tallies(tallies: &[Tally]) -> Result<(), VaultError> {
    require(tallies.len() <= BATCH_TALLIES_MAX, "the batch has too many tallies, split it")?;
    let is_short = |tally: &Tally| tally.sealed.len() <= TALLY_NAME_BYTES_MAX;
    require(tallies.iter().all(is_short), "the tally's name is too long")?;
    tallies.iter().try_for_each(|tally| sequence(tally.count))
}

fn erasures(erasures: &[WantedErasure]) -> Result<(), VaultError> {
    let is_few = erasures.len() <= BATCH_ERASURES_MAX;
    require(is_few, "the batch has too many orders to erase, split it")?;
    for WantedErasure { runs, sealed, .. } in erasures {
        self::runs(runs)?;
        let records: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
        require(!runs.is_empty(), "an order to erase names records")?;
        require(records <= ERASURE_RECORDS_MAX, "the order names too many records, split it")?;
        require(sealed.len() <= ERASURE_BYTES_MAX, "the order to erase is too large")?;
    }
    Ok(())
}

/// Runs in rising order that do not overlap.
pub(crate) fn runs(runs: &[Run]) -> Result<(), VaultError> {
    require(runs.len() <= ERASURE_RUNS_MAX, "there are too many runs of records")?;
    for run in runs {
        require(run.count >= 1, "a run has at least one record")?;
        sequence(run.end())?;
    }
    let apart = |pair: &[Run]| pair[0].end() <= pair[1].first;
    require(runs.windows(2).all(apart), "runs of records rise and do not overlap")
}

pub(crate) fn commitments(commitments: &[(u64, Hash)]) -> Result<(), VaultError> {
    require(commitments.len() <= PAGE_ITEMS_MAX, "there are too many commitments")?;
    commitments.iter().try_for_each(|(number, _)| sequence(*number))
}

fn job_parts(parts: &[JobPart]) -> Result<(), VaultError> {
    require(parts.len() <= BATCH_JOB_PARTS_MAX, "the batch has too many parts of jobs, split it")?;
    let is_short = |part: &JobPart| part.sealed.len() <= JOB_PART_BYTES_MAX;
    require(parts.iter().all(is_short), "the part of a job is too large")?;
    parts.iter().try_for_each(|part| sequence(part.part))
}

fn scope(scope: &SealedScope) -> Result<(), VaultError> {
    let back = scope.back.as_ref().map_or(0, Vec::len);
    require(!scope.seal.is_empty(), "a scope epoch has a seal")?;
    require(scope.seal.len() <= SEAL_BYTES_MAX, "the scope seal is too large")?;
    require(back <= SEAL_BYTES_MAX, "the link to the epoch before is too large")
}

fn counts(scopes: usize, records: usize) -> Result<(), VaultError> {
    require(scopes <= BATCH_SCOPES_MAX, "the batch has too many scopes or links, split it")?;
    require(records <= BATCH_RECORDS_MAX, "the batch has too many records, split it")
}

fn bytes(lengths: impl Iterator<Item = usize>) -> Result<(), VaultError> {
    require(lengths.sum::<usize>() <= BATCH_BYTES_MAX, "the batch has too many bytes, split it")
}

pub(crate) fn require(holds: bool, otherwise: &'static str) -> Result<(), VaultError> {
    if holds { Ok(()) } else { Err(Invalid(otherwise)) }
}
