//! Every limit of the stories, in one place.

/// Longest wait for a command to become final, in milliseconds.
pub const FINAL_MS_MAX: u64 = 15_000;

/// Longest wait of a holder or steward for an access that it has not seen yet, in milliseconds: a
/// reader's ledger may be a block ahead.
pub const RECEIPT_WAIT_MS_MAX: u64 = 3_000;

/// How long a command may wait for its order before it expires, in milliseconds.
pub const COMMAND_LIFETIME_MS: u64 = 120_000;

/// Most records in one anchor.
pub const ANCHOR_RECORDS: usize = 256;

/// Longest wait of a record for company in its anchor, in milliseconds.
pub const ANCHOR_WAIT_MS: u64 = 1_000;

/// Most bytes of envelopes in one message between members.
pub const PAGE_BYTES: usize = 512 * 1024;

/// Longest envelope that travels whole; a longer one travels in parts of this size.
pub const MESSAGE_ENVELOPE_BYTES: usize = 448 * 1024;

/// Most large envelopes that a holder puts together at one time.
pub const PARTED_MAX: usize = 8;

/// Longest wait for another member's answer, in milliseconds.
pub const ANSWER_MS_MAX: u64 = 5_000;

/// Most records in one message between members.
pub const PAGE_RECORDS: usize = 2_000;

/// Most identities one steward signs for one access.
pub const IDENTITIES_MAX: usize = 512;

/// Most read sessions a member keeps open at one time.
pub const SESSIONS_MAX: usize = 1_024;

/// How often a member looks for records to anchor or to copy, in milliseconds.
pub const LOOP_MS: u64 = 100;

/// How long an access runs when nothing else is asked for, in milliseconds: one shift's consultation.
pub const ACCESS_MS: u64 = 60 * 60 * 1_000;

/// How long opened records are served before they are fetched again under the same access, in
/// milliseconds.
pub const SESSION_FRESH_MS: u64 = 10_000;

/// Most matches on one page of a search, and how many without a wish.
pub const PAGE_MATCHES: usize = 1_000;

/// Most parts of a document that an answer lists as not understood.
pub const DOCUMENT_ISSUES_MAX: usize = 1_000;
