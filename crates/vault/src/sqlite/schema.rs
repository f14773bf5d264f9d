//! The tables, and how a connection is set up.
//!
//! Commitments are a table of their own: they stay for the proofs of their neighbours when the
//! records of a scope or a patient are erased. Tokens hang on commitments for the same reason:
//! erasing a record checks no other table.

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::failure::Failure;

/// What makes the tables, one step for each version; `user_version` counts those that were done. A
/// step that was released never changes.
const STEPS: [&str; 6] = [TABLES, CASES, QUALITY, ERASURE, JOBS, READERS];

/// The version since which deleted content is overwritten.
const SECURE_SINCE: i64 = 4;

/// `CSTV`, kept in `application_id`.
const APPLICATION_ID: i64 = 0x4353_5456;

/// SQLite 3.51.3: the first without the checkpoint race that could corrupt a database in WAL mode.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// How long a connection waits for another one's short locks (recovery, checkpoint), in
/// milliseconds.
const LOCK_WAIT_MS: u64 = 10_000;

const STATEMENTS_CACHED: usize = 64;

/// Refuses a library that is too old.
pub(super) fn check_library() -> Result<(), Failure> {
    if rusqlite::version_number() >= SQLITE_VERSION_MIN {
        return Ok(());
    }
    Err(Failure::Broken(format!("SQLite is {}, at least 3.51.3 is needed", rusqlite::version())))
}

/// Sets up the one connection that writes.
pub(super) fn writer(connection: &Connection) -> Result<(), Failure> {
    common(connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::Broken(format!("the file system allows only journal mode {mode}")));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -65536;",
    )?;
    Ok(())
}

/// Flags of a connection that only reads.
pub(super) fn reader_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Sets up a connection that only reads.
pub(super) fn reader(connection: &Connection) -> Result<(), Failure> {
    common(connection)?;
    connection.execute_batch("PRAGMA cache_size = -8192;")?;
    Ok(())
}

fn common(connection: &Connection) -> Result<(), Failure> {
    // Plans do not look at what is bound: else a statement is prepared anew each time it is run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(std::time::Duration::from_millis(LOCK_WAIT_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(())
}

/// Makes the tables of a new file, and refuses a file that is not ours or newer than this program.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let (application, version): (i64, i64) = (pragma("application_id")?, pragma("user_version")?);
    let done = usize::try_from(version).ok().and_then(|done| STEPS.get(done..));
    match (application, done) {
        (APPLICATION_ID, Some([])) => Ok(()),
        (0 | APPLICATION_ID, Some(steps)) if (application == 0) == (version == 0) => {
            if (1..SECURE_SINCE).contains(&version) {
                // What was deleted or moved before may still lie in unused parts of the file.
                connection.execute_batch("VACUUM")?;
            }
            take(connection, steps)
        }
        (APPLICATION_ID, None) => Err(Failure::Broken(format!(
            "its tables have version {version}, this program knows {}",
            STEPS.len()
        ))),
        _ => Err(Failure::Broken("the file is another program's database".into())),
    }
}

/// Takes the steps that are missing, all or none.
fn take(connection: &mut Connection, steps: &[&str]) -> Result<(), Failure> {
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// Counts the openings of this vault, durably; the first is 1.
pub(super) fn next_generation(connection: &Connection) -> Result<u64, Failure> {
    let generation: i64 = connection.query_row(
        "UPDATE generation SET value = value + 1 RETURNING value",
        [],
        |row| row.get(0),
    )?;
    Ok(generation as u64)
}

/// What is kept to judge and to report the quality of what comes in.
const QUALITY: &str = "
CREATE TABLE portraits (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tallies (
    day    INTEGER NOT NULL CHECK (day >= 0),
    token  BLOB NOT NULL CHECK (length(token) = 16),
    sealed BLOB NOT NULL,
    count  INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (day, token)
) STRICT, WITHOUT ROWID;
";

/// Who opened accesses: what opens the commitments of the ledger.
const READERS: &str = "
CREATE TABLE readers (
    access BLOB PRIMARY KEY CHECK (length(access) = 32),
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What is erased, and what is going to be.
const ERASURE: &str = "
-- Orders under way, and the records that they hide.
CREATE TABLE wanted (
    number INTEGER PRIMARY KEY,
    token  BLOB NOT NULL UNIQUE CHECK (length(token) = 16),
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE hidden (
    sequence INTEGER PRIMARY KEY REFERENCES records ON DELETE CASCADE,
    number   INTEGER NOT NULL REFERENCES wanted ON DELETE CASCADE
) STRICT;
CREATE INDEX hidden_of_wanted ON hidden (number);

-- The last version of records of which some version is erased: no name is used twice.
CREATE TABLE last_versions (
    record  BLOB PRIMARY KEY CHECK (length(record) = 16),
    version INTEGER NOT NULL CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

-- Runs of other members' records that are erased: a copy that comes late is refused.
CREATE TABLE erased (
    peer    INTEGER NOT NULL REFERENCES peers,
    first   INTEGER NOT NULL CHECK (first >= 0),
    count   INTEGER NOT NULL CHECK (count >= 1),
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    PRIMARY KEY (peer, first)
) STRICT, WITHOUT ROWID;

-- Tokens go with their record.
CREATE INDEX tokens_of_record ON tokens (sequence);
";

const TABLES: &str = "
-- This node's records.

CREATE TABLE commitments (
    sequence   INTEGER PRIMARY KEY CHECK (sequence >= 0),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32)
) STRICT;

CREATE TABLE scopes (
    scope   BLOB NOT NULL CHECK (length(scope) = 16),
    epoch   INTEGER NOT NULL,
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    seal    BLOB NOT NULL,
    back    BLOB,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (scope, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX scopes_of_patient ON scopes (patient);

CREATE TABLE records (
    sequence INTEGER PRIMARY KEY REFERENCES commitments,
    record   BLOB NOT NULL CHECK (length(record) = 16),
    version  INTEGER NOT NULL CHECK (version >= 1),
    patient  BLOB NOT NULL CHECK (length(patient) = 32),
    scope    BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    blob     TEXT,
    digest   BLOB CHECK (length(digest) = 32),
    envelope BLOB,
    FOREIGN KEY (scope, epoch) REFERENCES scopes,
    CHECK ((blob IS NULL) = (digest IS NULL) AND (blob IS NULL) = (envelope IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX versions ON records (record, version);
CREATE INDEX records_of_patient ON records (patient);
CREATE INDEX records_of_scope ON records (scope);
CREATE UNIQUE INDEX blobs_of_records ON records (blob) WHERE blob IS NOT NULL;

CREATE TABLE tokens (
    token    BLOB NOT NULL CHECK (length(token) = 16),
    sequence INTEGER NOT NULL REFERENCES commitments,
    PRIMARY KEY (token, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE names (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    name   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    token   BLOB PRIMARY KEY CHECK (length(token) = 16),
    patient BLOB NOT NULL CHECK (length(patient) = 32)
) STRICT, WITHOUT ROWID;

-- Batches of them that are on the ledger.

CREATE TABLE anchors (
    first     INTEGER PRIMARY KEY REFERENCES commitments,
    count     INTEGER NOT NULL CHECK (count >= 1),
    root      BLOB NOT NULL CHECK (length(root) = 32),
    log_index INTEGER NOT NULL
) STRICT;

-- Other members: what is kept for them, and how far they keep ours.

CREATE TABLE peers (
    peer   INTEGER PRIMARY KEY,
    member BLOB NOT NULL UNIQUE CHECK (length(member) = 32),
    cursor INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE copied_commitments (
    peer       INTEGER NOT NULL REFERENCES peers,
    sequence   INTEGER NOT NULL CHECK (sequence >= 0),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    PRIMARY KEY (peer, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE copied_scopes (
    peer    INTEGER NOT NULL REFERENCES peers,
    scope   BLOB NOT NULL CHECK (length(scope) = 16),
    epoch   INTEGER NOT NULL,
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    seal    BLOB NOT NULL,
    back    BLOB,
    PRIMARY KEY (peer, scope, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX copied_scopes_of_patient ON copied_scopes (peer, patient);

CREATE TABLE copies (
    copy     INTEGER PRIMARY KEY,
    peer     INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    record   BLOB NOT NULL CHECK (length(record) = 16),
    version  INTEGER NOT NULL CHECK (version >= 1),
    patient  BLOB NOT NULL CHECK (length(patient) = 32),
    scope    BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    blob     TEXT,
    digest   BLOB CHECK (length(digest) = 32),
    envelope BLOB,
    FOREIGN KEY (peer, sequence) REFERENCES copied_commitments,
    FOREIGN KEY (peer, scope, epoch) REFERENCES copied_scopes,
    CHECK ((blob IS NULL) = (digest IS NULL) AND (blob IS NULL) = (envelope IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX copies_in_order ON copies (peer, sequence);
CREATE INDEX copies_of_patient ON copies (peer, patient, sequence);
CREATE INDEX copied_versions ON copies (peer, record, version);
CREATE UNIQUE INDEX blobs_of_copies ON copies (blob) WHERE blob IS NOT NULL;

-- The node.

CREATE TABLE emergencies (
    sequence  INTEGER PRIMARY KEY CHECK (sequence >= 0),
    previous  BLOB NOT NULL CHECK (length(previous) = 32),
    access    BLOB NOT NULL CHECK (length(access) = 32),
    patient   BLOB NOT NULL CHECK (length(patient) = 32),
    custodian BLOB NOT NULL CHECK (length(custodian) = 32),
    from_ms   INTEGER NOT NULL,
    until_ms  INTEGER NOT NULL,
    body      BLOB NOT NULL
) STRICT;

CREATE TABLE messages (
    number  INTEGER PRIMARY KEY,
    token   BLOB NOT NULL UNIQUE CHECK (length(token) = 16),
    feed    BLOB NOT NULL CHECK (length(feed) = 16),
    waiting INTEGER NOT NULL CHECK (waiting IN (0, 1)),
    sealed  BLOB NOT NULL
) STRICT;
CREATE INDEX messages_waiting ON messages (number) WHERE waiting = 1;
CREATE INDEX messages_of_feed ON messages (feed, waiting);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE generation (value INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (0);
";

const CASES: &str = "
CREATE TABLE cases (
    number INTEGER PRIMARY KEY,
    token  BLOB NOT NULL UNIQUE CHECK (length(token) = 16),
    open   INTEGER NOT NULL CHECK (open IN (0, 1)),
    sealed BLOB NOT NULL
) STRICT;
";

/// How far work is that goes on after a restart, and what it has to tell.
const JOBS: &str = "
CREATE TABLE jobs (
    job    BLOB NOT NULL CHECK (length(job) = 16),
    part   INTEGER NOT NULL CHECK (part >= 0),
    sealed BLOB NOT NULL,
    PRIMARY KEY (job, part)
) STRICT;
";
