//! Strict reading of our few text forms: lines end with a newline, numbers and base64 have one
//! form.

use alloc::{string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Hash, ProofError};

/// Takes one line, without its newline.
pub(crate) fn take_line<'a>(text: &mut &'a str) -> Result<&'a str, ProofError> {
    let (line, rest) =
        text.split_once('\n').ok_or(ProofError::Format("a line with its newline"))?;
    *text = rest;
    Ok(line)
}

/// Appends the standard base64 form (RFC 4648, section 4), padded.
pub(crate) fn push_base64(text: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, text);
}

/// Reads the standard base64 form. The padding is required and its unused bits are zero.
pub(crate) fn parse_base64(text: &str) -> Result<Vec<u8>, ProofError> {
    STANDARD.decode(text).map_err(|_| ProofError::Format("standard base64 with its padding"))
}

/// Reads 32 bytes in base64.
pub(crate) fn parse_hash(text: &str) -> Result<Hash, ProofError> {
    parse_base64(text)?.try_into().map_err(|_| ProofError::Format("32 bytes in base64"))
}

/// Reads a decimal number without sign and leading zeroes.
pub(crate) fn parse_decimal(text: &str) -> Result<u64, ProofError> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = if canonical { text.parse().ok() } else { None };
    number.ok_or(ProofError::Format("a decimal number of 64 bits without leading zeroes"))
}

/// Whether this may be the name of a key, which for a log is also its origin.
pub(crate) fn is_key_name(name: &str) -> bool {
    let allowed = |char: char| !char.is_whitespace() && !char.is_control() && char != '+';
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(allowed)
}

/// Longest key name, in bytes: what the ML-DSA form of a cosignature could still carry.
const NAME_BYTES_MAX: usize = 255;
