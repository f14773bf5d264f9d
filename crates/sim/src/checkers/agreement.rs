//! Honest members have the same leaf at the same place of the log, before and after a power cut.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    super::none_of(notes.rewritten.iter())?;
    let logs: Vec<_> =
        cast.honest().filter_map(|place| Some((place, notes.leaves.get(&place)?))).collect();
    let longest = logs.iter().max_by_key(|(_, log)| log.len()).ok_or("nobody has a log")?;
    for (place, log) in &logs {
        for (position, leaf) in *log {
            if longest.1.get(position) != Some(leaf) {
                return Err(format!("members {place} and {} differ at {position}", longest.0));
            }
        }
    }
    Ok(())
}
