//! A patient's list of receipts is complete: every honest member counts, and shows, as many as the
//! oracle does, numbered without gaps.

use crate::{Cast, watch::Notes};

pub fn check(_: &Cast, notes: &Notes) -> Result<(), String> {
    for ((member, patient), [counted, shown, expected]) in &notes.finale.receipts {
        if counted != expected || shown != expected {
            return Err(format!(
                "member {member}, {patient:?}: {counted} counted, {shown} shown, not {expected}"
            ));
        }
    }
    Ok(())
}
