//! Checkpoints (`c2sp.org/tlog-checkpoint`) and the signed notes that carry them
//! (`c2sp.org/signed-note`). One text for one meaning: what is not canonical is refused.

use alloc::{string::String, vec::Vec};
use core::fmt::Write;

use crate::{
    Hash, ProofError,
    text::{is_key_name, parse_base64, parse_decimal, parse_hash, push_base64, take_line},
};

/// What a log's cosigners sign: which log, how long, and its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log; has the form of a key name: no spaces, no `+`, at most 255 bytes.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The three lines, each with its newline: the body of the note, and what is signed.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Reads what [`Checkpoint::to_text`] wrote. Extension lines are refused: nobody could audit
    /// them. Fails with [`ProofError::Format`].
    pub fn parse(text: &str) -> Result<Checkpoint, ProofError> {
        let mut rest = text;
        let checkpoint = Checkpoint::read(&mut rest)?;
        if rest.is_empty() { Ok(checkpoint) } else { Err(ProofError::Format("three lines")) }
    }

    pub(crate) fn write(&self, text: &mut String) {
        let _ = write!(text, "{}\n{}\n", self.origin, self.size);
        push_base64(text, &self.root);
        text.push('\n');
    }

    fn read(text: &mut &str) -> Result<Checkpoint, ProofError> {
        let origin = take_line(text)?;
        if !is_key_name(origin) {
            return Err(ProofError::Format("an origin without spaces and plus signs"));
        }
        let size = parse_decimal(take_line(text)?)?;
        let root = parse_hash(take_line(text)?)?;
        Ok(Checkpoint { origin: origin.into(), size, root })
    }
}

/// A checkpoint with signatures of any kind, known or not. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// By whom: one or more, at most [`SIGNATURES_MAX`], and each key at most once.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// The text of the note.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Reads what [`Note::to_text`] wrote; fails with [`ProofError::Format`].
    pub fn parse(text: &str) -> Result<Note, ProofError> {
        let mut rest = text;
        let checkpoint = Checkpoint::read(&mut rest)?;
        if !take_line(&mut rest)?.is_empty() {
            return Err(ProofError::Format("an empty line after the checkpoint's three"));
        }
        let mut signatures: Vec<NoteSignature> = Vec::new();
        while signatures.is_empty() || !rest.is_empty() {
            let signature = NoteSignature::parse(take_line(&mut rest)?)?;
            if signatures.iter().any(|other| other.is_of_same_key(&signature)) {
                return Err(ProofError::Format("at most one signature of a key"));
            }
            if signatures.len() == SIGNATURES_MAX {
                return Err(ProofError::Format("at most 128 signatures"));
            }
            signatures.push(signature);
        }
        Ok(Note { checkpoint, signatures })
    }

    pub(crate) fn write(&self, text: &mut String) {
        self.checkpoint.write(text);
        text.push('\n');
        for signature in &self.signatures {
            signature.write(text);
            text.push('\n');
        }
    }
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Tells apart the keys of one name.
    pub key_id: [u8; 4],
    /// What the key's type defines; for a cosignature, time and signature.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    /// The line, without its newline.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        self.write(&mut line);
        line
    }

    /// Reads a line without its newline; fails with [`ProofError::Format`].
    pub fn parse(line: &str) -> Result<NoteSignature, ProofError> {
        let (name, base64) = line
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.split_once(' '))
            .filter(|(name, _)| is_key_name(name))
            .ok_or(ProofError::Format("a signature line: dash, key name, signature"))?;
        let decoded = parse_base64(base64)?;
        match decoded.split_first_chunk() {
            Some((key_id, bytes)) if !bytes.is_empty() => {
                Ok(NoteSignature { name: name.into(), key_id: *key_id, bytes: bytes.into() })
            }
            _ => Err(ProofError::Format("a key id and a signature")),
        }
    }

    fn is_of_same_key(&self, other: &NoteSignature) -> bool {
        self.key_id == other.key_id && self.name == other.name
    }

    fn write(&self, text: &mut String) {
        let _ = write!(text, "\u{2014} {} ", self.name);
        push_base64(text, &[&self.key_id, &self.bytes[..]].concat());
    }
}

/// Most signatures on one note.
pub const SIGNATURES_MAX: usize = 128;
