//! Messages that are taken after they waited, and in which order they came.
//!
//! Where a version stands in the vault says when it was filed, not when what it says came. So each
//! replay notes which versions it made, and a later one can tell what is older than its own message
//! whatever the order in which people take them. The notes are forgotten when nothing waits.

use std::{cell::OnceCell, collections::BTreeSet};

use vault::{JobPart, Place, Token};

use crate::{Filed, FlowError, Member};

/// A message that waited, and is taken now.
pub(crate) struct Replay {
    /// Its number in the work list: the messages have rising numbers in the order in which they
    /// came.
    number: u64,
    /// Whether somebody has looked at it: what would make it wait is flagged instead.
    pub(crate) is_decided: bool,
    /// Versions that were made by replays of messages that came before it, once they are asked for.
    of_older: OnceCell<BTreeSet<Made>>,
}

/// A record and its version, as it is noted.
type Made = ([u8; 16], u32);

impl Replay {
    pub(crate) fn of(number: u64, is_decided: bool) -> Self {
        Self { number, is_decided, of_older: OnceCell::new() }
    }
}

impl Member {
    /// Whether a version came of a message that is older than the one that is taken, although it
    /// was filed later.
    pub(crate) fn is_of_older(&self, replay: &Replay, place: &Place) -> Result<bool, FlowError> {
        let of_older = match replay.of_older.get() {
            Some(known) => known,
            None => {
                let made = self.made_before(replay.number)?;
                replay.of_older.get_or_init(|| made)
            }
        };
        Ok(of_older.contains(&(place.record.0, place.version)))
    }

    /// Versions that were made by replays of messages before this number.
    pub(crate) fn made_before(&self, number: u64) -> Result<BTreeSet<Made>, FlowError> {
        let mut made_before = BTreeSet::new();
        let (mut from, end) = (0, part_of(number));
        while from < end {
            let parts = self.vault.job_parts(self.replays(), from, PAGE)?;
            let Some(last) = parts.last() else { break };
            from = last.part + 1;
            for part in parts.iter().take_while(|part| part.part < end) {
                let made: Vec<Made> =
                    self.unwrap(REPLAY, &part.part.to_le_bytes(), &part.sealed)?;
                made_before.extend(made);
            }
        }
        Ok(made_before)
    }

    /// The note which versions a replay made.
    pub(crate) fn noted_replay(&self, replay: Option<&Replay>, filed: &[Filed]) -> Vec<JobPart> {
        let Some(replay) = replay.filter(|_| !filed.is_empty()) else { return Vec::new() };
        let made = filed.iter().map(|one| {
            let target = &one.target;
            (self.keys.record_id(target.resource_type.name(), &target.id).0, one.version)
        });
        let (made, part): (Vec<Made>, u64) = (made.collect(), part_of(replay.number));
        let sealed = self.wrap(REPLAY, &part.to_le_bytes(), &made);
        vec![JobPart { job: self.replays(), part, sealed }]
    }

    /// Forgets which versions replays made, as soon as nothing waits that they matter for.
    pub(crate) fn forget_replays(&self) -> Result<(), FlowError> {
        if self.vault.messages_waiting(0, 1)?.is_empty() {
            self.vault.forget_job(self.replays())?;
        }
        Ok(())
    }

    fn replays(&self) -> Token {
        self.keys.token("feed-replays", &[])
    }
}

/// Part 0 of a job is what tells how far it is; this one never ends.
fn part_of(number: u64) -> u64 {
    number + 1
}

const REPLAY: &str = "feed replay";

/// Notes that are read at once.
const PAGE: usize = 64;
