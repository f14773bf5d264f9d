//! After everything has healed blocks come, a last read opens everything that was ever stored, and
//! no honest member has stopped by itself.

use crate::{Cast, watch::Notes};

pub fn check(_: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.stopped.iter())?;
    match &notes.finale.alive {
        Some(outcome) => outcome.clone(),
        None => Err("the run did not come to its end".to_owned()),
    }
}
