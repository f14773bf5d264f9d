//! Commitments of records: a custodian's batches follow each other without a gap.

use proof::Hash;

use super::Ruled;
use crate::{AnchorHead, Event, Key, MemberId, Reject, Working};

/// Commits to a batch of records that begins where the last one ended.
pub(super) fn anchor(
    state: &mut Working,
    custodian: MemberId,
    first: u64,
    count: u32,
    root: &Hash,
) -> Ruled {
    let anchors: &mut AnchorHead = state.edit(Key::Anchor(custodian))?;
    if first != anchors.next {
        return Err(Reject::Gap.into());
    }
    anchors.next = first.checked_add(count.into()).ok_or(Reject::Full)?;
    Ok(Event::Anchored { custodian, first, count, root: *root })
}
