//! Large envelopes that arrive in parts, until their record arrives too.

use std::{collections::HashMap, sync::Mutex};

use ledger::MemberId;

use crate::{Answer, Refusal, limits};

/// Envelopes under way: of which custodian, which record, and what has come so far.
#[derive(Default)]
pub(crate) struct Parted(Mutex<HashMap<(MemberId, u64), Vec<u8>>>);

impl Parted {
    /// Adds the next part; answers with how much there is now.
    pub fn add(&self, custodian: MemberId, sequence: u64, offset: u64, part: Vec<u8>) -> Answer {
        let mut envelopes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if offset == 0 {
            if envelopes.len() >= limits::PARTED_MAX {
                envelopes.clear(); // Whoever is interrupted begins again.
            }
            envelopes.insert((custodian, sequence), Vec::new());
        }
        let Some(envelope) = envelopes.get_mut(&(custodian, sequence)) else {
            return Answer::Refused(Refusal::NotHeld);
        };
        let fits = envelope.len() + part.len() <= vault::limits::ENVELOPE_BYTES_MAX;
        if envelope.len() as u64 != offset || !fits {
            envelopes.remove(&(custodian, sequence));
            return Answer::Refused(Refusal::Malformed);
        }
        envelope.extend(part);
        Answer::Kept(envelope.len() as u64)
    }

    /// Forgets what has come of records that are erased.
    pub fn forget(&self, custodian: MemberId, is_erased: impl Fn(u64) -> bool) {
        let mut envelopes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        envelopes.retain(|(whose, sequence), _| *whose != custodian || !is_erased(*sequence));
    }

    /// Takes a finished envelope.
    pub fn take(&self, custodian: MemberId, sequence: u64) -> Option<Vec<u8>> {
        let mut envelopes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        envelopes.remove(&(custodian, sequence))
    }
}
