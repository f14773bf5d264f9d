//! Every limit of the vault, in one place.

use crate::padding::padded_len;

/// Largest envelope that is kept in a database row; a larger one becomes a file.
pub const ROW_BYTES_MAX: usize = 256 * 1024;

/// Largest exact bytes of one record.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Largest metadata sealed together with a record.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Largest envelope: that of the largest record with the largest metadata, padded.
pub const ENVELOPE_BYTES_MAX: usize = crate::envelope::OVERHEAD_BYTES
    + padded_len(crate::envelope::FRAME_BYTES + METADATA_BYTES_MAX + RECORD_BYTES_MAX);

/// Smallest padded content: below it, sizes are not told apart at all.
pub const PADDED_BYTES_MIN: usize = 512;

/// Most records in one batch.
pub const BATCH_RECORDS_MAX: usize = 16_384;

/// Most bytes of envelopes in one batch.
pub const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most scope epochs, and most links, in one batch.
pub const BATCH_SCOPES_MAX: usize = 4_096;

/// Most messages in one batch.
pub const BATCH_MESSAGES_MAX: usize = 64;

/// Most cases, and most changed links, in one batch.
pub const BATCH_CASES_MAX: usize = 64;

/// Largest sealed part of a case.
pub const CASE_BYTES_MAX: usize = 16 * 1024;

/// Most orders to erase in one batch.
pub const BATCH_ERASURES_MAX: usize = 16;

/// Most runs of records in one order to erase; the ledger's limit is the same.
pub const ERASURE_RUNS_MAX: usize = 1_024;

/// Most records in one order to erase.
pub const ERASURE_RECORDS_MAX: u64 = 16_384;

/// Largest sealed part of an order to erase.
pub const ERASURE_BYTES_MAX: usize = 32 * 1024;

/// Largest sealed part of a message.
pub const MESSAGE_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Largest sealed portrait of a patient.
pub const PORTRAIT_BYTES_MAX: usize = 16 * 1024;

/// Most tallies in one batch.
pub const BATCH_TALLIES_MAX: usize = 256;

/// Largest sealed name of a tally.
pub const TALLY_NAME_BYTES_MAX: usize = 512;

/// Most parts of jobs in one batch.
pub const BATCH_JOB_PARTS_MAX: usize = 64;

/// Largest sealed part of a job.
pub const JOB_PART_BYTES_MAX: usize = 512 * 1024;

/// Most readers in one batch.
pub const BATCH_READERS_MAX: usize = 256;

/// Largest sealed name of a reader.
pub const READER_BYTES_MAX: usize = 4 * 1024;

/// Most look-up tokens of one record.
pub const TOKENS_MAX: usize = 128;

/// Largest wrapped name of a record.
pub const NAME_BYTES_MAX: usize = 512;

/// Largest scope seal, and largest link from an epoch back to the one before.
pub const SEAL_BYTES_MAX: usize = 4_096;

/// Largest wrapped scope secret.
pub const WRAPPED_BYTES_MAX: usize = 256;

/// Most records that one anchor commits to; the ledger's limit is the same.
pub const ANCHOR_COUNT_MAX: u32 = 4_096;

/// Most items in one page of an answer, whatever was asked for.
pub const PAGE_ITEMS_MAX: usize = 4_096;

/// A page ends after the record with which its envelopes reach this size.
pub const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest name of a setting, in bytes.
pub const SETTING_NAME_BYTES_MAX: usize = 64;

/// Largest value of a setting.
pub const SETTING_BYTES_MAX: usize = 64 * 1024;

/// Largest body of a local emergency receipt: one signed command of the ledger.
pub const EMERGENCY_BYTES_MAX: usize = 49_152;

/// Longest local emergency, in milliseconds: four hours, as on the ledger.
pub const EMERGENCY_MS_MAX: u64 = 4 * 60 * 60 * 1_000;

/// Most calls that share one durable commit.
pub const GROUP_CALLS_MAX: usize = 256;

/// Most bytes of envelopes that share one durable commit; the call that passes it is still in.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most calls that wait for the writer; the next caller waits before it queues.
pub const QUEUE_CALLS_MAX: usize = 1_024;

/// Pages in the write-ahead log after which the writer moves them to the main file.
pub const LOG_PAGES_MAX: u64 = 4_096;

/// Idle read connections that are kept open.
pub const READERS_MAX: usize = 8;
