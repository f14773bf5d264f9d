//! Every proof file verifies offline, and no longer when any of some bytes is changed.

use crate::{Cast, dice::Dice, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.finale.unproven.iter())?;
    let mut dice = Dice::new(cast.seed, "proofs");
    for (what, file, policy) in &notes.finale.proofs {
        proof::verify(file, policy).map_err(|error| format!("{what}: {error}"))?;
        for _ in 0..FLIPS {
            let place = dice.index(file.len());
            let mut bytes = file.clone().into_bytes();
            bytes[place] ^= 1 << dice.below(7);
            let verified =
                String::from_utf8(bytes).is_ok_and(|bad| proof::verify(&bad, policy).is_ok());
            if verified {
                return Err(format!("{what}: byte {place} can be changed"));
            }
        }
    }
    Ok(())
}

/// Bytes that are changed in each file, one at a time.
const FLIPS: usize = 8;
