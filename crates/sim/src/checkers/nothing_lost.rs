//! What was acknowledged is there: its custodian reads it back with the same bytes, and it is
//! anchored, unless it was erased. And what anybody opened was stored.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.untrue.iter())?;
    if !matches!(notes.finale.alive, Some(Ok(()))) {
        return Ok(()); // Nothing could be asked for: `liveness` says so.
    }
    super::none_of(notes.finale.unread.iter())?;
    let is_kept = |stored: &&crate::watch::Stored| {
        let custodian = cast.hospitals[stored.custodian].id;
        !notes.erased.contains(&(custodian, stored.sequence))
    };
    for stored in notes.stored.iter().filter(is_kept) {
        let place = (stored.custodian, stored.sequence);
        match notes.finale.read_back.get(&place) {
            None => return Err(format!("record {place:?} is gone")),
            Some((bytes, _)) if *bytes != stored.bytes => {
                return Err(format!("record {place:?} has other bytes"));
            }
            Some((_, false)) => return Err(format!("record {place:?} is not anchored")),
            Some(_) => {}
        }
    }
    Ok(())
}
