//! Once an access has ended on an honest member's own ledger, or the patient has hidden a scope
//! there, that member hands nothing more out.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    let over = |handed: &&crate::watch::Handed| handed.over;
    let mut over = notes.handed.iter().filter(over);
    match over.next() {
        None => Ok(()),
        Some(first) => Err(format!(
            "member {} handed {} of {:?}/{:?} to member {:?} under {:?}, which is over (and {} more)",
            first.server,
            first.what,
            cast.place_of(first.custodian),
            first.category,
            cast.place_of(first.reader),
            first.access,
            over.count()
        )),
    }
}
