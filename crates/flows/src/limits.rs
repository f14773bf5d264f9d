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

/// Operations of one JSON Patch.
pub const PATCH_OPERATIONS_MAX: usize = 1_000;

/// Most parts of a document that an answer lists as not understood.
pub const DOCUMENT_ISSUES_MAX: usize = 1_000;

/// Most registrations that one question who somebody may be looks at, each with a receipt.
pub const MATCH_CANDIDATES_MAX: usize = 16;

/// Most registrations under one word that are weighed before those are chosen.
pub const MATCH_SHARING_MAX: usize = 64;

/// How many of them are looked at at one time.
pub const MATCH_READS: usize = 8;

/// How long an access of the desk runs at most, in milliseconds. It is closed as soon as the
/// records are open.
pub const DESK_ACCESS_MS: u64 = 60 * 1_000;

/// Most records, and most bytes of them, that go back with a patient who is unlinked: they do so in
/// one step.
pub const MOVED_RECORDS_MAX: usize = 4_000;
/// See [`MOVED_RECORDS_MAX`].
pub const MOVED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Patients that are made findable in one step.
pub const INDEX_PAGE: usize = 32;
/// Most identifiers of one resource: each can be looked up.
pub const IDENTIFIERS_MAX: usize = 40;

/// Longest delivery that can wait for somebody, in bytes.
pub const WAITING_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Most entries of one batch that wait; the others are refused.
pub const WAITING_OF_BATCH_MAX: usize = 32;

/// Longest name of a source that is told apart in reports, in characters.
pub const SOURCE_CHARS_MAX: usize = 64;

/// Most exports that are being written at one time.
pub const EXPORTS_RUNNING_MAX: usize = 4;

/// Most exports that one reader has at one time, being written or waiting to be fetched.
pub const EXPORTS_OF_ONE_MAX: usize = 8;

/// Most patients in one export: their accounts are kept in memory while it runs, 32 bytes each.
pub const EXPORT_PATIENTS_MAX: usize = 1_000_000;

/// How long one patient's access runs at most while an export reads it, in milliseconds. It is
/// closed as soon as the patient's records are written.
pub const EXPORT_ACCESS_MS: u64 = 10 * 60 * 1_000;

/// How long a finished export waits to be fetched, in milliseconds.
pub const EXPORT_KEPT_MS: u64 = 60 * 60 * 1_000;

/// How often exports that have waited long enough are removed, in milliseconds.
pub const EXPORT_SWEEP_MS: u64 = 60 * 1_000;

/// How far the time of an export lies before its beginning, in milliseconds: a record gets its time
/// shortly before it is stored, and the next export must not pass over it.
pub const EXPORT_SETTLE_MS: u64 = 2_000;

/// Bytes at which a file of an export is full and the next one begins.
pub const EXPORT_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Most bytes of one export.
pub const EXPORT_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// How much of a file beside the vault is sealed at once, in bytes.
pub const SEALED_CHUNK_BYTES: usize = 64 * 1024;

/// Bytes that files beside the vault leave free on their disk. The vault shares it, and a vault that
/// cannot write ends the node.
pub const DISK_FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// Most imports that are not finished at one time, those that are being uploaded included.
pub const IMPORTS_RUNNING_MAX: usize = 4;

/// Most imports of one sender that are kept at one time, finished or not.
pub const IMPORTS_OF_ONE_MAX: usize = 64;

/// How long what became of an import is kept, in milliseconds: long enough that who began it on a
/// Friday finds out on a Monday.
pub const IMPORT_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// How often imports that were kept long enough are forgotten, in milliseconds.
pub const IMPORT_SWEEP_MS: u64 = 60 * 1_000;

/// Most inputs of one import. How far it is, is written with every step, their addresses included.
pub const IMPORT_INPUTS_MAX: usize = 128;

/// Longest address of an input, in bytes.
pub const IMPORT_URL_BYTES_MAX: usize = 2_048;

/// Longest name by which a sender recognises its import, in bytes.
pub const IMPORT_KEY_BYTES_MAX: usize = 128;

/// Most bytes of all inputs of one import together, unpacked.
pub const IMPORT_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Most lines of one import: eight bytes of memory each while it runs.
pub const IMPORT_LINES_MAX: u64 = 10_000_000;

/// Most lines, and most bytes of them, that are filed in one step; the line that passes it is
/// still in.
pub const IMPORT_STEP_LINES: usize = 256;
/// See [`IMPORT_STEP_LINES`].
pub const IMPORT_STEP_BYTES: usize = 4 * 1024 * 1024;

/// Longest line, in bytes: that of the largest record.
pub const IMPORT_LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most refused lines of one input that are listed; the others are counted.
pub const IMPORT_OUTCOMES_MAX: u64 = 10_000;

/// Most issues of one refused line that are listed, and most characters of each.
pub const IMPORT_ISSUES_MAX: usize = 8;
/// See [`IMPORT_ISSUES_MAX`].
pub const IMPORT_ISSUE_CHARS_MAX: usize = 1_000;

/// Most characters of what a refused line calls itself, and of the place of an issue in it, that
/// are repeated: a line may say millions.
pub const IMPORT_NAME_CHARS_MAX: usize = 200;

/// Most bytes of one refused line in the list; what does not fit of its later issues is left out.
pub const IMPORT_REFUSED_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of a part of the list of refused lines.
pub const IMPORT_PART_BYTES: usize = 256 * 1024;

/// Most characters of the reason why an import ended early: an address, and a sentence.
pub const IMPORT_WHY_CHARS_MAX: usize = 4_000;

/// How often an input is asked for before its import is given up.
pub const IMPORT_FETCHES_MAX: u32 = 3;

/// How often this machine fails in a row to read an input before its import is given up: with the
/// pauses between, a minute.
pub const IMPORT_READS_MAX: u32 = 30;

/// How often a line is tried again that somebody else's change came before.
pub const IMPORT_CONFLICTS_MAX: usize = 5;

/// How long an import waits before it tries again what cannot be done now, in milliseconds.
pub const IMPORT_LATER_MS: u64 = 2_000;

/// Most record versions that one order erases; a larger wish is carried out in several.
pub const ERASE_RECORDS_MAX: usize = 10_000;

/// Longest written reason of an order to erase, in bytes.
pub const ERASE_WHY_BYTES_MAX: usize = 1_000;

/// Entries of the log that are read at once to find erasures.
pub const ERASURE_PAGE: u64 = 1_024;

/// Entries of the log without an erasure after which it is noted how far they were read.
pub const ERASURE_NOTED_EVERY: u64 = 16_384;
