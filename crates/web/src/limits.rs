//! Bounds on requests, in one place.

/// Longest request body, in bytes: the largest record and some room.
pub const BODY_BYTES: usize = 68 * 1024 * 1024;

/// Longest body that is read before anything is decided, in bytes.
pub const SMALL_BODY_BYTES: usize = 256 * 1024;

/// Longest answers to the entries of one batch, all together, in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Longest text of a library about a request that it refuses, in bytes.
pub const WORDS_BYTES: usize = 4 * 1024;

/// Most characters of a parameter's name that an export repeats.
pub const NAME_CHARS_MAX: usize = 64;

/// Longest signed command, in bytes.
pub const COMMAND_BYTES: usize = 48 * 1024;

/// How long an access runs unless the reader asks for less or more, in milliseconds.
pub const ACCESS_MS: u64 = 60 * 60 * 1_000;

/// How many tokens, codes or launches of one kind the node keeps that have not ended.
pub const APP_ENTRIES_MAX: i64 = 100_000;

/// How long an authorization code holds, in milliseconds.
pub const CODE_MS: u64 = 60 * 1_000;

/// How long an access token for a user holds, in milliseconds.
pub const ACCESS_TOKEN_MS: u64 = 15 * 60 * 1_000;

/// How long an access token of a backend service holds, in milliseconds (SMART: at most five
/// minutes).
pub const BACKEND_TOKEN_MS: u64 = 5 * 60 * 1_000;

/// How long after its authorization an app may refresh (`offline_access`), in milliseconds.
pub const OFFLINE_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The same for `online_access`.
pub const ONLINE_MS: u64 = 12 * 60 * 60 * 1_000;

/// How long a launch that the EHR registered waits for its app, in milliseconds.
pub const LAUNCH_MS: u64 = 5 * 60 * 1_000;

/// How long somebody may take to sign in and decide, in milliseconds.
pub const DECIDING_MS: u64 = 10 * 60 * 1_000;

/// How many people may be signing in at once.
pub const DECIDING_MAX: usize = 4_096;

/// How long an assertion of a client may hold, in seconds (SMART Backend Services), and how far its
/// clock may be ahead.
pub const ASSERTION_S: u64 = 300;

/// How far the clocks of others may differ, in seconds.
pub const CLOCK_S: u64 = 10;

/// How many tokens a client may get at once.
pub const TOKEN_BURST: u64 = 20;

/// How many it may then get a second.
pub const TOKENS_PER_SECOND: u64 = 5;

/// How many scopes about records may be asked for, or stand in a client's entry.
pub const SCOPES_MAX: usize = 64;

/// Longest request for authorization, in bytes: it is kept while somebody signs in.
pub const AUTHORIZE_BYTES: usize = 8 * 1024;

/// Longest form that the authorization server reads, in bytes.
pub const FORM_BYTES: usize = 64 * 1024;

/// Longest wait for an answer of an identity provider or of a client's keys, in milliseconds.
pub const FETCH_MS_MAX: u64 = 5_000;

/// Longest such answer, in bytes.
pub const FETCH_BYTES_MAX: u64 = 256 * 1024;

/// How many keys of a set are looked at.
pub const KEYS_MAX: usize = 32;

/// How long fetched keys are used before they are fetched again, in milliseconds.
pub const KEYS_MS: u64 = 15 * 60 * 1_000;

/// How soon they may be fetched again for a key that is not among them, in milliseconds.
pub const KEYS_MS_MIN: u64 = 10 * 1_000;

/// How long keys are used if they cannot be fetched again, in milliseconds.
pub const KEYS_STALE_MS_MAX: u64 = 60 * 60 * 1_000;

/// Longest handshake of TLS, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;

/// How many may shake hands at once.
pub const HANDSHAKES_MAX: usize = 256;

/// How long a port waits after a connection that the machine could not accept, in milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 1_000;

/// How many senders one feed hears at once; others wait until one ends.
pub const FEED_CONNECTIONS_MAX: usize = 64;

/// How long a sender may be silent between messages, in milliseconds. Interface engines keep
/// connections open over quiet nights.
pub const FEED_IDLE_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long it may be silent in the middle of one, in milliseconds.
pub const FEED_STALL_MS: u64 = 60 * 1_000;

/// How much of a feed is read at once, in bytes.
pub const FEED_READ_BYTES: usize = 64 * 1024;

/// Most days of a report on quality.
pub const REPORT_DAYS_MAX: u32 = 3_660;

/// Entries on a page of the work list, and of flagged records.
pub const WAITING_PAGE: usize = 100;

/// Entries of the log that one page of the audit export looks at.
pub const AUDIT_PAGE: u64 = 4_096;

/// Most parameters of one export.
pub const EXPORT_PARAMETERS_MAX: usize = 1_024;

/// Most patients that one `$match` names.
pub const MATCHES_MAX: usize = 16;

/// Longest pause between two questions how far an export or an import is, in seconds.
pub const JOB_RETRY_S_MAX: u64 = 60;

/// Record versions that one request erases if it says nothing.
pub const EXPUNGED: usize = 1_000;

/// Most record versions that one request may ask to be erased.
pub const EXPUNGED_MAX: usize = 10_000;

/// Longest written reason of an erasure, in bytes.
pub const WHY_BYTES: usize = 1_000;

/// Longest manifest of an import, in bytes.
pub const MANIFEST_BYTES: usize = 1024 * 1024;

/// Longest name by which a sender recognises its import, in bytes.
pub const IMPORT_KEY_BYTES: usize = flows::limits::IMPORT_KEY_BYTES_MAX;

/// How many chunks of an input that is sent wait for the disk.
pub const UPLOAD_CHUNKS: usize = 16;

/// How long an input may stand still while it comes in, in milliseconds.
pub const INPUT_STALL_MS: u64 = 60 * 1_000;

/// Longest fetch of one input, in milliseconds.
pub const INPUT_MS_MAX: u64 = 6 * 60 * 60 * 1_000;

/// How often an address may lead to another one.
pub const INPUT_REDIRECTS_MAX: u32 = 5;
