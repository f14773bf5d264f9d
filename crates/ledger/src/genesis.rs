//! How a network begins.

use alloc::{string::String, vec, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    BlockTime, Key, Member, NetworkId, NetworkState, Origin, Reject, codec, limits::MEMBERS_MAX,
    rules, shape,
};

/// Everything that the founding members agree on before the first block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// Name shown to people.
    pub name: String,
    /// Origin line of the log's checkpoints, as in `example.org/carestone`; no spaces, no `+`.
    pub origin: String,
    /// The founding members, in the order of their ids.
    pub members: Vec<Member>,
    /// Where patients may sign; without any, only program keys can sign for patients.
    pub origins: Vec<Origin>,
    /// When it was written, in milliseconds since the Unix epoch; block times come after it.
    pub created_ms: BlockTime,
    /// Blocks per epoch, at least 1.
    pub epoch_blocks: u64,
}

impl Genesis {
    /// The network's id: `H("carestone/genesis/v1\n" | borsh(genesis))`.
    pub fn id(&self) -> NetworkId {
        NetworkId(proof::sha256(&[GENESIS_DOMAIN, &codec::encode(self)]))
    }

    /// Checks what the rules would check if the members had been admitted one by one.
    ///
    /// # Errors
    ///
    /// [`Reject::OverLimit`] for too many or too long parts, [`Reject::BadTerms`] for parts that
    /// contradict each other, [`Reject::Exists`] for two members with a key or id in common,
    /// [`Reject::Malformed`] for members out of order.
    pub fn validate(&self) -> Result<(), Reject> {
        shape::name(&self.name)?;
        shape::log_origin(&self.origin)?;
        shape::origins(&self.origins)?;
        if self.members.len() > MEMBERS_MAX {
            return Err(Reject::OverLimit);
        }
        if self.members.is_empty() || self.epoch_blocks == 0 {
            return Err(Reject::BadTerms);
        }
        if !self.members.is_sorted_by(|before, after| before.id < after.id) {
            return Err(Reject::Malformed);
        }
        for (index, member) in self.members.iter().enumerate() {
            shape::member(member)?;
            rules::network::admissible(&self.members[..index], member)?;
        }
        Ok(())
    }

    /// The state before the first block, in the order of the keys.
    pub fn initial_state(&self) -> Vec<(Key, Vec<u8>)> {
        let network = NetworkState {
            network: self.id(),
            name: self.name.clone(),
            origin: self.origin.clone(),
            epoch_blocks: self.epoch_blocks,
            members: self.members.clone(),
            proposals: Vec::new(),
            origins: self.origins.clone(),
            custody: None,
            speakers: Vec::new(),
        };
        vec![(Key::Network, codec::encode(&network))]
    }
}

const GENESIS_DOMAIN: &[u8] = b"carestone/genesis/v1\n";
