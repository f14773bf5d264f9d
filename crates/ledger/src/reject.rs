//! Why the ledger refuses a command: a closed list, each with words for people.

use borsh::{BorshDeserialize, BorshSerialize};

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Reject {
    // ---- stateless: never ordered ------------------------------------------------------------
    /// Not the one strict encoding of a command.
    #[error("the command is not encoded as the format demands")]
    Malformed = 0,
    /// A limit of `limits` is exceeded.
    #[error("the command exceeds a limit")]
    OverLimit = 1,
    /// The command is for another network.
    #[error("the command is meant for another network")]
    WrongNetwork = 2,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature = 3,
    /// The passkey was used on a page that is not a registered signer, or was asked for a login.
    #[error("the passkey was used on a page that may not sign consents")]
    ForeignOrigin = 4,
    /// The reader's key comes without proof of possession.
    #[error("the reader key comes without proof of possession")]
    NoPossession = 5,

    // ---- replay ------------------------------------------------------------------------------
    /// Expired, or its expiry lies too far ahead.
    #[error("the command is outside its time window")]
    OutsideWindow = 16,
    /// Ordered before.
    #[error("the command was ordered before")]
    Replayed = 17,
    /// Not the account's next nonce.
    #[error("the nonce is not the account's next one")]
    WrongNonce = 18,

    // ---- who ---------------------------------------------------------------------------------
    /// The author is not a member or account of this network.
    #[error("the author is not known to the network")]
    UnknownAuthor = 32,
    /// The key is not (or no longer) one of the author's.
    #[error("the key may not sign for this author")]
    WrongKey = 33,
    /// This kind of author may not ask for this.
    #[error("the author may not ask for this")]
    NotAllowed = 34,

    // ---- what --------------------------------------------------------------------------------
    /// The member named does not exist.
    #[error("the member is not known to the network")]
    UnknownMember = 48,
    /// The patient named does not exist.
    #[error("the patient is not known to the network")]
    UnknownPatient = 49,
    /// The grant named does not exist or is over.
    #[error("the grant does not exist or is no longer in force")]
    UnknownGrant = 50,
    /// The restriction named does not exist.
    #[error("the restriction does not exist")]
    UnknownRestriction = 51,
    /// The access named does not exist or is over.
    #[error("the access does not exist or has ended")]
    UnknownAccess = 52,
    /// The proposal named does not exist or is decided.
    #[error("the proposal does not exist or is decided")]
    UnknownProposal = 53,
    /// It exists already.
    #[error("it exists already")]
    Exists = 54,
    /// The anchor leaves a gap or overlaps.
    #[error("the anchor does not follow the custodian's last one")]
    Gap = 55,
    /// A list is full.
    #[error("a list is full")]
    Full = 56,
    /// The terms contradict themselves or name nothing.
    #[error("the terms contradict themselves or name nothing")]
    BadTerms = 57,
    /// The account's last key cannot be removed.
    #[error("the account's last key cannot be removed")]
    LastKey = 58,
    /// The member may not be removed: the network would have none.
    #[error("the network's last member cannot be removed")]
    LastMember = 59,
    /// The custody ceremony named is over, or the member has gone on to a later one.
    #[error("the custody ceremony is over for this member")]
    UnknownCeremony = 60,
    /// The key named is not one of the account's.
    #[error("the key is not one of the account's")]
    UnknownKey = 61,
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
    ];

    /// Whether the refusal is the command's one outcome; see
    /// [`Outcome::settles`](crate::Outcome::settles). What does not settle comes before the command is
    /// known to be its author's and in its place.
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
