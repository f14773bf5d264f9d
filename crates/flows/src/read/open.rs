//! Records are opened in memory, and each is checked against its anchor.

use std::{collections::BTreeMap, sync::Arc};

use ledger::MemberId;
use proof::tree;

use super::{Sealed, Secrets};
use crate::{FlowError, Member, OpenAccess, OpenedRecord, message::WireBatch};

impl Member {
    /// Opens every record whose scope is open, and checks it against its anchor.
    pub(super) fn open_records(
        &self,
        open: &OpenAccess,
        secrets: &Secrets,
        sealed: Sealed,
    ) -> Result<Vec<OpenedRecord>, FlowError> {
        let Sealed { custodian, records, batches, .. } = sealed;
        let mut anchored = BTreeMap::new();
        for batch in batches {
            if let Some(log_index) = self.check_batch(custodian, &batch)? {
                anchored.insert(batch.first, (Arc::new(batch), log_index));
            }
        }
        let now = self.chain.tip().time;
        let mut opened = Vec::new();
        for record in records {
            let key = (custodian, record.tag, record.epoch);
            let Some((category, secret)) = secrets.get(&key) else { continue };
            let record = record.sealed().map_err(broken)?;
            let place = record.place;
            let record_key = custody::record_key(secret, &place.record.0, place.version);
            let content = vault::open(
                open.permit(),
                now,
                &record_key,
                &custodian.0,
                &place,
                &record.envelope,
            );
            let content = content.map_err(broken)?;
            if content.commitment() != record.commitment {
                return Err(broken("a record is not the one that its custodian committed to"));
            }
            let batch = anchored.range(..=record.sequence).next_back();
            let batch = batch.map(|(_, batch)| batch.clone());
            let batch = check_leaf(batch, record.sequence, &record.commitment)?;
            opened.push(OpenedRecord::new(custodian, &record, *category, content, batch)?);
        }
        Ok(opened)
    }

    /// Checks that a batch is the one that the custodian anchored; gives its place in the log. None
    /// if the custodian's ledger is ahead of this one: its records count as not anchored yet.
    fn check_batch(
        &self,
        custodian: MemberId,
        batch: &WireBatch,
    ) -> Result<Option<u64>, FlowError> {
        if batch.first >= self.chain.anchor_head(custodian)?.next {
            return Ok(None);
        }
        let anchor = self.chain.anchored(custodian, batch.first)?;
        let anchor = anchor.ok_or_else(|| broken("a batch is not on the ledger"))?;
        let leaves: Vec<_> = batch.commitments.iter().map(|leaf| tree::leaf_hash(leaf)).collect();
        let fits = anchor.first == batch.first
            && anchor.count as usize == leaves.len()
            && anchor.root == tree::root(&leaves);
        if fits {
            Ok(Some(anchor.position))
        } else {
            Err(broken("a batch is not the one that was anchored"))
        }
    }
}

/// The batch of a record, if the record is where the batch says.
fn check_leaf(
    batch: Option<(Arc<WireBatch>, u64)>,
    sequence: u64,
    commitment: &[u8; 32],
) -> Result<Option<(Arc<WireBatch>, u64)>, FlowError> {
    let Some((batch, index)) = batch else { return Ok(None) };
    let place = usize::try_from(sequence - batch.first).unwrap_or(usize::MAX);
    match batch.commitments.get(place) {
        None => Ok(None), // Younger than the last anchor.
        Some(leaf) if leaf == commitment => Ok(Some((batch, index))),
        Some(_) => Err(broken("a record is not the one that was anchored in its place")),
    }
}

fn broken(error: impl ToString) -> FlowError {
    FlowError::Evidence(error.to_string())
}
