//! Why the ledger refuses a command: a closed list, each with words for people.

use borsh::{BorshDeserialize, BorshSerialize};

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Reject {
    // ---- stateless: never ordered ------------------------------------------------------------
    /// Not the one strict encoding of a command.
    #[error("the command is not encoded as the format demands; encode it with a current client")]
    Malformed = 0,
    /// A limit of `limits` is exceeded.
    #[error("the command exceeds a limit; ask for less or split it")]
    OverLimit = 1,
    /// The command is for another network.
    #[error("the command is meant for another network; sign it for this one")]
    WrongNetwork = 2,
    /// The signature does not verify.
    #[error("the signature does not verify; sign the command again")]
    BadSignature = 3,
    /// The passkey was used on a page that is not a registered signer, or was asked for a login.
    #[error(
        "the passkey was used on a page that may not sign; open the signer page of the network"
    )]
    ForeignOrigin = 4,
    /// The reader's key comes without proof of possession.
    #[error("the reader key comes without proof of possession; make a fresh key and prove it")]
    NoPossession = 5,

    // ---- replay ------------------------------------------------------------------------------
    /// Expired, or its expiry lies too far ahead.
    #[error("the command is outside its time window; check the clock and sign it again")]
    OutsideWindow = 16,
    /// Ordered before.
    #[error("the command was ordered before; look up what became of it")]
    Replayed = 17,
    /// Not the account's next nonce.
    #[error("the nonce is not the account's next one; read the account and sign again")]
    WrongNonce = 18,

    // ---- who ---------------------------------------------------------------------------------
    /// The author is not a member or account of this network.
    #[error("the author is not known to the network; enrol the patient or admit the member first")]
    UnknownAuthor = 32,
    /// The key is not (or no longer) one of the author's.
    #[error("the key may not sign for this author; use one of the author's keys")]
    WrongKey = 33,
    /// This kind of author may not ask for this.
    #[error("the author may not ask for this; ask whoever may")]
    NotAllowed = 34,

    // ---- what --------------------------------------------------------------------------------
    /// The member named does not exist.
    #[error("the member is not known to the network; check the id or propose its admission")]
    UnknownMember = 48,
    /// The patient named does not exist.
    #[error("the patient is not known to the network; check the id or enrol the patient")]
    UnknownPatient = 49,
    /// The grant named does not exist or is over.
    #[error("the grant does not exist or is no longer in force; list the grants")]
    UnknownGrant = 50,
    /// The restriction named does not exist.
    #[error("the restriction does not exist; list the restrictions")]
    UnknownRestriction = 51,
    /// The access named does not exist or is over.
    #[error("the access does not exist or has ended; open a new one")]
    UnknownAccess = 52,
    /// The proposal named does not exist or is decided.
    #[error("the proposal does not exist or is decided; list the proposals")]
    UnknownProposal = 53,
    /// It exists already.
    #[error("it exists already; nothing is left to do")]
    Exists = 54,
    /// The anchor leaves a gap or overlaps.
    #[error("the anchor does not follow the last one; read the anchor head and start there")]
    Gap = 55,
    /// A list is full.
    #[error("a list is full; remove something from it first")]
    Full = 56,
    /// The terms contradict themselves or name nothing.
    #[error("the terms contradict themselves or name nothing; correct them")]
    BadTerms = 57,
    /// The account's last key cannot be removed.
    #[error("the account's last key cannot be removed; add another key first")]
    LastKey = 58,
    /// The member may not be removed: the network would have none.
    #[error("the network's last member cannot be removed; admit another one first")]
    LastMember = 59,
    /// The custody ceremony named is over, or the member has gone on to a later one.
    #[error("the custody ceremony is over for this member; join the next one")]
    UnknownCeremony = 60,
    /// The key named is not one of the account's.
    #[error("the key is not one of the account's; list the account's keys")]
    UnknownKey = 61,
    /// The records named are not anchored yet, or there are none of these numbers.
    #[error("the records are not anchored yet; wait for their anchor")]
    NotAnchored = 62,
    /// A record named was erased before.
    #[error("a record was erased before; leave it out")]
    Erased = 63,
}

impl Reject {
    /// Every reason, in the order of its code.
    pub const ALL: &[Reject] = &[
        Reject::Malformed,
        Reject::OverLimit,
        Reject::WrongNetwork,
        Reject::BadSignature,
        Reject::ForeignOrigin,
        Reject::NoPossession,
        Reject::OutsideWindow,
        Reject::Replayed,
        Reject::WrongNonce,
        Reject::UnknownAuthor,
        Reject::WrongKey,
        Reject::NotAllowed,
        Reject::UnknownMember,
        Reject::UnknownPatient,
        Reject::UnknownGrant,
        Reject::UnknownRestriction,
        Reject::UnknownAccess,
        Reject::UnknownProposal,
        Reject::Exists,
        Reject::Gap,
        Reject::Full,
        Reject::BadTerms,
        Reject::LastKey,
        Reject::LastMember,
        Reject::UnknownCeremony,
        Reject::UnknownKey,
        Reject::NotAnchored,
        Reject::Erased,
    ];

    /// Whether the refusal is the command's one outcome; see
    /// [`Outcome::settles`](crate::Outcome::settles). What does not settle comes before the command
    /// is known to be its author's and in its place.
    pub fn settles(self) -> bool {
        !matches!(
            self,
            Reject::Malformed
                | Reject::OverLimit
                | Reject::WrongNetwork
                | Reject::BadSignature
                | Reject::ForeignOrigin
                | Reject::NoPossession
                | Reject::OutsideWindow
                | Reject::Replayed
                | Reject::WrongNonce
                | Reject::UnknownAuthor
                | Reject::WrongKey
        )
    }
}
