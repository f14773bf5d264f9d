//! What is kept to judge and to report the quality of what comes in.

use crate::{RecordId, Token};

/// Who a patient is said to be, sealed by the caller: the newest replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    /// The patient's record.
    pub record: RecordId,
    /// The portrait, encrypted.
    pub sealed: Vec<u8>,
}

/// How often something was seen on a day. The count is in clear, what was counted is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Days since 1970-01-01, UTC.
    pub day: u32,
    /// What is counted.
    pub token: Token,
    /// What the token stands for, encrypted by the caller; that of the day's first stays.
    pub sealed: Vec<u8>,
    /// How often. In a batch: how much to add.
    pub count: u64,
}
