-- The ledger of one network. Everything here can be rebuilt from the blocks; nothing here is readable
-- about a person: pseudonyms, commitments, codes and times.

-- ---- written with every block, and only at the end of each table ------------------------------

CREATE TABLE network (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    network   BLOB NOT NULL CHECK (length(network) = 32),
    -- First height of which the tables below the line know nothing yet; the journal does.
    unflushed INTEGER NOT NULL
) STRICT;

CREATE TABLE block (
    height     INTEGER PRIMARY KEY,
    time       INTEGER NOT NULL,
    size       INTEGER NOT NULL UNIQUE,
    root       BLOB NOT NULL CHECK (length(root) = 32),
    state_root BLOB NOT NULL CHECK (length(state_root) = 32),
    leaf       BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

-- Some entries in a row, each after its length as a big-endian u16.
CREATE TABLE entry (
    first INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- Complete hash tiles; the ragged right edge lives in memory and is rebuilt from the last entries.
-- id = level * 2^56 + index.
CREATE TABLE tile (
    id     INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192)
) STRICT;

-- What blocks changed in the state, until it is flushed and a cosigned checkpoint has passed the block.
CREATE TABLE journal (
    height INTEGER PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

-- Commands remembered against replay, one list per block, until all of them have expired.
CREATE TABLE seen (
    height INTEGER PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    height INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    note   TEXT NOT NULL
) STRICT;

-- ---- written now and then, many rows at once, in the order of their keys ----------------------

CREATE TABLE state (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    name  BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE command (
    id       BLOB PRIMARY KEY CHECK (length(id) = 32),
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    patient  BLOB NOT NULL CHECK (length(patient) = 32),
    number   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (patient, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE anchor (
    custodian BLOB NOT NULL CHECK (length(custodian) = 32),
    first     INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (custodian, first)
) STRICT, WITHOUT ROWID;
