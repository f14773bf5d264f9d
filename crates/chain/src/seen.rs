//! Which commands were ordered lately: the memory against replay.
//!
//! A command can be replayed only while it has not expired, at most ten minutes, so this fits into
//! memory. On disk there is one list per block, read back when the chain is opened.

use std::collections::{HashMap, VecDeque};

use ledger::{BlockTime, CommandId};

use crate::Result;
use crate::error::damaged;

/// Commands that have not expired, with their expiry.
#[derive(Default)]
pub(crate) struct Seen {
    expires: HashMap<CommandId, BlockTime>,
    /// What each block added, oldest first.
    blocks: VecDeque<SeenBlock>,
}

struct SeenBlock {
    height: u64,
    /// When the last of its commands expires.
    until: BlockTime,
    commands: Vec<CommandId>,
}

impl Seen {
    /// Reads back what the blocks added.
    pub fn open(blocks: Vec<(u64, Vec<u8>)>) -> Result<Self> {
        let mut seen = Self::default();
        for (height, bytes) in blocks {
            let list: Vec<(CommandId, BlockTime)> = borsh::from_slice(&bytes)
                .map_err(|_| damaged("the memory against replay does not decode"))?;
            seen.add(height, &list);
        }
        Ok(seen)
    }

    /// When the command expires, if it was ordered and has not expired at `now`. The answer does not
    /// depend on when expired commands are dropped, because it must be the same on all members.
    pub fn expires(&self, id: &CommandId, now: BlockTime) -> Option<BlockTime> {
        self.expires.get(id).copied().filter(|expires| *expires >= now)
    }

    /// Adds the commands of a block; returns the list as it is stored.
    pub fn add(&mut self, height: u64, list: &[(CommandId, BlockTime)]) -> Vec<u8> {
        self.expires.extend(list.iter().copied());
        self.blocks.push_back(SeenBlock {
            height,
            until: list.iter().map(|(_, expires)| *expires).max().unwrap_or(0),
            commands: list.iter().map(|(id, _)| *id).collect(),
        });
        borsh::to_vec(list).expect("writing to memory does not fail")
    }

    /// Drops the oldest blocks of which everything has expired at `now`, and tells the height up to
    /// which nothing is needed any more; 0 if that is not known.
    pub fn forget(&mut self, now: BlockTime) -> u64 {
        let mut forgotten = 0;
        while let Some(block) = self.blocks.pop_front_if(|block| block.until < now) {
            for id in block.commands {
                // A command that was refused for now may have come again with a later block.
                if self.expires.get(&id).is_some_and(|expires| *expires < now) {
                    self.expires.remove(&id);
                }
            }
            forgotten = block.height;
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: CommandId = CommandId([1; 32]);
    const B: CommandId = CommandId([2; 32]);

    #[test]
    fn commands_are_remembered_until_they_expire_and_not_longer() {
        let mut seen = Seen::default();
        let first = seen.add(7, &[(A, 100)]);
        let second = seen.add(8, &[(B, 50)]);
        assert_eq!(seen.expires(&A, 100), Some(100));
        assert_eq!(seen.expires(&A, 101), None);
        assert_eq!(seen.forget(60), 0, "the older block still holds the newer one back");
        assert_eq!(seen.expires(&B, 60), None, "whether or not it was dropped");

        let again = Seen::open(vec![(7, first), (8, second)]).unwrap();
        assert_eq!(again.expires(&A, 60), Some(100));
        assert_eq!(seen.forget(101), 8);
        assert!(seen.expires.is_empty() && seen.blocks.is_empty());
    }
}
