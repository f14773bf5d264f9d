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
    AnchoredBatch, Batch, Conflict, CopyBatch, Counts, EmergencyEntry, JobPart, KeptCase,
    KeptMessage, Link, LocalEmergency, Mark, MemberId, MessageCounts, NewEmergency, NewRecord,
    OwnScope, PatientId, RecordId, Relink, ScopeTag, SealedRecord, SealedScope, Stored, Tally,
    Token, Vault, VaultError, Version, Versions, case, check,
    check::require,
    limits::{PAGE_BYTES_MAX, PAGE_ITEMS_MAX},
    message,
};

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
        let stored =
            Stored { first: state.records.len() as u64, count: batch.records.len() as u32 };
        for scope in batch.scopes {
            state.scopes.insert((scope.sealed.scope, scope.sealed.epoch), scope);
        }
        state.links.extend(batch.links.iter().map(|link| (link.token, link.patient)));
        state.links.extend(batch.relinks.iter().map(|relink| (relink.token, relink.to)));
        batch.records.into_iter().for_each(|record| state.push(record));
        for mark in batch.marks {
            state.by_token.extend(mark.tokens.into_iter().map(|token| (token, mark.sequence)));
        }
        batch.cases.into_iter().for_each(|case| state.keep_case(case));
        batch.messages.into_iter().for_each(|message| state.keep(message));
        let portraits = batch.portraits.into_iter();
        state.portraits.extend(portraits.map(|portrait| (portrait.record, portrait.sealed)));
        for Tally { day, token, sealed, count } in batch.tallies {
            state.tallies.entry((day, token)).or_insert((sealed, 0)).1 += count;
        }
        let jobs = batch.jobs.into_iter();
        state.jobs.extend(jobs.map(|part| ((part.job, part.part), part.sealed)));
        Ok(stored)
    }

    fn latest_version(&self, record: RecordId) -> Result<Option<u32>, VaultError> {
        let latest = self.state()?.latest(record);
        Ok((latest > 0).then_some(latest))
    }

    fn record(
        &self,
        record: RecordId,
        version: Version,
    ) -> Result<Option<SealedRecord>, VaultError> {
        let state = self.state()?;
        let versions = state.versions.get(&record).map_or(&[][..], Vec::as_slice);
        let sequence = match version {
            Version::Latest => versions.last(),
            Version::At(0) => None,
            Version::At(version) => versions.get(version as usize - 1),
        };
        Ok(sequence.map(|sequence| state.records[*sequence as usize].clone()))
    }

    fn history(
        &self,
        record: RecordId,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        let versions = state.versions.get(&record).map_or(&[][..], Vec::as_slice);
        let sequences = versions.iter().copied().filter(|sequence| *sequence >= from);
        Ok(page(sequences.map(|sequence| &state.records[sequence as usize]), max))
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
            let mut carriers = state.by_token.range((*token, 0)..);
            carriers.next().is_some_and(|(carried, _)| carried == token)
        };
        Ok(tokens.iter().map(is_known).collect())
    }

    fn records_from(&self, from: u64, max: usize) -> Result<Vec<SealedRecord>, VaultError> {
        let state = self.state()?;
        let from = from.min(state.records.len() as u64) as usize;
        Ok(page(state.records[from..].iter(), max))
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
        Ok(self.state()?.names.get(&record).cloned())
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
        let waiting = state.records[next as usize..].iter().take(max);
        Ok(waiting.map(|record| (record.sequence, record.commitment)).collect())
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
            let newest = state.copied_versions.entry((batch.custodian, record.place.record));
            let newest = newest.or_insert(0);
            *newest = record.place.version.max(*newest);
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
            let newest = state.copied_versions[&(custodian, record.place.record)];
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
            state.copies.range(run).map(|(_, record)| record.commitment).collect();
        Ok((commitments.len() == count as usize).then_some(commitments))
    }

    fn copy_cursor(&self, peer: MemberId) -> Result<u64, VaultError> {
        Ok(self.state()?.cursors.get(&peer).copied().unwrap_or(0))
    }

    fn advance_copy_cursor(&self, peer: MemberId, next: u64) -> Result<(), VaultError> {
        let mut state = self.state()?;
        require(next <= state.records.len() as u64, "the cursor is beyond the last record")?;
        let cursor = state.cursors.entry(peer).or_insert(0);
        *cursor = next.max(*cursor);
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

    fn portrait(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.state()?.portraits.get(&record).cloned())
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
            records: state.records.len() as u64,
            anchored: state.next_anchor(),
            copies: state.copies.len() as u64,
            emergencies: state.emergencies.len() as u64,
        })
    }
}

#[derive(Default)]
struct State {
    /// Record versions; the index is the sequence number.
    records: Vec<SealedRecord>,
    /// Sequence numbers of each record's versions; the index is the version less one.
    versions: BTreeMap<RecordId, Vec<u64>>,
    by_scope: BTreeSet<(ScopeTag, u64)>,
    by_patient: BTreeSet<(PatientId, u64)>,
    by_token: BTreeSet<(Token, u64)>,
    names: BTreeMap<RecordId, Vec<u8>>,
    scopes: BTreeMap<(ScopeTag, u32), OwnScope>,
    links: BTreeMap<Token, PatientId>,
    /// Anchored batches by their first sequence number.
    anchors: BTreeMap<u64, Anchor>,

    copies: BTreeMap<(MemberId, u64), SealedRecord>,
    copied_versions: BTreeMap<(MemberId, RecordId), u32>,
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
    settings: BTreeMap<String, Vec<u8>>,
}

#[derive(PartialEq, Eq)]
struct Anchor {
    count: u32,
    root: Hash,
    log_index: u64,
}

impl State {
    /// Decides the whole batch before anything of it is written.
    fn admit(&self, batch: &Batch) -> Result<(), VaultError> {
        let mut epochs = BTreeMap::new();
        for own in &batch.scopes {
            self.admit_scope(&own.sealed, &mut epochs)?;
        }
        let mut links = BTreeMap::new();
        for link in &batch.links {
            self.admit_link(link, &mut links)?;
        }
        for relink in &batch.relinks {
            self.admit_relink(relink, &mut links)?;
        }
        let records = (self.records.len() + batch.records.len()) as u64;
        let is_there = |mark: &Mark| mark.sequence < records;
        require(batch.marks.iter().all(is_there), "a mark names a record that does not exist")?;
        let mut versions = BTreeMap::new();
        for record in &batch.records {
            self.admit_record(record, &epochs, &mut versions)?;
        }
        let mut messages = BTreeMap::new();
        for new in &batch.messages {
            let number = self.message_numbers.get(&new.token);
            let stored = number.map(|number| self.messages[number].is_waiting);
            message::follows(messages.get(&new.token).copied().or(stored), new)?;
            messages.insert(new.token, new.is_waiting);
        }
        let mut cases = BTreeMap::new();
        for new in &batch.cases {
            let stored = self.cases.iter().find(|case| case.token == new.token);
            let stored = stored.map(|case| case.is_open);
            case::follows(cases.get(&new.token).copied().or(stored), new)?;
            cases.insert(new.token, new.is_open);
        }
        Ok(())
    }

    fn admit_relink(
        &self,
        relink: &Relink,
        pending: &mut BTreeMap<Token, PatientId>,
    ) -> Result<(), VaultError> {
        let linked = pending.get(&relink.token).or_else(|| self.links.get(&relink.token));
        if linked != Some(&relink.from) {
            return Err(Conflict::Link(relink.token).into());
        }
        pending.insert(relink.token, relink.to);
        Ok(())
    }

    fn admit_scope(
        &self,
        new: &SealedScope,
        epochs: &mut BTreeMap<(ScopeTag, u32), PatientId>,
    ) -> Result<(), VaultError> {
        let all = (new.scope, 0)..=(new.scope, u32::MAX);
        let pending = epochs.range(all.clone()).next_back().map(|((_, epoch), p)| (*epoch, *p));
        let stored = self.scopes.range(all).next_back();
        let stored = stored.map(|((_, epoch), own)| (*epoch, own.sealed.patient));
        check::scope_follows(pending.or(stored), new)?;
        epochs.insert((new.scope, new.epoch), new.patient);
        Ok(())
    }

    fn admit_link(
        &self,
        link: &Link,
        pending: &mut BTreeMap<Token, PatientId>,
    ) -> Result<(), VaultError> {
        let linked = pending.get(&link.token).or_else(|| self.links.get(&link.token));
        if linked.is_some_and(|patient| *patient != link.patient) {
            return Err(Conflict::Link(link.token).into());
        }
        pending.insert(link.token, link.patient);
        Ok(())
    }

    fn admit_record(
        &self,
        new: &NewRecord,
        epochs: &BTreeMap<(ScopeTag, u32), PatientId>,
        versions: &mut BTreeMap<RecordId, u32>,
    ) -> Result<(), VaultError> {
        let place = &new.place;
        let latest = versions.entry(place.record).or_insert_with(|| self.latest(place.record));
        check::version_follows(*latest, place)?;
        let epoch = (place.scope, place.epoch);
        let stored = self.scopes.get(&epoch).map(|own| own.sealed.patient);
        check::scope_known(epochs.get(&epoch).copied().or(stored), place)?;
        *latest = place.version;
        Ok(())
    }

    fn admit_copies(&self, batch: &CopyBatch) -> Result<(), VaultError> {
        let mut scopes = BTreeMap::new();
        for scope in &batch.scopes {
            let key = (batch.custodian, scope.scope, scope.epoch);
            let held = scopes.get(&key).copied().or_else(|| self.copied_scopes.get(&key));
            check::same_scope(held, scope)?;
            scopes.insert(key, scope);
        }
        let mut records = BTreeMap::new();
        for record in &batch.records {
            let key = (batch.custodian, record.place.scope, record.place.epoch);
            let scope = scopes.get(&key).copied().or_else(|| self.copied_scopes.get(&key));
            check::scope_known(scope.map(|scope| scope.patient), &record.place)?;
            let held = records.get(&record.sequence).copied();
            let stored = self.copies.get(&(batch.custodian, record.sequence));
            if held.or(stored).is_some_and(|held| held != record) {
                return Err(Conflict::Copy(record.sequence).into());
            }
            records.insert(record.sequence, record);
        }
        Ok(())
    }

    fn keep(&mut self, message: KeptMessage) {
        let next = self.messages.len() as u64 + 1;
        let number = *self.message_numbers.entry(message.token).or_insert(next);
        let feed = self.messages.get(&number).map_or(message.feed, |known| known.feed);
        self.messages.insert(number, KeptMessage { feed, ..message });
    }

    fn keep_case(&mut self, new: KeptCase) {
        match self.cases.iter_mut().find(|case| case.token == new.token) {
            Some(case) => *case = new,
            None => self.cases.push(new),
        }
    }

    fn push(&mut self, new: NewRecord) {
        let sequence = self.records.len() as u64;
        let NewRecord { place, commitment, envelope, tokens, name } = new;
        self.names.entry(place.record).or_insert(name);
        self.versions.entry(place.record).or_default().push(sequence);
        self.by_scope.insert((place.scope, sequence));
        self.by_patient.insert((place.patient, sequence));
        self.by_token.extend(tokens.into_iter().map(|token| (token, sequence)));
        self.records.push(SealedRecord { sequence, place, commitment, envelope });
    }

    /// The latest version of a record; 0 if there is none.
    fn latest(&self, record: RecordId) -> u32 {
        self.versions.get(&record).map_or(0, |sequences| sequences.len() as u32)
    }

    fn next_anchor(&self) -> u64 {
        let last = self.anchors.last_key_value();
        last.map_or(0, |(first, anchor)| first + u64::from(anchor.count))
    }

    /// The commitments of a run, as far as there are records.
    fn commitments(&self, first: u64, count: u32) -> Vec<Hash> {
        let records = self.records.iter().skip(first as usize).take(count as usize);
        records.map(|record| record.commitment).collect()
    }

    fn select<'a, K: 'a>(
        &self,
        index: impl Iterator<Item = &'a (K, u64)>,
        versions: Versions,
        max: usize,
    ) -> Vec<SealedRecord> {
        let records = index.map(|(_, sequence)| &self.records[*sequence as usize]);
        let wanted = records.filter(|record| {
            versions == Versions::All || record.place.version == self.latest(record.place.record)
        });
        page(wanted, max)
    }
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
