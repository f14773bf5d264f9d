//! The store on disk: one SQLite file in WAL mode, one writing connection, a few reading ones.
//!
//! A block is durable as soon as the ends of a few tables are: its entries, and a journal of what it
//! changed in the state (`synchronous=FULL`, so a power cut costs nothing that was acknowledged). The
//! tables that are ordered by random keys, state, tree nodes and indexes, are much dearer to write: a
//! page for each row. They are written now and then, many rows at once (`flush`); until then their
//! newest rows are in memory (`tail`), and after a crash they are rebuilt from journal and log (`recover`).

mod flush;
mod recover;
mod tail;
mod view;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use ledger::NetworkId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};

use self::tail::Tail;
use self::view::SqliteView;
use super::{Commit, CosignedCheckpoint, Store, View};
use crate::{Error, Result};

/// The ledger in a folder.
pub(crate) struct SqliteStore {
    file: PathBuf,
    /// Rows in memory that make a flush worth its pages.
    flush_rows: usize,
    tail: RwLock<Tail>,
    readers: Mutex<Vec<Connection>>,
    /// Closed last, which tidies up the WAL.
    writer: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the store in this folder, or makes folder and store.
    pub fn open(folder: &Path, flush_rows: usize) -> Result<Self> {
        assert!(
            rusqlite::version_number() >= VERSION_NUMBER_MIN,
            "SQLite {} is too old: versions before 3.51.3 can damage a WAL database",
            rusqlite::version()
        );
        std::fs::create_dir_all(folder).map_err(|error| Error::Storage(error.to_string()))?;
        let file = folder.join(FILE_NAME);
        let mut writer = Connection::open(&file)?;
        prepare(&writer, WRITER_CACHE_KIB)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        create_tables(&mut writer)?;
        let (tail, readers) = (RwLock::default(), Mutex::default());
        let store = Self { file, flush_rows, tail, readers, writer: Mutex::new(writer) };
        store.recover()?;
        Ok(store)
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
        prepare(&reader, READER_CACHE_KIB)?;
        Ok(reader)
    }

    fn sqlite_view(&self) -> Result<SqliteView<'_>> {
        let idle = self.readers().pop();
        SqliteView::begin(self, idle.map_or_else(|| self.open_reader(), Ok)?)
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

    fn commit(&self, commit: Commit) -> Result<()> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        write_blocks(&transaction, &commit)?;
        write_changes(&transaction, &commit)?;
        let height = commit.blocks.last().map_or(0, |block| block.height);
        let (forget, is_first) = (commit.forget, commit.network.is_some());
        // In memory first: views look no further than their own height, so nobody sees it too early,
        // and a view that begins right after the commit finds everything.
        let rows = {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            tail.push(height, commit.changes.iter().map(|(_, change)| change), commit.nodes);
            tail.index(commit.index);
            tail.rows()
        };
        transaction.commit()?;
        if is_first || rows >= self.flush_rows {
            self.flush(&mut writer, height, forget)?;
        }
        Ok(())
    }

    fn keep_checkpoint(&self, checkpoint: &CosignedCheckpoint) -> Result<()> {
        // Survives the end of the process at once and a power cut with the next block's sync: an older
        // cosigned checkpoint is as true as a newer one, so this is not worth a sync of its own.
        without_sync(&mut self.writer(), |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO checkpoint (id, height, size, note) VALUES (1, ?, ?, ?)",
                )?
                .execute(params![int(checkpoint.height), int(checkpoint.size), checkpoint.note])?;
            Ok(())
        })
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.sqlite_view()?))
    }
}

fn prepare(connection: &Connection, cache_kib: i64) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(48);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(())
}

fn create_tables(writer: &mut Connection) -> Result<()> {
    let found: u32 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => {
            let transaction = writer.transaction()?;
            transaction.execute_batch(include_str!("sqlite/schema.sql"))?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()?;
            Ok(())
        }
        FORMAT => Ok(()),
        _ => Err(Error::NewerFormat { found, known: FORMAT }),
    }
}

/// Runs a transaction that may be lost in a power cut, but is never half there.
fn without_sync<T>(
    writer: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    writer.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = writer.transaction()?;
    let result = work(&transaction)?;
    transaction.commit()?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    Ok(result)
}

fn write_blocks(transaction: &Transaction<'_>, commit: &Commit) -> Result<()> {
    if let Some(network) = commit.network {
        transaction.execute("INSERT INTO network VALUES (1, ?, 0)", [network.0])?;
    }
    let mut block = transaction.prepare_cached("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)")?;
    for row in &commit.blocks {
        let (height, time, size) = (int(row.height), int(row.time), int(row.size));
        block.execute(params![height, time, size, row.root, row.state_root, row.leaf])?;
    }
    let mut entry = transaction.prepare_cached("INSERT INTO entry VALUES (?, ?)")?;
    for (first, bytes) in bundles(commit.first, &commit.entries) {
        entry.execute(params![int(first), bytes])?;
    }
    let mut tile = transaction.prepare_cached("INSERT INTO tile VALUES (?, ?)")?;
    for (level, index, hashes) in &commit.tiles {
        tile.execute(params![tile_id(*level, *index), hashes])?;
    }
    Ok(())
}

fn write_changes(transaction: &Transaction<'_>, commit: &Commit) -> Result<()> {
    let mut journal = transaction.prepare_cached("INSERT INTO journal VALUES (?, ?)")?;
    for (height, change) in &commit.changes {
        let bytes = borsh::to_vec(change).expect("writing to memory does not fail");
        journal.execute(params![int(*height), bytes])?;
    }
    let mut seen = transaction.prepare_cached("INSERT INTO seen VALUES (?, ?)")?;
    for (height, bytes) in &commit.seen {
        seen.execute(params![int(*height), bytes])?;
    }
    transaction
        .prepare_cached("DELETE FROM seen WHERE height <= ?")?
        .execute([int(commit.forget_seen)])?;
    Ok(())
}

/// Entries in rows that fill about a page: position of the first one, and their bytes.
fn bundles(first: u64, entries: &[Vec<u8>]) -> Vec<(u64, Vec<u8>)> {
    let mut rows: Vec<(u64, Vec<u8>)> = Vec::new();
    for (position, entry) in (first..).zip(entries) {
        match rows.last_mut() {
            Some((_, bytes)) if bytes.len() + entry.len() <= BUNDLE_BYTES => {}
            _ => rows.push((position, Vec::with_capacity(BUNDLE_BYTES))),
        }
        let length = u16::try_from(entry.len()).expect("an entry is at most 65,535 bytes");
        if let Some((_, bytes)) = rows.last_mut() {
            bytes.extend(length.to_be_bytes());
            bytes.extend(entry);
        }
    }
    rows
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
/// Page cache of the writing connection, in KiB: room for the pages of a flush.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Page cache of a reading connection, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;
/// Pages of 4 KiB in the WAL before they are moved into the file: the ends of tables, which every block
/// rewrites, are then moved once for many blocks.
const WAL_PAGES: i64 = 4_096;
/// Bytes of entries in one row.
const BUNDLE_BYTES: usize = 3_800;
