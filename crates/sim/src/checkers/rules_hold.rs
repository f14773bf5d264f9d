//! Members decide as the oracle expects, command by command, and epochs rise as it counts them.

use crate::{Cast, watch::Notes};

pub fn check(_: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.disagreements.iter().chain(&notes.finale.epochs))
}
