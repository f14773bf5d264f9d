//! Who can open: the network's custody key, its shares, and what they open.
//!
//! The records of a scope are encrypted under keys that follow from a scope secret; the secret is
//! sealed to the scope's name; and the key of that seal is the network's threshold signature on the
//! name. Nobody holds it. It comes into being when a threshold of stewards each sign, for a reader
//! whose access is final on their own ledgers.
//!
//! The crate is pure computation: randomness, messages and block heights are inputs, nothing is
//! read or written, and nothing waits. It is the only crate that names the threshold scheme.
//!
//! # Layout
//! - `identity`: [`Scope`] and [`Identity`], what is signed.
//! - `key`: [`PublicKey`], [`Share`], and the dealer for the network of one.
//! - `secret`: [`ScopeSecret`], [`record_key`], and the chain back through the epochs.
//! - `seal`: [`seal`](fn@seal) and [`open`].
//! - `steward`: [`Steward`] and its [`Partial`]s.
//! - `recover`: from partials to [`OpeningKey`]s.
//! - `reader`: [`ReaderSecret`], the key pair of one access.
//! - `answer`: a steward's signed answer, sealed to the reader.
//! - `complaint`: evidence of a bad partial, and its judgement.
//! - `ceremony`: how the members make the key together, so that nobody ever holds it.

mod identity;
mod key;
mod secret;

mod recover;
mod seal;
mod steward;

mod answer;
mod complaint;
mod reader;
mod sealed_box;

mod ceremony;

pub use answer::{
    ANSWER_IDENTITIES_MAX, Answer, AnswerError, Question, RefuseError, SealedAnswer, answer,
    open_answer,
};
pub use ceremony::{
    Ceremony, CeremonyFailure, CeremonyMember, CeremonyMessage, CeremonySeed, CeremonySelf,
    CeremonySetting, Outcome, Reception, Round, SetupError, Windows,
};
pub use complaint::{Complaint, EvidenceError, Verdict, judge};
pub use identity::{Identity, InvalidIdentity};
pub use key::{KeyError, PublicKey, Share, danger_deal};
pub use ledger::Scope;
pub use reader::ReaderSecret;
pub use recover::{RecoverError, Recovered, RecoveredAll, recover, recover_all};
pub use seal::{OpenError, OpeningKey, SealedScope, open, seal};
pub use sealed_box::UnusableKey;
pub use secret::{ChainError, ChainLink, ScopeSecret, chain_previous, record_key, walk_back};
pub use steward::{Partial, PartialFault, Steward, verify_partial};
