//! Between rows and the vault's types.

use rusqlite::{Row, types::FromSql};

use super::failure::Failure;
use crate::{
    EmergencyEntry, Envelope, JobPart, KeptCase, KeptMessage, OwnScope, Place, RecordId, ScopeTag,
    SealedRecord, SealedScope, Token, VaultError,
    blobs::{Blob, Blobs},
    limits::ROW_BYTES_MAX,
};

/// An envelope as it goes into a row, or was read from one.
pub(super) enum Body {
    Row(Vec<u8>),
    File(Blob),
}

impl Body {
    /// Puts an envelope where its size says; a file is durable on return.
    pub(super) fn place(envelope: Envelope, blobs: &Blobs) -> std::io::Result<Self> {
        if envelope.as_bytes().len() <= ROW_BYTES_MAX {
            return Ok(Self::Row(envelope.into_bytes()));
        }
        blobs.write(envelope.as_bytes()).map(Self::File)
    }

    pub(super) fn row(&self) -> Option<&[u8]> {
        match self {
            Self::Row(bytes) => Some(bytes),
            Self::File(_) => None,
        }
    }

    pub(super) fn file(&self) -> Option<&Blob> {
        match self {
            Self::Row(_) => None,
            Self::File(blob) => Some(blob),
        }
    }

    /// About how many bytes of a row it is.
    pub(super) fn row_bytes(&self) -> usize {
        self.row().map_or(0, <[u8]>::len)
    }

    /// The envelope.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if it is missing or was changed.
    pub(super) fn load(self, sequence: u64, blobs: &Blobs) -> Result<Envelope, Failure> {
        let bytes = match self {
            Self::Row(bytes) => bytes,
            Self::File(blob) => blobs.read(&blob)?.ok_or(VaultError::Damaged(sequence))?,
        };
        let envelope = Envelope::from_bytes(bytes);
        Ok(envelope.map_err(|_| VaultError::Damaged(sequence))?)
    }
}

/// A record version whose envelope may still be in a file.
pub(super) struct Held {
    pub sequence: u64,
    pub place: Place,
    pub commitment: proof::Hash,
    pub body: Body,
}

impl Held {
    /// Columns that [`Held::read`] expects, of a record or copy `r` and its commitment `c`.
    pub(super) const COLUMNS: &str = "
        r.sequence, r.record, r.version, r.patient, r.scope, r.epoch,
        c.commitment, r.envelope, r.blob, r.digest";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let body = match row.get::<_, Option<Vec<u8>>>(7)? {
            Some(bytes) => Body::Row(bytes),
            None => Body::File(Blob { name: row.get(8)?, digest: row.get(9)? }),
        };
        let place = Place {
            record: RecordId(row.get(1)?),
            version: row.get(2)?,
            patient: row.get(3)?,
            scope: ScopeTag(row.get(4)?),
            epoch: row.get(5)?,
        };
        Ok(Self { sequence: number(row, 0)?, place, commitment: row.get(6)?, body })
    }

    pub(super) fn load(self, blobs: &Blobs) -> Result<SealedRecord, Failure> {
        let Self { sequence, place, commitment, body } = self;
        let envelope = body.load(sequence, blobs)?;
        Ok(SealedRecord { sequence, place, commitment, envelope })
    }
}

/// Columns that [`sealed_scope`] expects.
pub(super) const SCOPE_COLUMNS: &str = "scope, epoch, patient, seal, back";

pub(super) fn sealed_scope(row: &Row<'_>) -> rusqlite::Result<SealedScope> {
    Ok(SealedScope {
        scope: ScopeTag(row.get(0)?),
        epoch: row.get(1)?,
        patient: row.get(2)?,
        seal: row.get(3)?,
        back: row.get(4)?,
    })
}

/// As [`sealed_scope`], and the wrapped secret after it.
pub(super) fn own_scope(row: &Row<'_>) -> rusqlite::Result<OwnScope> {
    Ok(OwnScope { sealed: sealed_scope(row)?, wrapped: row.get(5)? })
}

/// Columns that [`emergency`] expects.
pub(super) const EMERGENCY_COLUMNS: &str =
    "sequence, previous, access, patient, custodian, from_ms, until_ms, body";

pub(super) fn emergency(row: &Row<'_>) -> rusqlite::Result<EmergencyEntry> {
    Ok(EmergencyEntry {
        sequence: number(row, 0)?,
        previous: row.get(1)?,
        access: row.get(2)?,
        patient: row.get(3)?,
        custodian: row.get(4)?,
        from_ms: number(row, 5)?,
        until_ms: number(row, 6)?,
        body: row.get(7)?,
    })
}

/// Columns that [`message`] expects.
pub(super) const MESSAGE_COLUMNS: &str = "number, token, feed, waiting, sealed";

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<(u64, KeptMessage)> {
    let message = KeptMessage {
        token: Token(row.get(1)?),
        feed: Token(row.get(2)?),
        is_waiting: row.get(3)?,
        sealed: row.get(4)?,
    };
    Ok((number(row, 0)?, message))
}

/// Of the columns number, token, open, sealed.
pub(super) fn case(row: &Row<'_>) -> rusqlite::Result<(u64, KeptCase)> {
    let case = KeptCase { token: Token(row.get(1)?), is_open: row.get(2)?, sealed: row.get(3)? };
    Ok((number(row, 0)?, case))
}

/// Of the columns job, part, sealed.
pub(super) fn job_part(row: &Row<'_>) -> rusqlite::Result<JobPart> {
    Ok(JobPart { job: Token(row.get(0)?), part: number(row, 1)?, sealed: row.get(2)? })
}

/// A column that counts: never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored = i64::column_result(row.get_ref(column)?)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// A count as SQLite has it. What is stored was checked to be in range; a bound beyond it is as
/// good as the largest.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
