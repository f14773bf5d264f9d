//! What members and patients ask of the ledger: one signed, bounded, strictly encoded command.

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};
use proof::Hash;

use crate::{
    AccessId, CategorySet, CommandId, Ed25519Key, GrantId, MemberId, NetworkId, PatientId, Purpose,
    RestrictionId, StaffRef,
};

/// Milliseconds since the Unix epoch, as agreed in a block; never a clock's reading.
pub type BlockTime = u64;

/// A command as it is signed: for whom, by whom, until when, and what.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Command {
    /// The network it is meant for; a command for another network is refused.
    pub network: NetworkId,
    /// Who asks.
    pub author: Author,
    /// Patients: the account's next nonce. Members: random bits, so that alike commands differ.
    pub nonce: u64,
    /// Last block time at which it may be ordered; at most `COMMAND_LIFETIME_MS_MAX` ahead.
    pub expires: BlockTime,
    /// What is asked.
    pub body: Body,
}

/// Who signs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Author {
    /// A member organisation, with its Ed25519 command key.
    Member(MemberId),
    /// A patient, with one of the account's authenticators.
    Patient(PatientId),
}

/// A command and its signature: the unit of gossip, of a block, and of evidence.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedCommand {
    /// What was signed.
    pub command: Command,
    /// By which key, and how.
    pub signature: Signature,
}

/// A signature over a [`CommandId`]. It carries its public key, so that it can be checked without
/// state; whether the key may speak for the author is checked when the command is applied.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Signature {
    /// Ed25519 (ZIP-215 rule) over `"carestone/command-signature/v1\n" | id`.
    Ed25519 {
        /// Public key.
        key: Ed25519Key,
        /// R | s.
        signature: [u8; 64],
    },
    /// A WebAuthn assertion (ES256) whose challenge is the command id.
    Passkey(Assertion),
}

/// A WebAuthn assertion as a browser returns it, with the signature as raw r | s and low s.
/// See WebAuthn Level 3, section 7.2.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Assertion {
    /// P-256 public key, SEC1 uncompressed.
    pub key: [u8; 65],
    /// `authenticatorData`, at most `AUTHENTICATOR_DATA_BYTES_MAX`.
    pub authenticator_data: Vec<u8>,
    /// `clientDataJSON`, at most `CLIENT_DATA_BYTES_MAX`.
    pub client_data: Vec<u8>,
    /// ECDSA r | s over SHA-256, with s in the lower half of the order.
    pub signature: [u8; 64],
}

/// A key that may sign for a patient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Authenticator {
    /// A passkey: P-256 public key, SEC1 compressed.
    Passkey([u8; 33]),
    /// A program's or paper key: Ed25519.
    Ed25519(Ed25519Key),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Body {
    // ---- the network -------------------------------------------------------------------------
    /// A member proposes a change of the network; its own vote is included.
    Propose(Change),
    /// A member votes for a proposal, named by the command that made it.
    Vote {
        /// The command that proposed.
        proposal: CommandId,
        /// For or against.
        approve: bool,
    },
    /// One message of the custody ceremony (key generation or resharing), opaque to the ledger,
    /// which only orders it and remembers that this member spoke in this round.
    Ceremony {
        /// Ceremony number: 0 is the generation when the network is created.
        ceremony: u32,
        /// Round of the protocol.
        round: u8,
        /// At most `CEREMONY_BYTES_MAX`.
        message: Vec<u8>,
    },
    /// A member confirms the public result of a ceremony; with 2f+1 equal confirmations it is in
    /// force.
    ConfirmCustody {
        /// Ceremony number.
        ceremony: u32,
        /// The public polynomial, as `custody` encodes it; at most `CEREMONY_BYTES_MAX`.
        public: Vec<u8>,
    },
    /// Portable evidence that a steward answered wrongly; checked off the ledger by `custody`.
    Complain {
        /// The access it concerns.
        access: AccessId,
        /// The accused steward.
        steward: MemberId,
        /// At most `EVIDENCE_BYTES_MAX`.
        evidence: Vec<u8>,
    },

    // ---- patients ----------------------------------------------------------------------------
    /// A member opens an account for a patient at its desk and becomes a custodian of it.
    Enrol {
        /// 32 random bytes.
        patient: PatientId,
        /// The patient's keys, each once; none if the patient will claim the account later.
        authenticators: Vec<Authenticator>,
    },
    /// The enrolling member adds the first authenticator to an account that has none.
    Claim {
        /// The account.
        patient: PatientId,
        /// Its first key.
        authenticator: Authenticator,
    },
    /// A patient adds a key.
    AddAuthenticator(Authenticator),
    /// A patient removes a key; the last one stays.
    RemoveAuthenticator(Authenticator),
    /// A patient lets a member become a custodian of the account.
    Link(MemberId),

    // ---- records -----------------------------------------------------------------------------
    /// A custodian commits to a batch of records.
    Anchor {
        /// Sequence number of the batch's first record; must follow the last one without a gap.
        first: u64,
        /// Records in the batch, 1 to `ANCHOR_COUNT_MAX`.
        count: u32,
        /// RFC 6962 root over the records' commitments.
        root: Hash,
    },

    // ---- consent -----------------------------------------------------------------------------
    /// A patient consents.
    Grant(Terms),
    /// A patient withdraws a grant.
    Revoke(GrantId),
    /// A patient hides something from every reader but its custodian.
    Restrict {
        /// What is hidden.
        categories: CategorySet,
        /// At whom, in rising order, each once; empty means at every custodian.
        custodians: Vec<MemberId>,
    },
    /// A patient lifts a restriction.
    Lift(RestrictionId),

    // ---- access ------------------------------------------------------------------------------
    /// A reader asks to read.
    OpenAccess(Request),
    /// A reader asks to read in an emergency, without a grant.
    BreakGlass {
        /// Why asking was impossible.
        reason: EmergencyReason,
        /// What is asked for.
        request: Request,
    },
    /// A reader ends its own access early.
    CloseAccess {
        /// Whose records.
        patient: PatientId,
        /// Which access.
        access: AccessId,
    },

    // ---- erasure -----------------------------------------------------------------------------
    /// A custodian erases records that it wrote about a patient. From the block that accepts it on,
    /// nobody serves them and whoever holds them deletes them. What stays is their commitments,
    /// under the anchors of their batches.
    Erase {
        /// Whose records.
        patient: PatientId,
        /// Which, by the custodian's sequence numbers: 1 to `ERASE_RUNS_MAX` runs, in rising
        /// order, with something between each two.
        runs: Vec<Run>,
        /// Why.
        reason: ErasureReason,
    },
}

/// A change of the network that members vote on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Change {
    /// Admit a member; it validates from the next epoch on.
    Admit(Member),
    /// Remove a member; it stops validating at the next epoch.
    Remove(MemberId),
    /// Replace the registered signer origins and relying-party ids.
    Origins(Vec<Origin>),
}

/// A member organisation as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// Fixed id: SHA-256 over `"carestone/member/v1\n"` and the first command key.
    pub id: MemberId,
    /// Name shown to people.
    pub name: String,
    /// Signs commands.
    pub command_key: Ed25519Key,
    /// Signs blocks and speaks on the peer network.
    pub engine_key: Ed25519Key,
    /// Cosigns checkpoints.
    pub cosign_key: Ed25519Key,
    /// `host:port` of its peer port.
    pub address: String,
}

/// A place where patients may sign: a static page that shows the command before it asks for the
/// gesture.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Origin {
    /// As in `https://sign.example.org`.
    pub origin: String,
    /// Relying-party id, as in `example.org`.
    pub relying_party: String,
}

/// The terms of a grant.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Terms {
    /// Who may read.
    pub grantee: MemberId,
    /// What.
    pub categories: CategorySet,
    /// Whose records, in rising order, each once; empty means every custodian's.
    pub custodians: Vec<MemberId>,
    /// Why: at least one purpose, in rising order, each once.
    pub purposes: Vec<Purpose>,
    /// First block time at which it holds.
    pub from: BlockTime,
    /// Block time at which it no longer holds.
    pub until: BlockTime,
    /// How many accesses it allows; `None` is without limit.
    pub accesses_max: Option<u32>,
    /// SHA-256 of the sentence that the patient was shown.
    pub sentence: Hash,
}

/// A reader's request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Request {
    /// Whose records.
    pub patient: PatientId,
    /// What.
    pub categories: CategorySet,
    /// At whom, in rising order, each once; empty means at every linked custodian.
    pub custodians: Vec<MemberId>,
    /// Why; an emergency's is `EmergencyTreatment`.
    pub purpose: Purpose,
    /// Who, among the reader's staff.
    pub staff: StaffRef,
    /// For how long, in milliseconds; shortened to the grant's end and to `ACCESS_MS_MAX`.
    pub duration_ms: u64,
    /// Where the key shares are sealed to.
    pub reader_key: ReaderKey,
}

/// A reader's ephemeral key with proof of possession. One Ed25519 key pair signs, and its
/// Montgomery form receives HPKE; the two uses are jointly secure (Thormarker, ePrint 2021/509).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReaderKey {
    /// Ed25519 public key, fresh for this access.
    pub key: Ed25519Key,
    /// Ed25519 signature over
    /// `"carestone/reader-key/v1\n" | network | member | patient | nonce (le u64)`.
    pub possession: [u8; 64],
}

/// A run of records that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Run {
    /// Sequence number of the first.
    pub first: u64,
    /// How many, at least 1.
    pub count: u32,
}

impl Run {
    /// The sequence number after the last; none if there are not so many numbers.
    pub fn end(&self) -> Option<u64> {
        self.first.checked_add(self.count.into())
    }

    /// Whether a record is in it.
    pub fn contains(&self, sequence: u64) -> bool {
        sequence >= self.first && sequence - self.first < u64::from(self.count)
    }
}

/// Why records are erased. The words of the order itself stay with the custodian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ErasureReason {
    /// The patient asked for it.
    PatientRequest = 0,
    /// The records are of somebody else, and were filed under this patient by mistake.
    WrongPatient = 1,
    /// A court or an authority ordered it.
    LegalOrder = 2,
    /// They need not be, or may not be, kept any longer.
    RetentionEnded = 3,
    /// They should never have been stored: without a legal basis, or not a record at all.
    Unlawful = 4,
    /// They were made to try something out.
    TestData = 5,
}

/// Why asking the patient was impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum EmergencyReason {
    /// The patient is unconscious or cannot speak.
    Unresponsive = 0,
    /// Delay would endanger life or limb.
    ImmediateDanger = 1,
    /// The patient cannot decide and no delegate can be reached.
    NoCapacity = 2,
}
