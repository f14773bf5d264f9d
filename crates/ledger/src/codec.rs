//! The one strict encoding: borsh, with nothing left over and one encoding per value.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

/// The bytes are not the one encoding of a value of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a valid encoding; fetch them again from another member")]
pub struct InvalidEncoding;

/// The encoding of a value.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CAPACITY);
    encode_into(value, &mut bytes);
    bytes
}

/// Appends the encoding of a value.
pub fn encode_into<T: BorshSerialize>(value: &T, bytes: &mut Vec<u8>) {
    // Writing to memory cannot fail, and no list is longer than the 2^32 - 1 that borsh can count.
    value.serialize(bytes).expect("a bounded value encodes");
}

/// The value that these bytes encode.
///
/// # Errors
///
/// [`InvalidEncoding`] if they are malformed, or if anything is left over.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, InvalidEncoding> {
    borsh::from_slice(bytes).map_err(|_| InvalidEncoding)
}

/// The value at the start of the bytes; `bytes` is left at what follows it.
pub(crate) fn decode_prefix<T: BorshDeserialize>(bytes: &mut &[u8]) -> Result<T, InvalidEncoding> {
    T::deserialize(bytes).map_err(|_| InvalidEncoding)
}

/// Room for the usual command, receipt or value, so that encoding one seldom allocates twice.
const CAPACITY: usize = 512;
