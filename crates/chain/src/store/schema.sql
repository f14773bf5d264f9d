-- The ledger of one network. Everything here can be rebuilt from the blocks; nothing here is readable
-- about a person: pseudonyms, commitments, codes and times.

CREATE TABLE network (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    network BLOB NOT NULL CHECK (length(network) = 32)
) STRICT;

CREATE TABLE block (
    height       INTEGER PRIMARY KEY,
    time         INTEGER NOT NULL,
    size         INTEGER NOT NULL UNIQUE,
    root         BLOB NOT NULL CHECK (length(root) = 32),
    state_root   BLOB NOT NULL CHECK (length(state_root) = 32),
    tree_version INTEGER NOT NULL,
    leaf         BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

CREATE TABLE entry (
    position INTEGER PRIMARY KEY,
    bytes    BLOB NOT NULL
) STRICT;

-- Complete hash tiles; the ragged right edge lives in memory and is rebuilt from the last entries.
-- id = level * 2^56 + index.
CREATE TABLE tile (
    id     INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192)
) STRICT;

CREATE TABLE state (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Nodes of the state tree. Versions of one path lie together, so that replacing a node touches one page.
CREATE TABLE node (
    path    BLOB NOT NULL,
    version INTEGER NOT NULL,
    bytes   BLOB NOT NULL,
    PRIMARY KEY (path, version)
) STRICT, WITHOUT ROWID;

-- What blocks replaced in the state, until a cosigned checkpoint passes them.
CREATE TABLE replaced (
    height INTEGER PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

-- Commands remembered against replay, one list per block, until all of them have expired.
CREATE TABLE seen (
    height INTEGER PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

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

CREATE TABLE checkpoint (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    height INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    note   TEXT NOT NULL
) STRICT;
