//! What a vault in memory holds: what may be added to it, and what is seen of it.

use super::*;

impl State {
    /// Decides the whole batch before anything of it is written.
    pub(super) fn admit(&self, batch: &Batch) -> Result<(), VaultError> {
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
        let records = self.next_sequence() + batch.records.len() as u64;
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
        self.admit_erasures(&batch.erasures)?;
        Ok(())
    }

    /// Orders name records that were there before the batch, each once.
    pub(super) fn admit_erasures(&self, erasures: &[WantedErasure]) -> Result<(), VaultError> {
        let (mut hidden, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        for wanted in erasures {
            let is_new = !self.wanted.contains_key(&wanted.token) && tokens.insert(wanted.token);
            require(is_new, "there is an order to erase of this name")?;
            for sequence in wanted.runs.iter().flat_map(|run| run.first..run.end()) {
                if self.visible(sequence).is_none() || !hidden.insert(sequence) {
                    return Err(Conflict::Erased(sequence).into());
                }
            }
        }
        Ok(())
    }

    pub(super) fn admit_relink(
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

    pub(super) fn admit_scope(
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

    pub(super) fn admit_link(
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

    pub(super) fn admit_record(
        &self,
        new: &NewRecord,
        epochs: &BTreeMap<(ScopeTag, u32), PatientId>,
        versions: &mut BTreeMap<RecordId, u32>,
    ) -> Result<(), VaultError> {
        let place = &new.place;
        let latest = versions.entry(place.record).or_insert_with(|| self.last(place.record));
        check::version_follows(*latest, place)?;
        let epoch = (place.scope, place.epoch);
        let stored = self.scopes.get(&epoch).map(|own| own.sealed.patient);
        check::scope_known(epochs.get(&epoch).copied().or(stored), place)?;
        *latest = place.version;
        Ok(())
    }

    pub(super) fn admit_copies(&self, batch: &CopyBatch) -> Result<(), VaultError> {
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
            let commitment = self.copied_commitments.get(&(batch.custodian, record.sequence));
            let is_other = held.or(stored).is_some_and(|held| held != record)
                || commitment.is_some_and(|commitment| *commitment != record.commitment);
            if is_other {
                return Err(Conflict::Copy(record.sequence).into());
            }
            if self.is_erased(batch.custodian, record.place.patient, record.sequence) {
                return Err(Conflict::Erased(record.sequence).into());
            }
            records.insert(record.sequence, record);
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, message: KeptMessage) {
        let next = self.messages.len() as u64 + 1;
        let number = *self.message_numbers.entry(message.token).or_insert(next);
        let feed = self.messages.get(&number).map_or(message.feed, |known| known.feed);
        self.messages.insert(number, KeptMessage { feed, ..message });
    }

    pub(super) fn keep_case(&mut self, new: KeptCase) {
        match self.cases.iter_mut().find(|case| case.token == new.token) {
            Some(case) => *case = new,
            None => self.cases.push(new),
        }
    }

    pub(super) fn push(&mut self, new: NewRecord) {
        let sequence = self.next_sequence();
        let NewRecord { place, commitment, envelope, tokens, name } = new;
        self.names.entry(place.record).or_insert(name);
        self.versions.insert((place.record, place.version), sequence);
        self.last.insert(place.record, place.version);
        self.by_scope.insert((place.scope, sequence));
        self.by_patient.insert((place.patient, sequence));
        self.by_token.extend(tokens.into_iter().map(|token| (token, sequence)));
        self.commitments.push(commitment);
        let record = SealedRecord { sequence, place, commitment, envelope };
        self.records.insert(sequence, record);
    }

    pub(super) fn erase(&mut self, sequence: u64) {
        let Some(record) = self.records.remove(&sequence) else { return };
        let Place { record: id, version, patient, scope, .. } = record.place;
        self.versions.remove(&(id, version));
        self.by_scope.remove(&(scope, sequence));
        self.by_patient.remove(&(patient, sequence));
        self.by_token.retain(|(_, carrier)| *carrier != sequence);
        self.hidden.remove(&sequence);
        if self.versions.range((id, 0)..=(id, u32::MAX)).next().is_none() {
            self.names.remove(&id);
            self.portraits.remove(&id);
        }
    }

    /// This node's records that an erasure names.
    pub(super) fn of_runs(&self, erased: &Erased) -> Vec<u64> {
        let records = erased.runs.iter().flat_map(|run| self.records.range(run.first..run.end()));
        let records = records.filter(|(_, record)| record.place.patient == erased.patient);
        records.map(|(sequence, _)| *sequence).collect()
    }

    pub(super) fn is_erased(&self, custodian: MemberId, patient: PatientId, sequence: u64) -> bool {
        let before = self.erased.range((custodian, 0)..=(custodian, sequence)).next_back();
        before.is_some_and(|(_, (run, of))| run.contains(sequence) && *of == patient)
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.commitments.len() as u64
    }

    /// A record version, unless it is erased or going to be.
    pub(super) fn visible(&self, sequence: u64) -> Option<&SealedRecord> {
        self.records.get(&sequence).filter(|_| !self.hidden.contains(&sequence))
    }

    pub(super) fn visible_versions(&self, record: RecordId) -> impl Iterator<Item = &SealedRecord> {
        let versions = self.versions.range((record, 0)..=(record, u32::MAX));
        versions.filter_map(|(_, sequence)| self.visible(*sequence))
    }

    /// The latest version of a record that can be seen.
    pub(super) fn latest(&self, record: RecordId) -> Option<u32> {
        self.visible_versions(record).last().map(|found| found.place.version)
    }

    /// The last version that a record ever had; 0 if it had none.
    pub(super) fn last(&self, record: RecordId) -> u32 {
        self.last.get(&record).copied().unwrap_or(0)
    }

    /// The newest version of a record that is kept for a custodian.
    pub(super) fn newest_copy(&self, custodian: MemberId, record: RecordId) -> u32 {
        let all = (custodian, record, 0, 0)..=(custodian, record, u32::MAX, u64::MAX);
        self.copied_versions.range(all).next_back().map_or(0, |(_, _, version, _)| *version)
    }

    pub(super) fn next_anchor(&self) -> u64 {
        let last = self.anchors.last_key_value();
        last.map_or(0, |(first, anchor)| first + u64::from(anchor.count))
    }

    /// The commitments of a run, as far as there are records.
    pub(super) fn commitments(&self, first: u64, count: u32) -> Vec<Hash> {
        self.commitments.iter().skip(first as usize).take(count as usize).copied().collect()
    }

    pub(super) fn select<'a, K: 'a>(
        &self,
        index: impl Iterator<Item = &'a (K, u64)>,
        versions: Versions,
        max: usize,
    ) -> Vec<SealedRecord> {
        let records = index.filter_map(|(_, sequence)| self.visible(*sequence));
        let wanted = records.filter(|record| {
            let latest = || self.latest(record.place.record);
            versions == Versions::All || Some(record.place.version) == latest()
        });
        page(wanted, max)
    }
}
