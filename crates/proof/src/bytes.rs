//! Strict reading of our few binary encodings: fixed widths, little-endian, nothing left over.

use alloc::vec::Vec;

use crate::{Hash, ProofError};

/// The bytes that are still to be read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], ProofError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProofError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ProofError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ProofError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ProofError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ProofError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, ProofError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ProofError::Format("a flag of 0 or 1")),
        }
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Everything that is left, as hashes.
    pub(crate) fn hashes(&mut self) -> Result<Vec<Hash>, ProofError> {
        let (hashes, rest) = self.rest().as_chunks();
        if rest.is_empty() { Ok(hashes.to_vec()) } else { Err(CUT_SHORT) }
    }

    /// Ends the reading: nothing may be left.
    pub(crate) fn end(self) -> Result<(), ProofError> {
        if self.is_empty() { Ok(()) } else { Err(ProofError::Format("no further bytes")) }
    }
}

const CUT_SHORT: ProofError = ProofError::Format("more bytes: it was cut short");
