//! What the node issued to apps, kept: codes, tokens, launches, names of assertions that were used.
//!
//! One SQLite file. A row is found by the SHA-256 of a secret, never by the secret; what it stands
//! for is sealed under a key of the node, so that the file names no person, patient or app. Whoever
//! can write the file can destroy tokens, but not make or change one: each row is bound to its kind
//! and hash.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::limits;

/// The file of an authorization server.
pub struct Store {
    /// Waits for the disk.
    writer: Mutex<Connection>,
    /// Never waits for the writer: the file is in WAL mode.
    reader: Mutex<Connection>,
    cipher: XChaCha20Poly1305,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An authorization code.
    Code = 1,
    /// An access token.
    Access = 2,
    /// A refresh token.
    Refresh = 3,
    /// A launch of an EHR.
    Launch = 4,
    /// The name (`jti`) of an assertion that was used.
    Assertion = 5,
    /// The key that signs id tokens.
    SigningKey = 6,
}

/// What was kept under a secret.
#[derive(Debug)]
pub struct Kept<T> {
    /// All that came from one authorization.
    pub family: Family,
    /// What it stands for.
    pub content: T,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

/// What came of spending a secret that may be spent once.
#[derive(Debug)]
pub enum Spent<T> {
    /// The first time.
    First(Kept<T>),
    /// It was spent before: somebody else may have it.
    Again(Family),
}

/// What new tokens come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Nothing that was kept.
    Nothing,
    /// A code that was spent; it stays to notice a second time.
    Code(&'a str),
    /// A refresh token; the new one comes in its place.
    Refresh(&'a str),
}

/// Something to be kept: its kind, its secret, when it ends.
pub struct New<'a, T> {
    /// What it is.
    pub kind: Kind,
    /// By what it is found.
    pub secret: &'a str,
    /// What is kept.
    pub kept: Kept<T>,
}

/// The name of all that came from one authorization.
pub type Family = [u8; 16];

/// Why something was not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is too much of this kind.
    #[error("too much is under way; try again later")]
    Full,
    /// The file cannot be used.
    #[error("the store of tokens failed: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Failed(error.to_string())
    }
}

impl Store {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// If it cannot be used, or belongs to a newer version.
    pub fn open(path: &Path, key: &Zeroizing<[u8; 32]>) -> Result<Self, StoreError> {
        let writer = Connection::open(path)?;
        writer.busy_timeout(std::time::Duration::from_secs(10))?;
        let version: i64 = writer.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > SCHEMA_VERSION {
            return Err(StoreError::Failed("the file is of a newer version".to_owned()));
        }
        writer.execute_batch(SCHEMA)?;
        let reader = Connection::open(path)?;
        reader.busy_timeout(std::time::Duration::from_secs(10))?;
        let cipher = XChaCha20Poly1305::new((&**key).into());
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader), cipher })
    }

    /// Keeps something under a secret, durably.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is too much of its kind that has not ended.
    pub fn put<T: Serialize>(
        &self,
        kind: Kind,
        secret: &str,
        kept: &Kept<T>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        self.insert(&transaction, kind, secret, kept, now_ms)?;
        Ok(transaction.commit()?)
    }

    /// Keeps tokens, all or none, if what they come from is still there. False if not: somebody
    /// else used it, or its family ended meanwhile.
    pub fn issue<T: Serialize>(
        &self,
        source: Source<'_>,
        tokens: &[New<'_, T>],
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        let is_there = match source {
            Source::Nothing => true,
            Source::Code(code) => {
                let query = "SELECT 1 FROM entries WHERE kind = ?1 AND hash = ?2";
                transaction.prepare(query)?.exists(params![Kind::Code as i64, hash(code)])?
            }
            Source::Refresh(token) => {
                let place = params![Kind::Refresh as i64, hash(token)];
                transaction.execute("DELETE FROM entries WHERE kind = ?1 AND hash = ?2", place)? > 0
            }
        };
        if is_there {
            for New { kind, secret, kept } in tokens {
                self.insert(&transaction, *kind, secret, kept, now_ms)?;
            }
        }
        transaction.commit()?;
        Ok(is_there)
    }

    fn insert<T: Serialize>(
        &self,
        connection: &Connection,
        kind: Kind,
        secret: &str,
        kept: &Kept<T>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        make_room(connection, kind, now_ms)?;
        let hash = hash(secret);
        let sealed = self.seal(kind, &hash, &kept.content);
        connection.execute(
            "INSERT INTO entries (kind, hash, family, expires_ms, spent, sealed)
             VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            params![kind as i64, hash, kept.family, signed(kept.expires_ms), sealed],
        )?;
        Ok(())
    }

    /// Notes that a name was used. False if it was used before and that has not ended.
    pub fn first_use(
        &self,
        kind: Kind,
        name: &str,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        make_room(&transaction, kind, now_ms)?;
        let changed = transaction.execute(
            "INSERT INTO entries (kind, hash, family, expires_ms, spent, sealed)
             VALUES (?1, ?2, zeroblob(16), ?3, 1, x'') ON CONFLICT (kind, hash) DO NOTHING",
            params![kind as i64, hash(name), signed(expires_ms)],
        )?;
        transaction.commit()?;
        Ok(changed == 1)
    }

    /// Finds what is kept under a secret, if it holds and was not spent.
    pub fn find<T: DeserializeOwned>(
        &self,
        kind: Kind,
        secret: &str,
        now_ms: u64,
    ) -> Result<Option<Kept<T>>, StoreError> {
        let hash = hash(secret);
        let connection = lock(&self.reader);
        let mut statement = connection.prepare_cached(
            "SELECT family, expires_ms, sealed FROM entries
             WHERE kind = ?1 AND hash = ?2 AND spent = 0 AND expires_ms > ?3",
        )?;
        let row =
            statement.query_row(params![kind as i64, hash, signed(now_ms)], row).optional()?;
        row.map(|row| self.kept(kind, &hash, row)).transpose()
    }

    /// Takes what may be taken once. The row stays until it expires, to notice a second time.
    pub fn spend<T: DeserializeOwned>(
        &self,
        kind: Kind,
        secret: &str,
        now_ms: u64,
    ) -> Result<Option<Spent<T>>, StoreError> {
        let hash = hash(secret);
        let connection = lock(&self.writer);
        let place = params![kind as i64, hash, signed(now_ms)];
        let first = connection
            .query_row(
                "UPDATE entries SET spent = 1
                 WHERE kind = ?1 AND hash = ?2 AND spent = 0 AND expires_ms > ?3
                 RETURNING family, expires_ms, sealed",
                place,
                row,
            )
            .optional()?;
        if let Some(first) = first {
            return Ok(Some(Spent::First(self.kept(kind, &hash, first)?)));
        }
        let again = connection
            .query_row(
                "SELECT family FROM entries WHERE kind = ?1 AND hash = ?2 AND expires_ms > ?3",
                place,
                |row| row.get(0),
            )
            .optional()?;
        Ok(again.map(Spent::Again))
    }

    /// Ends what is kept under a secret. False if it has ended already.
    pub fn end(&self, kind: Kind, secret: &str, now_ms: u64) -> Result<bool, StoreError> {
        let query = "DELETE FROM entries WHERE kind = ?1 AND hash = ?2 AND expires_ms > ?3";
        let place = params![kind as i64, hash(secret), signed(now_ms)];
        Ok(lock(&self.writer).execute(query, place)? > 0)
    }

    /// Ends all that came from one authorization: its code and tokens. False if there was nothing
    /// left of it. What belongs to no authorization stays, whatever family a stranger names.
    pub fn end_family(&self, family: Family) -> Result<bool, StoreError> {
        let query = "DELETE FROM entries WHERE family = ?1 AND kind IN (?2, ?3, ?4)";
        let [code, access, refresh] =
            [Kind::Code, Kind::Access, Kind::Refresh].map(|kind| kind as i64);
        Ok(lock(&self.writer).execute(query, params![family, code, access, refresh])? > 0)
    }

    /// Ends all that came from the authorizations of which something of this kind fits. Gives how
    /// many those were.
    pub fn end_families<T: DeserializeOwned>(
        &self,
        kind: Kind,
        fits: impl Fn(&T) -> bool,
    ) -> Result<usize, StoreError> {
        let mut families = BTreeSet::new();
        for (hash, row) in self.rows(kind)? {
            let kept = self.kept::<T>(kind, &hash, row)?;
            if fits(&kept.content) {
                families.insert(kept.family);
            }
        }
        for family in &families {
            self.end_family(*family)?;
        }
        Ok(families.len())
    }

    fn rows(&self, kind: Kind) -> Result<Vec<([u8; 32], Row)>, StoreError> {
        let connection = lock(&self.reader);
        let query = "SELECT family, expires_ms, sealed, hash FROM entries WHERE kind = ?1";
        let mut statement = connection.prepare(query)?;
        let rows =
            statement.query_map(params![kind as i64], |found| Ok((found.get(3)?, row(found)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn kept<T: DeserializeOwned>(
        &self,
        kind: Kind,
        hash: &[u8; 32],
        (family, expires_ms, sealed): Row,
    ) -> Result<Kept<T>, StoreError> {
        let content = self.unseal(kind, hash, &sealed)?;
        Ok(Kept { family, content, expires_ms: u64::try_from(expires_ms).unwrap_or(0) })
    }

    fn seal<T: Serialize>(&self, kind: Kind, hash: &[u8; 32], content: &T) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(content).expect("plain data is JSON"));
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce);
        let payload = Payload { msg: &plain, aad: &bound(kind, hash) };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("a row is far below the cipher's 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    fn unseal<T: DeserializeOwned>(
        &self,
        kind: Kind,
        hash: &[u8; 32],
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let changed = || StoreError::Failed("a row was changed, or the node's key was".to_owned());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(changed)?;
        let payload = Payload { msg: sealed, aad: &bound(kind, hash) };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| changed())?;
        serde_json::from_slice(&Zeroizing::new(plain)).map_err(|_| changed())
    }
}

type Row = (Family, i64, Vec<u8>);

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Forgets what has ended, and refuses if too much is left.
fn make_room(connection: &Connection, kind: Kind, now_ms: u64) -> Result<(), StoreError> {
    let ended = "DELETE FROM entries WHERE kind = ?1 AND expires_ms <= ?2";
    connection.execute(ended, params![kind as i64, signed(now_ms)])?;
    let query = "SELECT count(*) FROM entries WHERE kind = ?1";
    let count: i64 = connection.query_row(query, params![kind as i64], |row| row.get(0))?;
    if count < limits::APP_ENTRIES_MAX { Ok(()) } else { Err(StoreError::Full) }
}

/// SHA-256 of a secret: each has 256 bits of chance, so nothing slower is needed.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn bound(kind: Kind, hash: &[u8; 32]) -> Vec<u8> {
    [b"carestone/apps/v1\n", &[kind as u8][..], hash].concat()
}

/// SQLite's integers are signed; times are far below.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const NONCE_BYTES: usize = 24;

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA trusted_schema = OFF;
PRAGMA user_version = 1;
CREATE TABLE IF NOT EXISTS entries (
    kind       INTEGER NOT NULL,
    hash       BLOB NOT NULL,    -- SHA-256 of the secret
    family     BLOB NOT NULL,    -- 16 bytes, the same for all that came from one authorization
    expires_ms INTEGER NOT NULL,
    spent      INTEGER NOT NULL, -- 1: what may be used once was used
    sealed     BLOB NOT NULL,    -- nonce and ciphertext of what it stands for
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_end ON entries (kind, expires_ms);
CREATE INDEX IF NOT EXISTS entries_by_family ON entries (family);
";

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Store {
        Store::open(&folder.join("apps.sqlite"), &Zeroizing::new([7; 32])).unwrap()
    }

    fn kept(content: &str, expires_ms: u64) -> Kept<String> {
        Kept { family: [1; 16], content: content.to_owned(), expires_ms }
    }

    fn find(store: &Store, kind: Kind, secret: &str, now_ms: u64) -> Option<String> {
        store.find(kind, secret, now_ms).unwrap().map(|kept| kept.content)
    }

    #[test]
    fn what_is_kept_survives_a_restart_and_ends_in_time() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).put(Kind::Access, "secret", &kept("grant", 1_000), 0).unwrap();
        let store = open(folder.path());
        assert_eq!(find(&store, Kind::Access, "secret", 999), Some("grant".to_owned()));
        assert_eq!(find(&store, Kind::Access, "secret", 1_000), None);
        assert_eq!(find(&store, Kind::Refresh, "secret", 0), None);
        assert_eq!(find(&store, Kind::Access, "another", 0), None);
    }

    #[test]
    fn the_file_holds_neither_secret_nor_content() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.put(Kind::Access, "needle-secret", &kept("needle-grant", 1_000), 0).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"needle"));
        }
    }

    #[test]
    fn a_row_cannot_be_passed_off_as_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.put(Kind::Refresh, "secret", &kept("grant", 1_000), 0).unwrap();
        lock(&store.writer).execute("UPDATE entries SET kind = 2", []).unwrap();
        assert!(store.find::<String>(Kind::Access, "secret", 0).is_err());
    }

    /// New tokens of the family of [`kept`].
    fn issue(store: &Store, source: Source<'_>, access: &str, refresh: &str) -> bool {
        let new = |kind, secret| New { kind, secret, kept: kept("grant", 1_000) };
        let tokens = [new(Kind::Access, access), new(Kind::Refresh, refresh)];
        store.issue(source, &tokens, 0).unwrap()
    }

    #[test]
    fn a_code_is_spent_once_and_a_second_time_ends_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.put(Kind::Code, "code", &kept("grant", 1_000), 0).unwrap();
        let spend = || store.spend::<String>(Kind::Code, "code", 0).unwrap();
        assert!(matches!(spend(), Some(Spent::First(_))));
        assert!(issue(&store, Source::Code("code"), "access", "refresh"));
        let Some(Spent::Again(family)) = spend() else { panic!("spent twice") };
        assert!(store.end_family(family).unwrap());
        assert_eq!(find(&store, Kind::Access, "access", 0), None);
        assert!(spend().is_none());
        // The second time may come before the first one's tokens are there.
        assert!(!issue(&store, Source::Code("code"), "access", "refresh"));
        assert_eq!(find(&store, Kind::Access, "access", 0), None);
        assert!(!store.end_family(family).unwrap());
    }

    #[test]
    fn a_refresh_token_is_replaced_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert!(issue(&store, Source::Nothing, "access-0", "refresh-0"));
        for (old, access, new) in
            [("refresh-0", "access-1", "refresh-1"), ("refresh-1", "access-2", "refresh-2")]
        {
            assert!(issue(&store, Source::Refresh(old), access, new));
            assert!(!issue(&store, Source::Refresh(old), "more", "more"));
        }
        assert_eq!(find(&store, Kind::Refresh, "refresh-2", 0), Some("grant".to_owned()));
        assert_eq!(find(&store, Kind::Access, "more", 0), None);
        let query = "SELECT count(*) FROM entries WHERE kind = 3";
        let count: i64 = lock(&store.reader).query_row(query, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1, "an app that refreshes for a month must not fill the file");
    }

    #[test]
    fn what_belongs_to_no_authorization_does_not_end_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let no_family = Family::default();
        let used = || store.first_use(Kind::Assertion, "jti", 1_000, 0).unwrap();
        assert!(used());
        let key = Kept { family: no_family, content: "key".to_owned(), expires_ms: 1_000 };
        store.put(Kind::SigningKey, "signing", &key, 0).unwrap();
        assert!(!store.end_family(no_family).unwrap());
        assert!(!used());
        assert_eq!(find(&store, Kind::SigningKey, "signing", 0), Some("key".to_owned()));
    }

    #[test]
    fn a_name_is_used_once_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let first = |now_ms| store.first_use(Kind::Assertion, "jti", 1_000, now_ms).unwrap();
        assert!(first(0));
        assert!(!first(999));
        assert!(first(1_000));
    }
}
