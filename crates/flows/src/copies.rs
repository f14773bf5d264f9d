//! Copies: every sealed record lies with f other members too, who can hand it out when its custodian
//! is down, and only against a receipt that is final on their own ledger.

use std::collections::BTreeSet;

use ledger::MemberId;
use vault::{CopyBatch, SealedRecord, SealedScope};

use crate::{
    Answer, Ask, FlowError, Member, limits,
    message::{Copies, WireRecord, WireScope},
};

impl Member {
    /// The members that keep a custodian's copies: the f that follow it in the order of the ids, where
    /// the network tolerates f faults; in a network of two or three, the one that follows.
    pub fn holders(&self, custodian: MemberId) -> Result<Vec<MemberId>, FlowError> {
        let network = self.chain.network();
        let ids: Vec<MemberId> = network.members.iter().map(|member| member.id).collect();
        let Some(place) = ids.iter().position(|id| *id == custodian) else { return Ok(Vec::new()) };
        let faults = (ids.len() - 1) / 3;
        let count = faults.max(1).min(ids.len() - 1);
        Ok(ids.iter().cycle().skip(place + 1).take(count).copied().collect())
    }

    /// Sends the next page of records to a holder, and what is left of those that are erased.
    /// Returns how many it now keeps more.
    pub(crate) async fn copy_step(&self, holder: MemberId) -> Result<u64, FlowError> {
        let from = self.vault.copy_cursor(holder.0)?;
        let NextCopies { records, erased, end } = self.next_copies(from)?;
        if end == from {
            return Ok(0);
        }
        let (copies, next) = match records.is_empty() {
            true => (Copies::default(), end),
            false => self.copies_of(holder, records, end).await?,
        };
        let commitments: Vec<_> = erased.into_iter().filter(|(at, _)| *at < next).collect();
        if let Some(last) = commitments.last().map(|(last, _)| last + 1) {
            kept(self.ask(holder, Ask::KeepErased { commitments }).await?, last)?;
        }
        if let Some(last) = copies.records.last().map(|record| record.sequence + 1) {
            kept(self.ask(holder, Ask::Keep(copies)).await?, last)?;
        }
        self.vault.advance_copy_cursor(holder.0, next)?;
        Ok(next - from)
    }

    /// What is to be copied next: up to a record that is going to be erased but is not yet.
    fn next_copies(&self, from: u64) -> Result<NextCopies, FlowError> {
        let mut page = self.vault.records_from(from, limits::PAGE_RECORDS)?;
        let end = match page.last() {
            Some(last) => last.sequence + 1,
            None => self.vault.counts()?.records,
        };
        let erased = self.vault.erased_between(from, end)?;
        let held: BTreeSet<u64> = page
            .iter()
            .map(|record| record.sequence)
            .chain(erased.iter().map(|(sequence, _)| *sequence))
            .collect();
        let end = (from..end).find(|sequence| !held.contains(sequence)).unwrap_or(end);
        page.retain(|record| record.sequence < end);
        Ok(NextCopies { records: page, erased, end })
    }

    /// What fits into one message, and where the next one begins. Large envelopes go ahead in parts.
    async fn copies_of(
        &self,
        holder: MemberId,
        page: Vec<SealedRecord>,
        reached: u64,
    ) -> Result<(Copies, u64), FlowError> {
        let mut copies = Copies::default();
        let mut bytes = 0;
        for record in page {
            let size = record.envelope.as_bytes().len();
            bytes += size.min(limits::MESSAGE_ENVELOPE_BYTES);
            if bytes > limits::PAGE_BYTES && !copies.records.is_empty() {
                return Ok((copies, record.sequence));
            }
            let known = |scope: &WireScope| {
                scope.tag == record.place.scope.0 && scope.epoch == record.place.epoch
            };
            if !copies.scopes.iter().any(known) {
                copies.scopes.extend(self.wire_scope(&record.place)?);
            }
            if size > limits::MESSAGE_ENVELOPE_BYTES {
                self.send_parts(holder, &record).await?;
            }
            copies.records.push(WireRecord::new(record, limits::MESSAGE_ENVELOPE_BYTES));
        }
        Ok((copies, reached))
    }

    async fn send_parts(&self, holder: MemberId, record: &SealedRecord) -> Result<(), FlowError> {
        let mut offset = 0;
        for part in record.envelope.as_bytes().chunks(limits::MESSAGE_ENVELOPE_BYTES) {
            let (sequence, bytes) = (record.sequence, part.to_vec());
            let next = offset + bytes.len() as u64;
            match self.ask(holder, Ask::KeepPart { sequence, offset, bytes }).await? {
                Answer::Kept(kept) if kept == next => offset = next,
                _ => return Err(FlowError::Unavailable("a holder did not keep a large record")),
            }
        }
        Ok(())
    }

    fn wire_scope(&self, place: &vault::Place) -> Result<Option<WireScope>, FlowError> {
        let epochs = self.vault.scope(place.scope)?;
        let own = epochs.into_iter().find(|scope| scope.sealed.epoch == place.epoch);
        Ok(own.map(|scope| WireScope::new(scope.sealed, None)))
    }

    /// Keeps copies for another member: durable before it answers. What is erased on this member's
    /// own ledger is refused.
    pub(crate) fn keep(&self, custodian: MemberId, copies: Copies) -> Result<Answer, FlowError> {
        self.catch_up()?;
        let Some(next) = copies.records.last().map(|record| record.sequence + 1) else {
            return Ok(Answer::Refused(crate::Refusal::Malformed));
        };
        let whole = |mut record: WireRecord| {
            if record.envelope.is_empty() {
                record.envelope = self.parted.take(custodian, record.sequence).unwrap_or_default();
            }
            record.sealed()
        };
        let records: Result<Vec<_>, _> = copies.records.into_iter().map(whole).collect();
        let Ok(records) = records else { return Ok(Answer::Refused(crate::Refusal::Malformed)) };
        let scopes: Vec<SealedScope> = copies.scopes.into_iter().map(WireScope::sealed).collect();
        answer(self.vault.keep_copy(CopyBatch { custodian: custodian.0, scopes, records }), next)
    }

    /// Keeps what is left of another member's erased records.
    pub(crate) fn keep_erased(
        &self,
        custodian: MemberId,
        commitments: &[(u64, [u8; 32])],
    ) -> Result<Answer, FlowError> {
        let Some(next) = commitments.last().and_then(|(last, _)| last.checked_add(1)) else {
            return Ok(Answer::Refused(crate::Refusal::Malformed));
        };
        answer(self.vault.keep_commitments(custodian.0, commitments), next)
    }

    /// Copies for as long as the member runs.
    pub(crate) async fn copy_loop(&self) -> FlowError {
        loop {
            let holders = match self.holders(self.id) {
                Ok(holders) => holders,
                Err(error) => return error,
            };
            for holder in holders {
                if let Some(error) = self.copy_all(holder).await {
                    return error;
                }
            }
            self.world.clock.sleep(limits::LOOP_MS).await;
        }
    }

    /// Sends a holder everything it lacks, or until it does not answer. Returns a fatal error only.
    async fn copy_all(&self, holder: MemberId) -> Option<FlowError> {
        loop {
            match self.copy_step(holder).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.is_fatal() => return Some(error),
                Err(error) => {
                    tracing::debug!(%error, %holder, "copies wait for their holder");
                    return None;
                }
            }
        }
    }
}

/// What is to be copied to a holder next.
struct NextCopies {
    records: Vec<SealedRecord>,
    /// Numbers and commitments of those that are erased among them.
    erased: Vec<(u64, [u8; 32])>,
    /// Where all of these end.
    end: u64,
}

/// What a holder answers to what it was sent.
fn answer(kept: Result<(), vault::VaultError>, next: u64) -> Result<Answer, FlowError> {
    match kept {
        Ok(()) => Ok(Answer::Kept(next)),
        Err(vault::VaultError::Conflict(_) | vault::VaultError::Invalid(_)) => {
            Ok(Answer::Refused(crate::Refusal::Malformed))
        }
        Err(error) => Err(error.into()),
    }
}

fn kept(answer: Answer, next: u64) -> Result<(), FlowError> {
    match answer {
        Answer::Kept(kept) if kept == next => Ok(()),
        _ => Err(FlowError::Unavailable("a holder of copies did not keep what it was sent")),
    }
}
