//! No cosigning key of an honest member signs two roots for one size, and what it signs is one
//! history: each checkpoint is consistent with the one before.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.inconsistent.iter())?;
    for place in cast.honest() {
        for (size, roots) in notes.signed.get(&place).into_iter().flatten() {
            if roots.len() > 1 {
                return Err(format!("member {place} signed {} roots of size {size}", roots.len()));
            }
        }
    }
    Ok(())
}
