//! After opening: rebuilds in memory what was not flushed, from the journal and the log.

use std::sync::PoisonError;

use rusqlite::OptionalExtension;

use super::tail::Tail;
use super::view::SqliteView;
use super::{SqliteStore, uint};
use crate::Result;
use crate::error::damaged;
use crate::index::Index;
use crate::snapshot::decode_entry;
use crate::store::{BlockRow, View};
use crate::tree::{ChangedNodes, Update};

impl SqliteStore {
    /// Fills the tail with what the file lacks.
    pub(super) fn recover(&self) -> Result<()> {
        let sql = "SELECT unflushed FROM network";
        let unflushed = self.writer().query_row(sql, [], |row| uint(row, 0)).optional()?;
        let Some(unflushed) = unflushed else { return Ok(()) };
        *self.tail.write().unwrap_or_else(PoisonError::into_inner) = Tail::starting(unflushed);
        let view = self.sqlite_view()?;
        let tip = view.tip().map_or(0, |tip| tip.height);
        for height in unflushed..=tip {
            let block = view.block(height)?.ok_or_else(|| damaged("a block is missing"))?;
            self.recover_state(&view, &block)?;
            self.recover_index(&view, &block)?;
        }
        Ok(())
    }

    fn recover_state(&self, view: &SqliteView<'_>, block: &BlockRow) -> Result<()> {
        let Some(change) = view.change(block.height)? else { return Ok(()) };
        let mut nodes = ChangedNodes::new();
        if !change.proven.is_empty() {
            let root;
            (root, nodes) = Update::run(|name| view.node(name), change.leaves())?;
            if root != block.state_root {
                return Err(damaged("the journal does not lead to the block's state root"));
            }
        }
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        tail.push(block.height, std::iter::once(&change), nodes);
        Ok(())
    }

    fn recover_index(&self, view: &SqliteView<'_>, block: &BlockRow) -> Result<()> {
        let Some(before) = block.height.checked_sub(1) else { return Ok(()) };
        let before = view.block(before)?.ok_or_else(|| damaged("a block is missing"))?;
        let mut index = Index::default();
        let entries = view.entries(before.size, block.size)?;
        for (position, bytes) in (before.size..).zip(&entries) {
            index.add(&decode_entry(bytes)?, position);
        }
        self.tail.write().unwrap_or_else(PoisonError::into_inner).index(index);
        Ok(())
    }
}
