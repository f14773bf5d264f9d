//! Reading: one transaction of the file, and what it lacks from memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use ledger::{CommandId, MemberId, PatientId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::tail::Tail;
use super::{IDLE_READERS_MAX, SqliteStore, place, tile_id, uint};
use crate::error::damaged;
use crate::store::{BlockRow, CosignedCheckpoint, StateChange, Value, View};
use crate::tree::{Node, NodeName};
use crate::{Error, Result};

/// The ledger as it was when the view began.
pub(super) struct SqliteView<'a> {
    store: &'a SqliteStore,
    /// Taken only by `drop`.
    connection: Option<Connection>,
    tip: Option<BlockRow>,
    /// First height of which the file lacks the randomly ordered rows.
    unflushed: u64,
}

impl<'a> SqliteView<'a> {
    /// Begins to read.
    pub fn begin(store: &'a SqliteStore, connection: Connection) -> Result<Self> {
        connection.execute_batch("BEGIN")?;
        let mut view = SqliteView { store, connection: Some(connection), tip: None, unflushed: 0 };
        // The first reads fix what the transaction sees.
        let sql = "SELECT * FROM block ORDER BY height DESC LIMIT 1";
        view.tip = view.one(sql, [], read_block)?;
        let unflushed = view.one("SELECT unflushed FROM network", [], |row| uint(row, 0))?;
        view.unflushed = unflushed.unwrap_or(0);
        Ok(view)
    }

    fn one<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let connection = self.connection.as_ref().expect("taken only by drop");
        Ok(connection.prepare_cached(sql)?.query_row(parameters, read).optional()?)
    }

    fn many<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let connection = self.connection.as_ref().expect("taken only by drop");
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn tail<T>(&self, ask: impl FnOnce(&Tail) -> T) -> Result<T> {
        let tail = self.store.tail.read().unwrap_or_else(PoisonError::into_inner);
        if tail.start() > self.unflushed {
            return Err(Error::SnapshotExpired);
        }
        Ok(ask(&tail))
    }

    fn height(&self) -> u64 {
        self.tip.as_ref().map_or(0, |tip| tip.height)
    }

    fn size(&self) -> u64 {
        self.tip.as_ref().map_or(0, |tip| tip.size)
    }
}

impl Drop for SqliteView<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A connection that cannot end its transaction is closed instead of kept.
        if connection.execute_batch("ROLLBACK").is_ok() {
            let mut readers = self.store.readers();
            if readers.len() < IDLE_READERS_MAX {
                readers.push(connection);
            }
        }
    }
}

impl View for SqliteView<'_> {
    fn tip(&self) -> Option<&BlockRow> {
        self.tip.as_ref()
    }

    fn block(&self, height: u64) -> Result<Option<BlockRow>> {
        self.one("SELECT * FROM block WHERE height = ?", [place(height)], read_block)
    }

    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>> {
        self.one("SELECT * FROM block WHERE size = ?", [place(size)], read_block)
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        if to > self.size() || from > to {
            return Err(Error::OutOfRange);
        }
        let sql = "SELECT first, bytes FROM entry WHERE first < ?2 \
                   AND first >= (SELECT max(first) FROM entry WHERE first <= ?1) ORDER BY first";
        let rows: Vec<(u64, Vec<u8>)> =
            self.many(sql, [place(from), place(to)], |row| Ok((uint(row, 0)?, row.get(1)?)))?;
        let mut entries = Vec::with_capacity((to - from) as usize);
        for (first, bytes) in rows {
            for (position, entry) in (first..).zip(split(&bytes)?) {
                if (from..to).contains(&position) {
                    entries.push(entry.to_vec());
                }
            }
        }
        match entries.len() as u64 == to - from {
            true => Ok(entries),
            false => Err(damaged("entries of the log are missing")),
        }
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>> {
        self.one("SELECT hashes FROM tile WHERE id = ?", [tile_id(level, index)], |row| row.get(0))
    }

    fn value(&self, key: &[u8]) -> Result<Option<Value>> {
        if let Some(recent) = self.tail(|tail| tail.value(key, self.height()))? {
            return Ok(recent);
        }
        let sql = "SELECT value FROM state WHERE key = ?";
        let value: Option<Vec<u8>> = self.one(sql, [key], |row| row.get(0))?;
        Ok(value.map(Value::from))
    }

    fn keys(&self, first: &[u8], last: &[u8]) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT key FROM state WHERE key BETWEEN ? AND ?";
        let stored: Vec<Vec<u8>> = self.many(sql, [first, last], |row| row.get(0))?;
        let mut keys: BTreeMap<Vec<u8>, bool> = stored.into_iter().map(|key| (key, true)).collect();
        keys.extend(self.tail(|tail| tail.keys(first, last, self.height()))?);
        Ok(keys.into_iter().filter_map(|(key, present)| present.then_some(key)).collect())
    }

    fn node(&self, name: &NodeName) -> Result<Option<Arc<Node>>> {
        if let Some(recent) = self.tail(|tail| tail.node(name, self.height()))? {
            return Ok(recent);
        }
        let sql = "SELECT bytes FROM node WHERE name = ?";
        let bytes: Option<Vec<u8>> = self.one(sql, [name], |row| row.get(0))?;
        bytes.map(|bytes| Node::decode(&bytes).map(Arc::new)).transpose()
    }

    fn change(&self, height: u64) -> Result<Option<StateChange>> {
        let sql = "SELECT bytes FROM journal WHERE height = ?";
        let bytes: Option<Vec<u8>> = self.one(sql, [place(height)], |row| row.get(0))?;
        let decode = |bytes: Vec<u8>| {
            borsh::from_slice(&bytes).map_err(|_| damaged("what a block changed does not decode"))
        };
        bytes.map(decode).transpose()
    }

    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        let sql = "SELECT height, bytes FROM seen ORDER BY height";
        self.many(sql, [], |row| Ok((uint(row, 0)?, row.get(1)?)))
    }

    fn command(&self, id: &CommandId) -> Result<Option<u64>> {
        let recent = self.tail(|tail| tail.command(id, self.size()))?;
        if let Some(row) = recent.iter().rev().find(|row| row.settles) {
            return Ok(Some(row.position));
        }
        let sql = "SELECT position FROM command WHERE id = ?";
        let stored = self.one(sql, [id.0], |row| uint(row, 0))?;
        Ok(stored.or_else(|| recent.first().map(|row| row.position)))
    }

    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>> {
        let sql = "SELECT number, position FROM receipt WHERE patient = ? AND number > ? \
                   ORDER BY number LIMIT ?";
        let stored: Vec<(u64, u64)> =
            self.many(sql, params![patient.0, place(after), place(limit)], |row| {
                Ok((uint(row, 0)?, uint(row, 1)?))
            })?;
        let mut all: BTreeMap<u64, u64> = stored.into_iter().collect();
        all.extend(
            self.tail(|tail| tail.receipts(*patient, after, self.size()).collect::<Vec<_>>())?,
        );
        Ok(all.into_values().take(limit as usize).collect())
    }

    fn anchor(&self, custodian: &MemberId, seq: u64) -> Result<Option<(u64, u64)>> {
        if let Some(recent) = self.tail(|tail| tail.anchor(*custodian, seq, self.size()))? {
            return Ok(Some(recent));
        }
        let sql = "SELECT first, position FROM anchor WHERE custodian = ? AND first <= ? \
                   ORDER BY first DESC LIMIT 1";
        let read = |row: &Row<'_>| Ok((uint(row, 0)?, uint(row, 1)?));
        self.one(sql, params![custodian.0, place(seq)], read)
    }

    fn checkpoint(&self) -> Result<Option<CosignedCheckpoint>> {
        self.one("SELECT height, size, note FROM checkpoint", [], |row| {
            Ok(CosignedCheckpoint { height: uint(row, 0)?, size: uint(row, 1)?, note: row.get(2)? })
        })
    }
}

fn read_block(row: &Row<'_>) -> rusqlite::Result<BlockRow> {
    Ok(BlockRow {
        height: uint(row, 0)?,
        time: uint(row, 1)?,
        size: uint(row, 2)?,
        root: row.get(3)?,
        state_root: row.get(4)?,
        leaf: row.get(5)?,
    })
}

/// The entries of one row.
fn split(mut bytes: &[u8]) -> Result<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() { Ok(entries) } else { Err(cut_off()) }
}

fn cut_off() -> Error {
    damaged("a row of entries is cut off")
}
