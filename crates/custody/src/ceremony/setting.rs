//! What all members know before a ceremony begins, and what one member brings to it.

use core::fmt;

use commonware_codec::{Copying, Decode, Encode};
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{self, Output, Reveal},
    primitives::{
        sharing::{Mode, ModeVersion},
        variant::MinSig,
    },
};
use commonware_utils::{N3f1, ordered::Set};
use ed25519_zebra::SigningKey;
use hkdf::Hkdf;
use ledger::{Ed25519Key, MemberId, NetworkId, limits::MEMBERS_MAX};
use proof::Hash;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::party::Party;
use crate::{PublicKey, Share, key::players_max, sealed_box};

pub(super) type Info = feldman_desmedt::Info<MinSig, Party>;

/// The public setting of a ceremony: the same at every member, or they do not understand each
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonySetting {
    /// The network.
    pub network: NetworkId,
    /// The ceremony's number: it rises with every ceremony, also after one that failed.
    pub number: u32,
    /// Who will hold shares, in any order.
    pub members: Vec<CeremonyMember>,
    /// Height of the block that opened the ceremony: 0 for the one at the network's creation, and
    /// for one that repeats a failed one, the height at which that failed. Messages count from the
    /// next block on.
    pub opened: u64,
    /// How long the rounds stay open.
    pub windows: Windows,
    /// The custody key in force, if its secret is to be shared anew among other members; `None` for
    /// a new secret.
    pub previous: Option<PublicKey>,
}

/// A member and the key by which it signs its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CeremonyMember {
    /// The member.
    pub id: MemberId,
    /// Its Ed25519 command key: signs its part, and receives its shares.
    pub key: Ed25519Key,
}

/// How many blocks each round waits for members that are silent. A round in which everybody has
/// spoken closes at once.
///
/// The windows must be longer than any honest member may be out of touch: the shares of a member
/// that does not acknowledge in time are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Round 1, dealing.
    pub deal: u64,
    /// Round 2, acknowledging.
    pub acknowledge: u64,
    /// Round 3, publishing.
    pub publish: u64,
}

impl Default for Windows {
    /// An hour each, at one block a second.
    fn default() -> Windows {
        Windows { deal: 3_600, acknowledge: 3_600, publish: 3_600 }
    }
}

/// What a member needs to take part.
pub struct CeremonySelf {
    /// Which member.
    pub id: MemberId,
    /// Its command key.
    pub signing: Zeroizing<SigningKey>,
    /// Its share of the previous key, if it holds one.
    pub share: Option<Share>,
}

impl fmt::Debug for CeremonySelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CeremonySelf({:?}, [secret])", self.id)
    }
}

/// 32 random bytes from which a member's dealing follows. Draw it once for a ceremony and store it
/// before the first message leaves: a member that starts again with the same seed says the same.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CeremonySeed([u8; 32]);

impl CeremonySeed {
    /// Draws a seed.
    pub fn generate(rng: &mut impl CryptoRng) -> CeremonySeed {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        CeremonySeed(bytes)
    }

    /// The seed that was stored as these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> CeremonySeed {
        CeremonySeed(bytes)
    }

    /// The seed itself, to be stored as carefully as a share.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A ChaCha20 stream for one purpose in one setting. The same seed in another setting gives
    /// another stream, so that no polynomial is ever dealt twice.
    pub(super) fn stream(&self, setting: &CeremonySetting, purpose: &[u8]) -> ChaCha20Rng {
        let mut seed = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(SEED_DOMAIN), &self.0)
            .expand_multi_info(&[&setting.hash(), purpose], seed.as_mut())
            .expect("32 bytes are within the limit of HKDF");
        ChaCha20Rng::from_seed(*seed)
    }
}

impl fmt::Debug for CeremonySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CeremonySeed([secret])")
    }
}

/// A ceremony cannot be held like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No members, too many, or one of them twice.
    #[error("a ceremony needs between 1 and 64 members, each once")]
    Members,
    /// A member's key cannot sign or receive.
    #[error("the key of member {0} is not a usable Ed25519 key")]
    MemberKey(MemberId),
    /// Fewer of the previous stewards are still members than it takes to open a scope: the secret
    /// cannot be handed over.
    #[error(
        "only {left} of the {needed} stewards needed to hand over the secret are still members"
    )]
    TooFewStewards {
        /// Threshold of the previous key.
        needed: u32,
        /// Its stewards among the members.
        left: u32,
    },
    /// We are not among the members, or not with this key.
    #[error("this node is not among the members, or its key is not the one they know")]
    NotAMember,
    /// Our share is not of the previous key.
    #[error("this node's share does not belong to the previous custody key")]
    ForeignShare,
}

impl CeremonySetting {
    /// Commits to everything in the setting.
    pub(super) fn hash(&self) -> Hash {
        let mut bytes = SETTING_DOMAIN.to_vec();
        bytes.extend_from_slice(&self.network.0);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        let Windows { deal, acknowledge, publish } = self.windows;
        for number in [self.opened, deal, acknowledge, publish, self.members.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let mut members = self.members.clone();
        members.sort_unstable();
        for member in members {
            bytes.extend_from_slice(&member.id.0);
            bytes.extend_from_slice(&member.key);
        }
        bytes.extend(self.previous.iter().flat_map(PublicKey::hash));
        proof::sha256(&[&bytes])
    }

    /// The future holders of shares, by index.
    pub(super) fn players(&self) -> Result<Vec<Party>, SetupError> {
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            return Err(SetupError::Members);
        }
        let mut players = Vec::with_capacity(self.members.len());
        for member in &self.members {
            sealed_box::check(&member.key).map_err(|_| SetupError::MemberKey(member.id))?;
            let party = Party::new(&member.id, &member.key);
            players.push(party.ok_or(SetupError::MemberKey(member.id))?);
        }
        players.sort_unstable();
        let repeated = players.windows(2).any(|pair| pair[0].member() == pair[1].member());
        if repeated { Err(SetupError::Members) } else { Ok(players) }
    }

    /// Those who deal: all members, or in a resharing those that hold a share of the previous key.
    pub(super) fn dealers(&self, players: &[Party]) -> Result<Vec<Party>, SetupError> {
        let Some(previous) = &self.previous else { return Ok(players.to_vec()) };
        let holds = |party: &&Party| previous.index_of(&party.member()).is_some();
        let dealers: Vec<Party> = players.iter().filter(holds).cloned().collect();
        let (needed, left) = (previous.threshold(), count(&dealers));
        if left < needed { Err(SetupError::TooFewStewards { needed, left }) } else { Ok(dealers) }
    }

    /// The threshold library's view of the setting.
    pub(super) fn info(&self, dealers: &[Party], players: &[Party]) -> Result<Info, SetupError> {
        let namespace = [NAMESPACE, &self.network.0].concat();
        let previous = self.previous.as_ref().map(|key| previous_output(key, dealers)).transpose();
        Info::new::<N3f1>(
            &namespace,
            u64::from(self.number),
            previous?,
            Mode::NonZeroCounter,
            Reveal::V1,
            Set::from_iter_dedup(dealers.iter().cloned()),
            Set::from_iter_dedup(players.iter().cloned()),
        )
        .map_err(|_| SetupError::Members)
    }
}

pub(super) fn count(parties: &[Party]) -> u32 {
    u32::try_from(parties.len()).expect("a ceremony has few members")
}

/// The previous ceremony's output as the library keeps it, rebuilt from the key in force: the
/// library reads nothing of it but the polynomial and the places of the stewards, and offers its
/// encoding as the one way to make it.
fn previous_output(
    key: &PublicKey,
    dealers: &[Party],
) -> Result<Output<MinSig, Party>, SetupError> {
    let stewards = key.stewards().iter().map(|steward| {
        let dealer = dealers.iter().find(|dealer| dealer.member() == *steward);
        dealer.cloned().unwrap_or_else(|| Party::former(steward))
    });
    let stewards = Set::from_iter_dedup(stewards).encode();
    let revealed = Set::<Party>::default().encode();
    let parts: [&[u8]; 5] = [&key.hash(), &key.sharing().encode(), &stewards, &stewards, &revealed];
    Output::decode_cfg(Copying(&parts.concat()), &(players_max(), ModeVersion::v0()))
        .map_err(|_| SetupError::Members)
}

const NAMESPACE: &[u8] = b"carestone/ceremony/v1\n";
const SEED_DOMAIN: &[u8] = b"carestone/ceremony-seed/v1\n";
const SETTING_DOMAIN: &[u8] = b"carestone/ceremony-setting/v1\n";
