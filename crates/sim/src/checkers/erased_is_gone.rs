//! What is erased is held by no honest member any more, and after its own ledger says so no honest
//! member gives it or opens it.

use crate::{Cast, watch::Notes};

pub fn check(_: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.unerased.iter())
}
