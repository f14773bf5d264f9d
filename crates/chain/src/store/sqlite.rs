//! The store on disk: one SQLite file in WAL mode, one writing connection, a few reading ones.
//!
//! `synchronous=FULL`: a commit is on the disk when it returns, so a power cut costs nothing that was
//! acknowledged. The writer also moves the WAL into the file; readers never wait for it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::{CommandId, MemberId, NetworkId, PatientId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};

use super::{BlockRow, Commit, CosignedCheckpoint, NodeName, Replaced, Store, View};
use crate::error::damaged;
use crate::{Error, Result};

/// The ledger in a folder.
pub(crate) struct SqliteStore {
    file: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the store in this folder, or makes folder and store.
    pub fn open(folder: &Path) -> Result<Self> {
        assert!(
            rusqlite::version_number() >= VERSION_NUMBER_MIN,
            "SQLite {} is too old: versions before 3.51.3 can damage a WAL database",
            rusqlite::version()
        );
        std::fs::create_dir_all(folder).map_err(|error| Error::Storage(error.to_string()))?;
        let file = folder.join(FILE_NAME);
        let mut writer = Connection::open(&file)?;
        prepare(&writer)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        create_tables(&mut writer)?;
        Ok(Self { file, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.file, flags)?;
        prepare(&reader)?;
        Ok(reader)
    }
}

impl Store for SqliteStore {
    fn network(&self) -> Result<Option<NetworkId>> {
        let found = self
            .writer()
            .query_row("SELECT network FROM network", [], |row| row.get(0).map(NetworkId))
            .optional()?;
        Ok(found)
    }

    fn commit(&self, commit: &Commit) -> Result<()> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        write_log(&transaction, commit)?;
        write_state(&transaction, commit)?;
        write_indexes(&transaction, commit)?;
        forget(&transaction, commit.forget)?;
        transaction
            .prepare_cached("DELETE FROM seen WHERE height <= ?")?
            .execute([int(commit.forget_seen)])?;
        transaction.commit()?;
        Ok(())
    }

    fn keep_checkpoint(&self, checkpoint: &CosignedCheckpoint) -> Result<()> {
        let writer = self.writer();
        // Survives the end of the process at once and a power cut with the next block's sync: an older
        // cosigned checkpoint is as true as a newer one, so this is not worth a sync of its own.
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        let written = writer.execute(
            "INSERT OR REPLACE INTO checkpoint (id, height, size, note) VALUES (1, ?, ?, ?)",
            params![int(checkpoint.height), int(checkpoint.size), checkpoint.note],
        );
        writer.pragma_update(None, "synchronous", "FULL")?;
        written?;
        Ok(())
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        let idle = self.readers().pop();
        let connection = idle.map_or_else(|| self.open_reader(), Ok)?;
        connection.execute_batch("BEGIN")?;
        Ok(Box::new(SqliteView { store: self, connection: Some(connection) }))
    }
}

struct SqliteView<'a> {
    store: &'a SqliteStore,
    /// Taken only by `drop`.
    connection: Option<Connection>,
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

impl SqliteView<'_> {
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
}

impl View for SqliteView<'_> {
    fn tip(&self) -> Result<Option<BlockRow>> {
        self.one("SELECT * FROM block ORDER BY height DESC LIMIT 1", [], read_block)
    }

    fn block(&self, height: u64) -> Result<Option<BlockRow>> {
        self.one("SELECT * FROM block WHERE height = ?", [place(height)], read_block)
    }

    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>> {
        self.one("SELECT * FROM block WHERE size = ?", [place(size)], read_block)
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT bytes FROM entry WHERE position >= ? AND position < ? ORDER BY position";
        let found = self.many(sql, [place(from), place(to)], |row| row.get(0))?;
        if found.len() as u64 != to.saturating_sub(from) {
            return Err(Error::OutOfRange);
        }
        Ok(found)
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>> {
        self.one("SELECT hashes FROM tile WHERE id = ?", [tile_id(level, index)], |row| row.get(0))
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.one("SELECT value FROM state WHERE key = ?", [key], |row| row.get(0))
    }

    fn values(&self, first: &[u8], last: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let sql = "SELECT key, value FROM state WHERE key BETWEEN ? AND ? ORDER BY key";
        self.many(sql, [first, last], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        let sql = "SELECT height, bytes FROM seen ORDER BY height";
        self.many(sql, [], |row| Ok((uint(row, 0)?, row.get(1)?)))
    }

    fn node(&self, name: &NodeName) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT bytes FROM node WHERE path = ? AND version = ?";
        self.one(sql, params![name.path, place(name.version)], |row| row.get(0))
    }

    fn replaced(&self, height: u64) -> Result<Option<Replaced>> {
        let sql = "SELECT bytes FROM replaced WHERE height = ?";
        let bytes: Option<Vec<u8>> = self.one(sql, [place(height)], |row| row.get(0))?;
        bytes.map(|bytes| decode_replaced(&bytes)).transpose()
    }

    fn command(&self, id: &CommandId) -> Result<Option<u64>> {
        self.one("SELECT position FROM command WHERE id = ?", [id.0], |row| uint(row, 0))
    }

    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>> {
        let sql = "SELECT position FROM receipt WHERE patient = ? AND number > ? \
                   ORDER BY number LIMIT ?";
        self.many(sql, params![patient.0, place(after), place(limit)], |row| uint(row, 0))
    }

    fn anchor(&self, custodian: &MemberId, seq: u64) -> Result<Option<(u64, u64)>> {
        let sql = "SELECT first, position FROM anchor WHERE custodian = ? AND first <= ? \
                   ORDER BY first DESC LIMIT 1";
        self.one(sql, params![custodian.0, place(seq)], |row| Ok((uint(row, 0)?, uint(row, 1)?)))
    }

    fn checkpoint(&self) -> Result<Option<CosignedCheckpoint>> {
        self.one("SELECT height, size, note FROM checkpoint", [], |row| {
            Ok(CosignedCheckpoint { height: uint(row, 0)?, size: uint(row, 1)?, note: row.get(2)? })
        })
    }
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(())
}

fn create_tables(writer: &mut Connection) -> Result<()> {
    let found: u32 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => {
            let transaction = writer.transaction()?;
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()?;
            Ok(())
        }
        FORMAT => Ok(()),
        _ => Err(Error::NewerFormat { found, known: FORMAT }),
    }
}

fn write_log(transaction: &Transaction<'_>, commit: &Commit) -> Result<()> {
    if let Some(network) = commit.network {
        transaction.execute("INSERT INTO network (id, network) VALUES (1, ?)", [network.0])?;
    }
    let mut block = transaction.prepare_cached("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for row in &commit.blocks {
        let (height, time, size) = (int(row.height), int(row.time), int(row.size));
        let version = int(row.tree_version);
        block.execute(params![height, time, size, row.root, row.state_root, version, row.leaf])?;
    }
    let mut entry = transaction.prepare_cached("INSERT INTO entry VALUES (?, ?)")?;
    for (position, bytes) in (commit.first..).zip(&commit.entries) {
        entry.execute(params![int(position), bytes])?;
    }
    let mut tile = transaction.prepare_cached("INSERT INTO tile VALUES (?, ?)")?;
    for (level, index, hashes) in &commit.tiles {
        tile.execute(params![tile_id(*level, *index), hashes])?;
    }
    Ok(())
}

fn write_state(transaction: &Transaction<'_>, commit: &Commit) -> Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM state WHERE key = ?")?;
    for (key, value) in &commit.values {
        match value {
            Some(value) => put.execute(params![key, value])?,
            None => delete.execute([key])?,
        };
    }
    let mut node = transaction.prepare_cached("INSERT INTO node VALUES (?, ?, ?)")?;
    for (name, bytes) in &commit.nodes {
        node.execute(params![name.path, int(name.version), bytes])?;
    }
    let mut replaced = transaction.prepare_cached("INSERT INTO replaced VALUES (?, ?)")?;
    for (height, row) in &commit.replaced {
        let bytes = borsh::to_vec(row).expect("writing to memory does not fail");
        replaced.execute(params![int(*height), bytes])?;
    }
    let mut seen = transaction.prepare_cached("INSERT INTO seen VALUES (?, ?)")?;
    for (height, bytes) in &commit.seen {
        seen.execute(params![int(*height), bytes])?;
    }
    Ok(())
}

fn write_indexes(transaction: &Transaction<'_>, commit: &Commit) -> Result<()> {
    let mut settled = transaction.prepare_cached("INSERT OR REPLACE INTO command VALUES (?, ?)")?;
    let mut other = transaction.prepare_cached("INSERT OR IGNORE INTO command VALUES (?, ?)")?;
    for row in &commit.commands {
        let statement = if row.settles { &mut settled } else { &mut other };
        statement.execute(params![row.id.0, int(row.position)])?;
    }
    let mut receipt = transaction.prepare_cached("INSERT INTO receipt VALUES (?, ?, ?)")?;
    for (patient, number, position) in &commit.receipts {
        receipt.execute(params![patient.0, int(*number), int(*position)])?;
    }
    let mut anchor = transaction.prepare_cached("INSERT INTO anchor VALUES (?, ?, ?)")?;
    for (custodian, first, position) in &commit.anchors {
        anchor.execute(params![custodian.0, int(*first), int(*position)])?;
    }
    Ok(())
}

/// Drops the nodes that became stale up to this height, and the record of them.
fn forget(transaction: &Transaction<'_>, height: u64) -> Result<()> {
    let mut old = transaction.prepare_cached("SELECT bytes FROM replaced WHERE height <= ?")?;
    let mut node = transaction.prepare_cached("DELETE FROM node WHERE path = ? AND version = ?")?;
    let mut rows = old.query([int(height)])?;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        for name in &decode_replaced(&bytes)?.nodes {
            node.execute(params![name.path, int(name.version)])?;
        }
    }
    transaction.prepare_cached("DELETE FROM replaced WHERE height <= ?")?.execute([int(height)])?;
    Ok(())
}

fn decode_replaced(bytes: &[u8]) -> Result<Replaced> {
    borsh::from_slice(bytes).map_err(|_| damaged("what a block replaced does not decode"))
}

fn read_block(row: &Row<'_>) -> rusqlite::Result<BlockRow> {
    Ok(BlockRow {
        height: uint(row, 0)?,
        time: uint(row, 1)?,
        size: uint(row, 2)?,
        root: row.get(3)?,
        state_root: row.get(4)?,
        tree_version: uint(row, 5)?,
        leaf: row.get(6)?,
    })
}

fn tile_id(level: u8, index: u64) -> i64 {
    place((u64::from(level) << 56) | index)
}

/// SQLite integers are signed. Nothing counted here reaches 2^63.
fn int(number: u64) -> i64 {
    i64::try_from(number).expect("heights, sizes and times stay below 2^63")
}

/// A number that somebody asks for; beyond what was ever written there is simply nothing.
fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn uint(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// Name of the file in the node's folder.
const FILE_NAME: &str = "ledger.sqlite";
/// Version of `schema.sql`.
const FORMAT: u32 = 1;
/// 3.51.3, which repairs the rare corruption when a WAL is reset while another connection uses it.
const VERSION_NUMBER_MIN: i32 = 3_051_003;
/// Reading connections kept open while nobody reads.
const IDLE_READERS_MAX: usize = 4;
/// Page cache of one connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;
