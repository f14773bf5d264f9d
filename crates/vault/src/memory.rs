//! A vault that forgets: the same promises as on disk, but for durability. For tests and
//! simulations.
//!
//! *Trust:* it is as safe as the process; nobody can edit it without being the node.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Mutex, MutexGuard},
};

use proof::Hash;

use crate::{
    AnchoredBatch, Batch, Conflict, CopyBatch, Counts, EmergencyEntry, Erased, JobPart, KeptCase,
    KeptMessage, Link, LocalEmergency, Mark, MemberId, MessageCounts, NewEmergency, NewRecord,
    OwnScope, PatientId, Place, RecordId, Relink, Run, ScopeTag, SealedRecord, SealedScope, Stored,
    Tally, Token, Vault, VaultError, Version, Versions, WantedErasure, case, check,
    check::require,
    limits::{PAGE_BYTES_MAX, PAGE_ITEMS_MAX},
    message,
};

mod state;

/// A vault in memory.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
}

impl Memory {
    /// An empty vault.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, VaultError> {
        self.state.lock().map_err(|_| VaultError::Fatal("a thread panicked in it".into()))
    }
}

impl Vault for Memory {
    fn store(&self, batch: Batch) -> Result<Stored, VaultError> {
        check::batch(&batch)?;
        let mut state = self.state()?;
        state.admit(&batch)?;
        let stored = Stored { first: state.next_sequence(), count: batch.records.len() as u32 };
        for scope in batch.scopes {
            state.scopes.insert((scope.sealed.scope, scope.sealed.epoch), scope);
        }
        state.links.extend(batch.links.iter().map(|link| (link.token, link.patient)));
        state.links.extend(batch.relinks.iter().map(|relink| (relink.token, relink.to)));
        batch.records.into_iter().for_each(|record| state.push(record));
        // What is erased is not marked any more.
        let is_held = |state: &State, mark: &Mark| state.records.contains_key(&mark.sequence);
        for mark in batch.marks {
            if !is_held(&state, &mark) {
                continue;
            }
            state.by_token.extend(mark.tokens.into_iter().map(|token| (token, mark.sequence)));
        }
        batch.cases.into_iter().for_each(|case| state.keep_case(case));
        batch.messages.into_iter().for_each(|message| state.keep(message));
        let portraits = batch.portraits.into_iter();
        state.portraits.extend(portraits.map(|portrait| (portrait.record, portrait.sealed)));
        for Tally { day, token, sealed, count } in batch.tallies {
            state.tallies.entry((day, token)).or_insert((sealed, 0)).1 += count;
        }
        for wanted in batch.erasures {
            state.hidden.extend(wanted.runs.iter().flat_map(|run| run.first..run.end()));
            state.wanted.insert(wanted.token, wanted);
        }
        let jobs = batch.jobs.into_iter();
        state.jobs.extend(jobs.map(|part| ((part.job, part.part), part.sealed)));
        for reader in batch.readers {
            state.readers.entry(reader.access).or_insert(reader.sealed);
        }
        Ok(stored)
    }

    fn latest_version(&self, record: RecordId) -> Result<Option<u32>, VaultError> {
        Ok(self.state()?.latest(record))
    }

    fn last_version(&self, record: RecordId) -> Result<u32, VaultError> {
        Ok(self.state()?.last(record))
    }

    fn record(
        &self,
        record: RecordId,
        version: Version,
    ) -> Result<Option<SealedRecord>, VaultError> {
        let state = self.state()?;
        let mut versions = state.visible_versions(record);
        let found = match version {
            Version::Latest => versions.last(),
            Version::At(at) => versions.find(|found| found.place.version == at),
        };
        Ok(found.cloned())
    }

    fn history(
        &self,
        record: RecordId,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        let versions = state.visible_versions(record);
        Ok(page(versions.filter(|version| version.sequence >= from), max))
    }

    fn records_of_scope(
        &self,
        scope: ScopeTag,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        Ok(state.select(state.by_scope.range((scope, from)..=(scope, u64::MAX)), versions, max))
    }

    fn records_of_patient(
        &self,
        patient: PatientId,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        Ok(state.select(
            state.by_patient.range((patient, from)..=(patient, u64::MAX)),
            versions,
            max,
        ))
    }

    fn records_by_token(
        &self,
        token: Token,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        Ok(state.select(state.by_token.range((token, from)..=(token, u64::MAX)), versions, max))
    }

    fn are_known(&self, tokens: &[Token]) -> Result<Vec<bool>, VaultError> {
        let state = self.state()?;
        let is_known = |token: &Token| {
            let mut carriers = state.by_token.range((*token, 0)..=(*token, u64::MAX));
            carriers.any(|(_, sequence)| state.visible(*sequence).is_some())
        };
        Ok(tokens.iter().map(is_known).collect())
    }

    fn records_from(&self, from: u64, max: usize) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        let records = state.records.range(from..).filter_map(|(at, _)| state.visible(*at));
        Ok(page(records, max))
    }

    fn scope(&self, scope: ScopeTag) -> Result<Vec<OwnScope>, VaultError> {
        let state = self.state()?;
        Ok(state.scopes.range((scope, 0)..=(scope, u32::MAX)).map(|(_, own)| own.clone()).collect())
    }

    fn scopes_of_patient(&self, patient: PatientId) -> Result<Vec<OwnScope>, VaultError> {
        let state = self.state()?;
        let of_patient = |own: &&OwnScope| own.sealed.patient == patient;
        Ok(state.scopes.values().filter(of_patient).cloned().collect())
    }

    fn name(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError> {
        let state = self.state()?;
        Ok(state.latest(record).and_then(|_| state.names.get(&record).cloned()))
    }

    fn patient_by_token(&self, token: Token) -> Result<Option<PatientId>, VaultError> {
        Ok(self.state()?.links.get(&token).copied())
    }

    fn links_after(&self, after: Option<Token>, max: usize) -> Result<Vec<Link>, VaultError> {
        let state = self.state()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let links = state.links.range((from, Bound::Unbounded)).take(max.min(PAGE_ITEMS_MAX));
        Ok(links.map(|(token, patient)| Link { token: *token, patient: *patient }).collect())
    }

    fn unanchored(&self, max: usize) -> Result<Vec<(u64, Hash)>, VaultError> {
        let state = self.state()?;
        let next = state.next_anchor();
        let max = max.min(PAGE_ITEMS_MAX);
        let waiting = (next..).zip(&state.commitments[next as usize..]).take(max);
        Ok(waiting.map(|(sequence, commitment)| (sequence, *commitment)).collect())
    }

    fn mark_anchored(
        &self,
        first: u64,
        count: u32,
        root: Hash,
        log_index: u64,
    ) -> Result<(), VaultError> {
        check::anchor(first, count, log_index)?;
        let mut state = self.state()?;
        let anchor = Anchor { count, root, log_index };
        if state.anchors.get(&first) == Some(&anchor) {
            return Ok(());
        }
        let next = state.next_anchor();
        if first != next {
            return Err(Conflict::Anchor { next, given: first }.into());
        }
        let commitments = state.commitments(first, count);
        require(commitments.len() == count as usize, "the batch names records that do not exist")?;
        if check::root(&commitments) != root {
            return Err(Conflict::Root(first).into());
        }
        state.anchors.insert(first, anchor);
        Ok(())
    }

    fn batch_of(&self, sequence: u64) -> Result<Option<AnchoredBatch>, VaultError> {
        let state = self.state()?;
        let Some((first, anchor)) = state.anchors.range(..=sequence).next_back() else {
            return Ok(None);
        };
        Ok((sequence < first + u64::from(anchor.count)).then(|| AnchoredBatch {
            first: *first,
            root: anchor.root,
            log_index: anchor.log_index,
            commitments: state.commitments(*first, anchor.count),
        }))
    }

    fn keep_copy(&self, batch: CopyBatch) -> Result<(), VaultError> {
        check::copies(&batch)?;
        let mut state = self.state()?;
        state.admit_copies(&batch)?;
        for scope in batch.scopes {
            state.copied_scopes.insert((batch.custodian, scope.scope, scope.epoch), scope);
        }
        for record in batch.records {
            let Place { record: id, version, .. } = record.place;
            state.copied_versions.insert((batch.custodian, id, version, record.sequence));
            let key = (batch.custodian, record.sequence);
            state.copied_commitments.insert(key, record.commitment);
            state.copies.insert((batch.custodian, record.sequence), record);
        }
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
        let state = self.state()?;
        let copies = state.copies.range((custodian, from)..=(custodian, u64::MAX));
        let wanted = copies.map(|(_, record)| record).filter(|record| {
            let newest = state.newest_copy(custodian, record.place.record);
            record.place.patient == patient
                && (versions == Versions::All || record.place.version == newest)
        });
        Ok(page(wanted, max))
    }

    fn copied_scopes_of_patient(
        &self,
        custodian: MemberId,
        patient: PatientId,
    ) -> Result<Vec<SealedScope>, VaultError> {
        let state = self.state()?;
        let all = (custodian, ScopeTag([0; 16]), 0)..=(custodian, ScopeTag([255; 16]), u32::MAX);
        let scopes = state.copied_scopes.range(all).map(|(_, scope)| scope);
        Ok(scopes.filter(|scope| scope.patient == patient).cloned().collect())
    }

    fn copied_commitments(
        &self,
        custodian: MemberId,
        first: u64,
        count: u32,
    ) -> Result<Option<Vec<Hash>>, VaultError> {
        check::anchor(first, count, 0)?;
        let state = self.state()?;
        let run = (custodian, first)..(custodian, first + u64::from(count));
        let commitments: Vec<Hash> =
            state.copied_commitments.range(run).map(|(_, commitment)| *commitment).collect();
        Ok((commitments.len() == count as usize).then_some(commitments))
    }

    fn copy_cursor(&self, peer: MemberId) -> Result<u64, VaultError> {
        Ok(self.state()?.cursors.get(&peer).copied().unwrap_or(0))
    }

    fn advance_copy_cursor(&self, peer: MemberId, next: u64) -> Result<(), VaultError> {
        let mut state = self.state()?;
        require(next <= state.next_sequence(), "the cursor is beyond the last record")?;
        let cursor = state.cursors.entry(peer).or_insert(0);
        *cursor = next.max(*cursor);
        Ok(())
    }

    fn wanted_erasures(
        &self,
        after: Option<Token>,
        max: usize,
    ) -> Result<Vec<WantedErasure>, VaultError> {
        let state = self.state()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = state.wanted.range((from, Bound::Unbounded)).take(max.min(PAGE_ITEMS_MAX));
        Ok(wanted.map(|(_, wanted)| wanted.clone()).collect())
    }

    fn keep_wanted(&self, token: Token) -> Result<(), VaultError> {
        let mut state = self.state()?;
        if let Some(wanted) = state.wanted.remove(&token) {
            state.hidden.retain(|sequence| !wanted.runs.iter().any(|run| run.contains(*sequence)));
        }
        Ok(())
    }

    fn erase(&self, erased: &Erased) -> Result<u64, VaultError> {
        check::runs(&erased.runs)?;
        let mut state = self.state()?;
        let sequences = state.of_runs(erased);
        sequences.iter().for_each(|sequence| state.erase(*sequence));
        let State { wanted, hidden, .. } = &mut *state;
        wanted.retain(|_, wanted| {
            let is_left = |run: &Run| hidden.range(run.first..run.end()).next().is_some();
            wanted.runs.iter().any(is_left)
        });
        Ok(sequences.len() as u64)
    }

    fn erase_copies(&self, custodian: MemberId, erased: &Erased) -> Result<u64, VaultError> {
        check::runs(&erased.runs)?;
        let mut state = self.state()?;
        let mut count = 0;
        for run in &erased.runs {
            state.erased.entry((custodian, run.first)).or_insert((*run, erased.patient));
            let held = state.copies.range((custodian, run.first)..(custodian, run.end()));
            let held = held.filter(|(_, copy)| copy.place.patient == erased.patient);
            let keys: Vec<_> = held.map(|(key, _)| *key).collect();
            for key in keys {
                let copy = state.copies.remove(&key).expect("just found");
                let Place { record, version, .. } = copy.place;
                state.copied_versions.remove(&(custodian, record, version, copy.sequence));
                count += 1;
            }
        }
        Ok(count)
    }

    fn is_erased(
        &self,
        custodian: MemberId,
        patient: PatientId,
        sequence: u64,
    ) -> Result<bool, VaultError> {
        Ok(self.state()?.is_erased(custodian, patient, sequence))
    }

    fn erased_between(&self, from: u64, to: u64) -> Result<Vec<(u64, Hash)>, VaultError> {
        let state = self.state()?;
        let gone = (from..to.min(state.next_sequence()))
            .filter(|sequence| !state.records.contains_key(sequence));
        let gone = gone.map(|sequence| (sequence, state.commitments[sequence as usize]));
        Ok(gone.take(PAGE_ITEMS_MAX).collect())
    }

    fn keep_commitments(
        &self,
        custodian: MemberId,
        commitments: &[(u64, Hash)],
    ) -> Result<(), VaultError> {
        check::commitments(commitments)?;
        let mut state = self.state()?;
        let mut new = BTreeMap::new();
        for (sequence, commitment) in commitments {
            let key = (custodian, *sequence);
            let held = new.get(&key).or_else(|| state.copied_commitments.get(&key));
            if held.is_some_and(|held| held != commitment) {
                return Err(Conflict::Copy(*sequence).into());
            }
            new.insert(key, *commitment);
        }
        state.copied_commitments.extend(new);
        Ok(())
    }

    fn declare_emergency(&self, emergency: NewEmergency) -> Result<LocalEmergency, VaultError> {
        check::emergency(&emergency)?;
        let mut state = self.state()?;
        let entry = EmergencyEntry::follow(state.emergencies.last(), emergency);
        state.emergencies.push(entry.clone());
        Ok(LocalEmergency::durable(entry))
    }

    fn emergencies(&self, from: u64, max: usize) -> Result<Vec<EmergencyEntry>, VaultError> {
        let state = self.state()?;
        let from = from.min(state.emergencies.len() as u64) as usize;
        Ok(state.emergencies[from..].iter().take(max.min(PAGE_ITEMS_MAX)).cloned().collect())
    }

    fn message(&self, token: Token) -> Result<Option<KeptMessage>, VaultError> {
        let state = self.state()?;
        Ok(state.message_numbers.get(&token).map(|number| state.messages[number].clone()))
    }

    fn messages_waiting(
        &self,
        from: u64,
        max: usize,
    ) -> Result<Vec<(u64, KeptMessage)>, VaultError> {
        let state = self.state()?;
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        for (number, message) in state.messages.range(from..).filter(|(_, one)| one.is_waiting) {
            if waiting.len() >= max.min(PAGE_ITEMS_MAX) || bytes >= PAGE_BYTES_MAX {
                break;
            }
            bytes += message.sealed.len();
            waiting.push((*number, message.clone()));
        }
        Ok(waiting)
    }

    fn message_counts(&self, feed: Token) -> Result<MessageCounts, VaultError> {
        let state = self.state()?;
        let of_feed = || state.messages.values().filter(|message| message.feed == feed);
        let waiting = of_feed().filter(|message| message.is_waiting).count() as u64;
        Ok(MessageCounts { kept: of_feed().count() as u64, waiting })
    }

    fn case(&self, token: Token) -> Result<Option<(u64, KeptCase)>, VaultError> {
        let state = self.state()?;
        let mut numbered = (1..).zip(&state.cases);
        let found = numbered.find(|(_, case)| case.token == token);
        Ok(found.map(|(number, case)| (number, case.clone())))
    }

    fn cases(&self, from: u64, max: usize) -> Result<Vec<(u64, KeptCase)>, VaultError> {
        let state = self.state()?;
        let numbered = (1..).zip(&state.cases).filter(|(number, _)| *number >= from);
        let page = numbered.take(max.min(PAGE_ITEMS_MAX));
        Ok(page.map(|(number, case)| (number, case.clone())).collect())
    }

    fn reader(&self, access: [u8; 32]) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.state()?.readers.get(&access).cloned())
    }

    fn portrait(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError> {
        let state = self.state()?;
        let is_hidden = state.latest(record).is_none() && state.last(record) > 0;
        Ok(state.portraits.get(&record).filter(|_| !is_hidden).cloned())
    }

    fn tallies(&self, from_day: u32) -> Result<Vec<Tally>, VaultError> {
        let state = self.state()?;
        let counted = state.tallies.range((from_day, Token([0; 16]))..);
        let tally = |(&(day, token), (sealed, count)): (&(u32, Token), &(Vec<u8>, u64))| Tally {
            day,
            token,
            sealed: sealed.clone(),
            count: *count,
        };
        Ok(counted.map(tally).collect())
    }

    fn jobs(&self) -> Result<Vec<JobPart>, VaultError> {
        let state = self.state()?;
        let first = state.jobs.iter().filter(|((_, part), _)| *part == 0);
        Ok(first.map(job_part).collect())
    }

    fn job_parts(&self, job: Token, from: u64, max: usize) -> Result<Vec<JobPart>, VaultError> {
        let state = self.state()?;
        let parts = state.jobs.range((job, from)..=(job, u64::MAX));
        Ok(parts.take(max.min(PAGE_ITEMS_MAX)).map(job_part).collect())
    }

    fn forget_job(&self, job: Token) -> Result<(), VaultError> {
        self.state()?.jobs.retain(|(known, _), _| *known != job);
        Ok(())
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.state()?.settings.get(name).cloned())
    }

    fn put_setting(&self, name: &str, value: &[u8]) -> Result<(), VaultError> {
        check::setting(name, value)?;
        self.state()?.settings.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn counts(&self) -> Result<Counts, VaultError> {
        let state = self.state()?;
        Ok(Counts {
            records: state.next_sequence(),
            anchored: state.next_anchor(),
            copies: state.copies.len() as u64,
            emergencies: state.emergencies.len() as u64,
        })
    }
}

#[derive(Default)]
struct State {
    /// Commitments of all record versions ever; the index is the sequence number.
    commitments: Vec<Hash>,
    /// Record versions that are not erased.
    records: BTreeMap<u64, SealedRecord>,
    /// Sequence numbers of their versions.
    versions: BTreeMap<(RecordId, u32), u64>,
    /// The last version of each record, erased or not.
    last: BTreeMap<RecordId, u32>,
    /// Those that are to be erased, and the orders that say so.
    hidden: BTreeSet<u64>,
    wanted: BTreeMap<Token, WantedErasure>,
    by_scope: BTreeSet<(ScopeTag, u64)>,
    by_patient: BTreeSet<(PatientId, u64)>,
    by_token: BTreeSet<(Token, u64)>,
    names: BTreeMap<RecordId, Vec<u8>>,
    scopes: BTreeMap<(ScopeTag, u32), OwnScope>,
    links: BTreeMap<Token, PatientId>,
    /// Anchored batches by their first sequence number.
    anchors: BTreeMap<u64, Anchor>,

    copies: BTreeMap<(MemberId, u64), SealedRecord>,
    copied_commitments: BTreeMap<(MemberId, u64), Hash>,
    copied_versions: BTreeSet<(MemberId, RecordId, u32, u64)>,
    /// Runs of other custodians' records that are erased, and whose they were.
    erased: BTreeMap<(MemberId, u64), (Run, PatientId)>,
    copied_scopes: BTreeMap<(MemberId, ScopeTag, u32), SealedScope>,
    cursors: BTreeMap<MemberId, u64>,

    emergencies: Vec<EmergencyEntry>,
    /// Messages by their numbers, from 1.
    messages: BTreeMap<u64, KeptMessage>,
    message_numbers: BTreeMap<Token, u64>,
    /// Cases; the index is the number less one.
    cases: Vec<KeptCase>,
    portraits: BTreeMap<RecordId, Vec<u8>>,
    /// By day and token: what it stands for, and how often.
    tallies: BTreeMap<(u32, Token), (Vec<u8>, u64)>,
    /// Parts of jobs, by job and part.
    jobs: BTreeMap<(Token, u64), Vec<u8>>,
    /// Who opened accesses.
    readers: BTreeMap<[u8; 32], Vec<u8>>,
    settings: BTreeMap<String, Vec<u8>>,
}

#[derive(PartialEq, Eq)]
struct Anchor {
    count: u32,
    root: Hash,
    log_index: u64,
}

fn job_part(((job, part), sealed): (&(Token, u64), &Vec<u8>)) -> JobPart {
    JobPart { job: *job, part: *part, sealed: sealed.clone() }
}

/// Takes a page; see [`store`](crate::store) for where it ends.
fn page<'a>(records: impl Iterator<Item = &'a SealedRecord>, max: usize) -> Vec<SealedRecord> {
    let mut bytes = 0;
    let mut page = Vec::new();
    for record in records.take(max.min(PAGE_ITEMS_MAX)) {
        bytes += record.envelope.as_bytes().len();
        page.push(record.clone());
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
    }
    page
}
