//! What ends by block time: accesses whose time is over.

use alloc::vec::Vec;

use super::{Moment, access};
use crate::{
    AccessId, BlockTime, Ending, Entry, Event, Fault, Key, KeySet, Leaf, PatientId, Working,
    limits::ENDINGS_PER_BLOCK_MAX,
};

/// The encoded keys, first and last, between which the rows lie that are due at `now`.
///
/// Before it applies a block, the caller reads the first `limits::ENDINGS_PER_BLOCK_MAX` rows of
/// its local index in this range, in byte order ([`Key::decode`]), and the keys of [`due_touches`]
/// for each. Rows beyond the limit stay for the next block: they are in its range too.
pub fn due_range(now: BlockTime) -> (Vec<u8>, Vec<u8>) {
    let row = |until, byte| Key::Due {
        until,
        patient: PatientId([byte; 32]),
        access: AccessId([byte; 32]),
    };
    (row(0, 0x00).encode(), row(now, 0xff).encode())
}

/// Every key that the ending of one due row touches; nothing for any other key.
pub fn due_touches(row: &Key) -> KeySet {
    match row {
        Key::Due { patient, .. } => {
            [*row, Key::Accesses(*patient), Key::Epochs(*patient)].into_iter().collect()
        }
        _ => KeySet::default(),
    }
}

/// Ends what is due, first of all in a block. An access that ended early leaves its row behind; it
/// goes without a trace.
///
/// # Errors
///
/// [`Fault`] if the state was not read as [`due_range`] and [`due_touches`] say, or is damaged.
pub fn due(state: &mut Working, at: Moment) -> Result<Vec<Leaf>, Fault> {
    let rows = state.due_rows(at.time, ENDINGS_PER_BLOCK_MAX);
    let leaves = rows.into_iter().map(|row| end_row(state, row, at.height));
    leaves.filter_map(Result::transpose).collect()
}

fn end_row(state: &mut Working, row: Key, height: u64) -> Result<Option<Leaf>, Fault> {
    let Key::Due { patient, access, .. } = row else { return Ok(None) };
    state.begin(due_touches(&row), None);
    state.remove(row)?;
    if !access::end(state, patient, access)? {
        return Ok(None);
    }
    let event = Event::Ended { patient, access, why: Ending::Expired };
    Ok(Some(Leaf::new(Entry::Due { height, event })))
}
