//! Anchoring: what was stored gets its place on the ledger, in batches, without a gap.
//!
//! Each step can be repeated: the ledger refuses an anchor that does not follow the last one, and the vault
//! refuses to mark what the ledger did not accept. After a crash the loop finds where it was.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use ledger::{Body, PatientId, Reject};
use proof::tree;

use crate::{FlowError, Member, limits};

impl Member {
    /// Anchors one batch if there is enough for one, or if the oldest record has waited long enough.
    /// Returns how many records were anchored.
    pub(crate) async fn anchor_step(&self, waited_ms: u64) -> Result<u32, FlowError> {
        let waiting = self.vault.unanchored(limits::ANCHOR_RECORDS)?;
        let is_full = waiting.len() >= limits::ANCHOR_RECORDS;
        let Some((first, _)) = waiting.first().copied() else { return Ok(0) };
        if !is_full && waited_ms < limits::ANCHOR_WAIT_MS {
            return Ok(0);
        }
        if let Some(count) = self.mark_if_anchored(first)? {
            return Ok(count);
        }
        let leaves: Vec<_> = waiting.iter().map(|(_, leaf)| tree::leaf_hash(leaf)).collect();
        let count = u32::try_from(leaves.len()).expect("a batch has at most 256 records");
        self.open_accounts(first, waiting.len()).await?;
        let root = tree::root(&leaves);
        match self.act(Body::Anchor { first, count, root }).await {
            Ok(anchored) => {
                self.vault.mark_anchored(first, count, root, anchored.index)?;
                Ok(count)
            }
            // An earlier attempt of ours was ordered after we stopped waiting for it.
            Err(FlowError::Rejected(Reject::Gap)) => Ok(self.mark_if_anchored(first)?.unwrap_or(0)),
            Err(error) => Err(error),
        }
    }

    /// Marks a batch that the ledger has already.
    fn mark_if_anchored(&self, first: u64) -> Result<Option<u32>, FlowError> {
        if self.chain.anchor_head(self.id)?.next <= first {
            return Ok(None);
        }
        let Some(anchor) = self.chain.anchored(self.id, first)? else { return Ok(None) };
        self.vault.mark_anchored(anchor.first, anchor.count, anchor.root, anchor.position)?;
        Ok(Some(anchor.count))
    }

    /// Sees to it that every patient of a batch has an account before their records are anchored.
    async fn open_accounts(&self, first: u64, count: usize) -> Result<(), FlowError> {
        let mut patients = BTreeSet::new();
        let (mut from, end) = (first, first + count as u64);
        while from < end {
            let page = self.vault.records_from(from, (end - from) as usize)?;
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            patients.extend(page.iter().map(|record| PatientId(record.place.patient)));
        }
        try_join_all(patients.into_iter().map(|patient| self.open_account(patient, Vec::new())))
            .await
            .map(drop)
    }

    /// Anchors for as long as the member runs.
    pub(crate) async fn anchor_loop(&self) -> FlowError {
        let mut waited_ms = 0;
        loop {
            match self.anchor_step(waited_ms).await {
                Ok(0) => waited_ms += limits::LOOP_MS,
                Ok(_) => {
                    waited_ms = 0;
                    continue;
                }
                Err(error) if error.is_fatal() => return error,
                Err(error) => tracing::warn!(%error, "records wait to be anchored"),
            }
            self.world.clock.sleep(limits::LOOP_MS).await;
        }
    }
}
