//! Copies: every sealed record lies with f other members too, who can hand it out when its custodian
//! is down, and only against a receipt that is final on their own ledger.

use ledger::MemberId;
use vault::{CopyBatch, SealedScope};

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

    /// Sends the next page of records to a holder. Returns how many it now keeps more.
    pub async fn copy_step(&self, holder: MemberId) -> Result<u64, FlowError> {
        let from = self.vault.copy_cursor(holder.0)?;
        let page = self.vault.records_from(from, limits::PAGE_RECORDS)?;
        if page.is_empty() {
            return Ok(0);
        }
        let (copies, next) = self.copies_of(holder, page).await?;
        let answer = self.ask(holder, Ask::Keep(copies)).await?;
        match answer {
            Answer::Kept(kept) if kept == next => {
                self.vault.advance_copy_cursor(holder.0, kept)?;
                Ok(kept - from)
            }
            _ => Err(FlowError::Unavailable("a holder of copies did not keep what it was sent")),
        }
    }

    /// What fits into one message, and where the next one begins. Large envelopes go ahead in parts.
    async fn copies_of(
        &self,
        holder: MemberId,
        page: Vec<vault::SealedRecord>,
    ) -> Result<(Copies, u64), FlowError> {
        let mut copies = Copies::default();
        let (mut bytes, mut next) = (0, 0);
        for record in page {
            let size = record.envelope.as_bytes().len();
            bytes += size.min(limits::MESSAGE_ENVELOPE_BYTES);
            if bytes > limits::PAGE_BYTES && !copies.records.is_empty() {
                break;
            }
            next = record.sequence + 1;
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
        Ok((copies, next))
    }

    async fn send_parts(
        &self,
        holder: MemberId,
        record: &vault::SealedRecord,
    ) -> Result<(), FlowError> {
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

    /// Keeps copies for another member: durable before it answers.
    pub(crate) fn keep(&self, custodian: MemberId, copies: Copies) -> Result<Answer, FlowError> {
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
        match self.vault.keep_copy(CopyBatch { custodian: custodian.0, scopes, records }) {
            Ok(()) => Ok(Answer::Kept(next)),
            Err(vault::VaultError::Conflict(_) | vault::VaultError::Invalid(_)) => {
                Ok(Answer::Refused(crate::Refusal::Malformed))
            }
            Err(error) => Err(error.into()),
        }
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
