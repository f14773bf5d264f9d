//! Proof files: `c2sp.org/tlog-proof@v1` with our opening in `extra`.
//!
//! # Size and time
//! A text of hashes in base64, 45 bytes each. At 2^20 leaves, with three cosignatures and an origin
//! of 22 bytes, a record of a batch of 256 takes 1,969 bytes, and 1,629 if it was anchored alone.
//! Its 28 hashes and 3 signatures alone are 1,088 bytes before any encoding, so that no form of
//! this proof fits into 1 KiB. Verifying takes 8 us for reading and hashing and about 45 us for
//! each cosignature. Both as `cargo bench -p proof --bench verify` prints them, on a core of 2026
//! with SHA extensions.

use alloc::{string::String, vec::Vec};
use core::fmt::Write;

use crate::{
    Hash, ProofError,
    checkpoint::Note,
    opening::Opening,
    text::{parse_base64, parse_decimal, parse_hash, push_base64, take_line},
};

/// A proof as a file, not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// What is proven, up to its leaf.
    pub opening: Opening,
    /// Index of the leaf in the log.
    pub index: u64,
    /// From the leaf to the checkpoint's root.
    pub path: Vec<Hash>,
    /// The cosigned checkpoint. Only lines of keys that the reader's policy names should be in it.
    pub note: Note,
}

impl ProofFile {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let _ = write!(text, "{HEADER}\nextra ");
        push_base64(&mut text, &self.opening.encode());
        let _ = write!(text, "\nindex {}\n", self.index);
        for hash in &self.path {
            push_base64(&mut text, hash);
            text.push('\n');
        }
        text.push('\n');
        self.note.write(&mut text);
        text
    }

    /// Reads what [`ProofFile::to_text`] wrote, byte for byte; fails with [`ProofError::Format`].
    pub fn parse(text: &str) -> Result<ProofFile, ProofError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(ProofError::Format("at most 16 MiB"));
        }
        let mut rest = text;
        if take_line(&mut rest)? != HEADER {
            return Err(ProofError::Format("c2sp.org/tlog-proof@v1 in the first line"));
        }
        let extra = take_field(&mut rest, "extra ", ProofError::Format("an extra line"))?;
        let opening = Opening::decode(&parse_base64(extra)?)?;
        let index = take_field(&mut rest, "index ", ProofError::Format("an index line"))?;
        let index = parse_decimal(index)?;
        let path = take_path(&mut rest)?;
        Ok(ProofFile { opening, index, path, note: Note::parse(rest)? })
    }
}

fn take_field<'a>(
    text: &mut &'a str,
    name: &str,
    missing: ProofError,
) -> Result<&'a str, ProofError> {
    take_line(text)?.strip_prefix(name).ok_or(missing)
}

/// Takes hashes, one a line, and the empty line after them.
fn take_path(text: &mut &str) -> Result<Vec<Hash>, ProofError> {
    let mut path = Vec::new();
    loop {
        let line = take_line(text)?;
        if line.is_empty() {
            return Ok(path);
        }
        if path.len() == PATH_MAX {
            return Err(ProofError::Format("at most 64 hashes"));
        }
        path.push(parse_hash(line)?);
    }
}

/// Longest file, in bytes: a bound on what a verifier must hold in memory.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// One hash for each bit of an index.
const PATH_MAX: usize = 64;
