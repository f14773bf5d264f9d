//! How a ceremony ends.

use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{self, Failure},
    primitives::{group, variant::MinSig},
};
use ledger::MemberId;

use super::party::Party;
use crate::{PublicKey, Share};

type Output = feldman_desmedt::Output<MinSig, Party>;

/// What a ceremony leads to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The custody key, the same at every member.
    pub public: PublicKey,
    /// Our share; none for an observer, or for a member that lost the key its shares were sealed
    /// to.
    pub share: Option<Share>,
    /// Whose dealings the key is made of.
    pub dealers: Vec<MemberId>,
    /// Members whose shares can be computed from what was published; at most f honest ones.
    pub exposed: Vec<MemberId>,
}

/// Why a ceremony leads to nothing. Hold another one, with the next number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyFailure {
    /// Fewer usable dealings than a key is made of.
    #[error("{found} usable dealings of the {required} needed; hold another ceremony")]
    TooFewDealings {
        /// Dealings it takes.
        required: u32,
        /// Dealings there are.
        found: u32,
        /// Dealers whose signed logs are provably wrong.
        faulty: Vec<MemberId>,
        /// Dealers without a usable log.
        silent: Vec<MemberId>,
    },
    /// The dealings cancel each other out, which no more happens by chance than a guessed key.
    #[error("the dealings do not add up to a key; hold another ceremony")]
    Degenerate,
}

/// The outcome as the members name it. A share that is not of the key is lost, not handed out.
pub(super) fn conclude(
    output: &Output,
    share: Option<group::Share>,
) -> Result<Outcome, CeremonyFailure> {
    let stewards = output.players().iter().map(Party::member).collect();
    let public = PublicKey::new(output.public().clone(), stewards)
        .map_err(|_| CeremonyFailure::Degenerate)?;
    let share = share.map(Share::new).filter(|share| share.check(&public).is_ok());
    let dealers = output.dealers().iter().map(Party::member).collect();
    let exposed = output.revealed().iter().map(Party::member).collect();
    Ok(Outcome { public, share, dealers, exposed })
}

pub(super) fn name_failure(failure: Failure<Party>) -> CeremonyFailure {
    let Failure::InsufficientLogs { required, found, faults, unavailable } = failure;
    CeremonyFailure::TooFewDealings {
        required,
        found,
        faulty: faults.iter().map(Party::member).collect(),
        silent: unavailable.iter().map(Party::member).collect(),
    }
}
