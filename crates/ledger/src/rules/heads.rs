//! Heads: what makes a list complete. Each commits to a count and, by a chain of hashes, to every
//! entry of the list, so that one proof of one value shows that nothing was left out.

use proof::Hash;

use crate::{
    AccessState, AnchorHead, ConsentState, Entry, ErasureState, Event, Fault, Key, Leaf, Outcome,
    Working,
};

/// Extends the head of the list that the leaf belongs to, if it belongs to one.
pub(super) fn extend(state: &mut Working, leaf: &Leaf) -> Result<(), Fault> {
    let Entry::Outcome { outcome: Outcome::Accepted(event), .. } = &leaf.entry else {
        return Ok(());
    };
    match event {
        Event::Accessed(receipt) => {
            let list: &mut AccessState = state.edit(Key::Accesses(receipt.patient))?;
            list.count += 1;
            list.head = next(RECEIPTS, &list.head, leaf);
        }
        Event::Granted { patient, .. }
        | Event::Revoked { patient, .. }
        | Event::Restricted { patient, .. }
        | Event::Lifted { patient, .. } => {
            let list: &mut ConsentState = state.edit(Key::Consent(*patient))?;
            list.count += 1;
            list.head = next(CONSENTS, &list.head, leaf);
        }
        Event::Anchored { custodian, .. } => {
            let list: &mut AnchorHead = state.edit(Key::Anchor(*custodian))?;
            list.batches += 1;
            list.head = next(ANCHORS, &list.head, leaf);
        }
        Event::Erased(erasure) => {
            let list: &mut ErasureState = state.edit(Key::Erasures(erasure.patient))?;
            list.count += 1;
            list.head = next(ERASURES, &list.head, leaf);
        }
        _ => {}
    }
    Ok(())
}

fn next(domain: &[u8], head: &Hash, leaf: &Leaf) -> Hash {
    proof::sha256(&[domain, head, &leaf.hash])
}

const RECEIPTS: &[u8] = b"carestone/receipts/v1\n";
const CONSENTS: &[u8] = b"carestone/consents/v1\n";
const ANCHORS: &[u8] = b"carestone/anchors/v1\n";
const ERASURES: &[u8] = b"carestone/erasures/v1\n";
