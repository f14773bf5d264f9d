//! Nothing leaves an honest member, no envelope and no partial, before a receipt that allows it to
//! this reader is final on that member's own ledger.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    let without = |handed: &&crate::watch::Handed| !handed.receipted;
    let mut without = notes.handed.iter().filter(without);
    match without.next() {
        None => Ok(()),
        Some(first) => Err(format!(
            "member {} handed {} of {:?}/{:?} to member {:?} under {:?} (and {} more)",
            first.server,
            first.what,
            cast.place_of(first.custodian),
            first.category,
            cast.place_of(first.reader),
            first.access,
            without.count()
        )),
    }
}
