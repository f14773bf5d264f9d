//! Bounds on requests, in one place.

/// Longest request body, in bytes: the largest record and some room.
pub const BODY_BYTES: usize = 68 * 1024 * 1024;

/// Longest answer to one entry of a batch, in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Longest signed command, in bytes.
pub const COMMAND_BYTES: usize = 48 * 1024;

/// How long an access runs unless the reader asks for less or more, in milliseconds.
pub const ACCESS_MS: u64 = 60 * 60 * 1_000;
