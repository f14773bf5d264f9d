//! Every limit of the ledger, in one place. A change here is a change of the protocol.

/// Longest encoded signed command, in bytes. A log entry (command id, outcome) must stay below
/// the 65,535 bytes that `c2sp.org/tlog-tiles` allows for one entry.
pub const COMMAND_BYTES_MAX: usize = 49_152;

/// Most commands in one block.
pub const BLOCK_COMMANDS_MAX: usize = 4_096;

/// Most bytes of commands in one block; the engine's message limit is a little above.
pub const BLOCK_BYTES_MAX: usize = 900_000;

/// Most keys one command may read or write.
pub const KEYS_PER_COMMAND: usize = 24;

/// How long before its `expires` a command may be ordered, in milliseconds of block time.
/// The ids of accepted and refused commands are remembered for as long: this is the replay window.
pub const COMMAND_LIFETIME_MS_MAX: u64 = 10 * 60 * 1_000;

/// How far a block's time may run ahead of the clock of the member that checks it, in milliseconds.
pub const BLOCK_SKEW_MS_MAX: u64 = 5_000;

/// Most members of one network.
pub const MEMBERS_MAX: usize = 64;

/// Longest display name of a member, in bytes.
pub const NAME_BYTES_MAX: usize = 120;

/// Longest network address of a member, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 261;

/// Most open proposals at one time. Each member may make its share of them, and at least one.
pub const PROPOSALS_MAX: usize = 64;

/// How long a proposal may be voted on, in milliseconds: thirty days.
pub const PROPOSAL_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Most authenticators (passkeys, program keys) of one patient account.
pub const AUTHENTICATORS_MAX: usize = 16;

/// Most custodians linked to one patient.
pub const CUSTODIANS_MAX: usize = 64;

/// Most grants in force for one patient.
pub const GRANTS_MAX: usize = 256;

/// Most restrictions in force for one patient.
pub const RESTRICTIONS_MAX: usize = 64;

/// Most accesses open at one time for one patient, emergencies aside.
pub const OPEN_ACCESSES_MAX: usize = 64;

/// Most emergency accesses that one reader may have open at one time for one patient. They have
/// room of their own, so that nobody can keep an emergency out by opening many accesses.
pub const OPEN_EMERGENCIES_PER_READER_MAX: usize = 4;

/// Most records one anchor may commit to.
pub const ANCHOR_COUNT_MAX: u32 = 4_096;

/// Most runs of records in one erasure.
pub const ERASE_RUNS_MAX: usize = 1_024;

/// Records whose erasure is remembered in one value of the state.
pub const ERASED_CHUNK_RECORDS: u64 = 65_536;

/// Most such values that one erasure may change.
pub const ERASE_CHUNKS_MAX: usize = 16;

/// Longest run of one access, in milliseconds, whatever was asked for.
pub const ACCESS_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Longest emergency access, in milliseconds: four hours.
pub const EMERGENCY_MS_MAX: u64 = 4 * 60 * 60 * 1_000;

/// Longest grant, in milliseconds: ten years of 366 days.
pub const GRANT_MS_MAX: u64 = 10 * 366 * 24 * 60 * 60 * 1_000;

/// Most accesses that end by time in one block; the rest end in the next.
pub const ENDINGS_PER_BLOCK_MAX: usize = 1_024;

/// Longest message of the custody ceremony that travels in one command, in bytes.
pub const CEREMONY_BYTES_MAX: usize = 40_960;

/// Longest evidence of a complaint against a steward, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 2_048;

/// Longest `clientDataJSON` of a passkey assertion, in bytes.
pub const CLIENT_DATA_BYTES_MAX: usize = 1_024;

/// Longest `authenticatorData` of a passkey assertion, in bytes.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 512;

/// Most registered signer origins.
pub const ORIGINS_MAX: usize = 8;

/// Longest signer origin or relying-party id, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 253;
