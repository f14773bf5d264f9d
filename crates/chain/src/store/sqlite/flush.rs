//! Writing many rows of the randomly ordered tables at once, each table in the order of its keys, so that
//! rows that lie together are written together.

use std::sync::PoisonError;

use rusqlite::{Connection, Transaction, params};

use super::tail::Recent;
use super::{SqliteStore, int, without_sync};
use crate::Result;

impl SqliteStore {
    /// Writes what waits in memory, up to `height`, which is committed. What is lost in a power cut is
    /// rebuilt from journal and log. Journal rows up to `forget` are of no use afterwards.
    pub(super) fn flush(&self, writer: &mut Connection, height: u64, forget: u64) -> Result<()> {
        let unflushed = height + 1;
        {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            without_sync(writer, |transaction| {
                write_state(transaction, tail.young())?;
                write_indexes(transaction, tail.young())?;
                transaction.execute("UPDATE network SET unflushed = ?", [int(unflushed)])?;
                transaction.execute("DELETE FROM journal WHERE height <= ?", [int(forget)])?;
                Ok(())
            })?;
        }
        self.tail.write().unwrap_or_else(PoisonError::into_inner).flushed(unflushed);
        Ok(())
    }
}

fn write_state(transaction: &Transaction<'_>, young: &Recent) -> Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM state WHERE key = ?")?;
    for (key, versions) in sorted(young.values.iter()) {
        match versions.last() {
            Some((_, Some(value))) => put.execute(params![key, &value[..]])?,
            _ => delete.execute([key])?,
        };
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO node VALUES (?, ?)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM node WHERE name = ?")?;
    for (name, versions) in sorted(young.nodes.iter()) {
        match versions.last() {
            Some((_, Some(node))) => put.execute(params![name, node.encode()])?,
            _ => delete.execute([name])?,
        };
    }
    Ok(())
}

fn write_indexes(transaction: &Transaction<'_>, young: &Recent) -> Result<()> {
    let mut settled = transaction.prepare_cached("INSERT OR REPLACE INTO command VALUES (?, ?)")?;
    let mut other = transaction.prepare_cached("INSERT OR IGNORE INTO command VALUES (?, ?)")?;
    for (id, rows) in sorted(young.commands.iter()) {
        for row in rows {
            let statement = if row.settles { &mut settled } else { &mut other };
            statement.execute(params![id.0, int(row.position)])?;
        }
    }
    let mut receipt = transaction.prepare_cached("INSERT INTO receipt VALUES (?, ?, ?)")?;
    for ((patient, number), position) in &young.receipts {
        receipt.execute(params![patient.0, int(*number), int(*position)])?;
    }
    let mut anchor = transaction.prepare_cached("INSERT INTO anchor VALUES (?, ?, ?)")?;
    for ((custodian, first), position) in &young.anchors {
        anchor.execute(params![custodian.0, int(*first), int(*position)])?;
    }
    Ok(())
}

fn sorted<'a, K: Ord + 'a, V: 'a>(
    rows: impl Iterator<Item = (&'a K, &'a V)>,
) -> Vec<(&'a K, &'a V)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}
