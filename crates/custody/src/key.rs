//! The network's custody key: public polynomial, shares, threshold.

use core::{fmt, num::NonZeroU32};

use commonware_codec::{Copying, Decode, Encode, EncodeFixed};
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::deal,
    primitives::{
        group,
        sharing::{Mode, ModeVersion, Sharing},
        variant::{MinSig, Variant},
    },
};
use commonware_math::algebra::Additive;
use commonware_utils::{Faults, N3f1, Participant, ordered::Set};
use ledger::{MemberId, limits::MEMBERS_MAX};
use proof::Hash;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The public half of the custody key: a polynomial over BLS12-381 G2 and the stewards whose shares
/// are its values.
///
/// A steward's *index* is its rank among the stewards, sorted by member id; it stays the same while
/// a member changes its signing keys. To open a scope takes [`PublicKey::threshold`] of them.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    sharing: Sharing<MinSig>,
    stewards: Vec<MemberId>,
    hash: Hash,
}

/// The bytes, or the parts, are not a custody key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the one strict encoding.
    #[error("the bytes are not encoded as the format demands")]
    Malformed,
    /// The stewards are none, too many, repeated or out of order, or the polynomial does not fit
    /// them.
    #[error("the stewards and the polynomial do not fit each other")]
    Stewards,
    /// The share is not a value of this polynomial.
    #[error("the share does not belong to this custody key")]
    ForeignShare,
}

impl PublicKey {
    /// Shares it takes to open a scope: n - f with f = (n - 1) / 3, that is 2f + 1 of 3f + 1.
    ///
    /// One steward opens alone. Two or three tolerate no fault (f = 0), so all of them are needed:
    /// the rule is the one by which the same members order commands, and a smaller threshold would
    /// let a minority open what the majority never saw on its ledger.
    pub fn threshold(&self) -> u32 {
        self.sharing.required()
    }

    /// How many shares there are.
    pub fn players(&self) -> u32 {
        self.sharing.total().get()
    }

    /// The stewards, by index.
    pub fn stewards(&self) -> &[MemberId] {
        &self.stewards
    }

    /// The index of this member's share.
    pub fn index_of(&self, member: &MemberId) -> Option<u32> {
        self.stewards.binary_search(member).ok().and_then(|index| u32::try_from(index).ok())
    }

    /// SHA-256 over `"carestone/custody-key/v1\n"` and the encoding: what members confirm.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether both keys open the same seals: true between the keys before and after a resharing.
    pub fn same_secret(&self, other: &PublicKey) -> bool {
        self.group() == other.group()
    }

    /// The encoding: format 1 | sharing as the threshold library writes it | n member ids of 32.
    ///
    /// With 64 stewards 6,183 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.sharing, &self.stewards)
    }

    /// Reads [`PublicKey::to_bytes`] strictly: one key has one encoding.
    ///
    /// # Errors
    /// [`KeyError`] if anything deviates.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let Some((&FORMAT, rest)) = bytes.split_first() else { return Err(KeyError::Malformed) };
        // The library writes the mode, then the number of players as four bytes, big endian.
        let count = rest.get(1..5).and_then(|count| count.try_into().ok()).map(u32::from_be_bytes);
        let count = count.and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= MEMBERS_MAX).ok_or(KeyError::Malformed)?;
        let split = rest.len().checked_sub(32 * count).ok_or(KeyError::Malformed)?;
        let (sharing, stewards) = rest.split_at(split);
        let sharing = Sharing::decode_cfg(Copying(sharing), &(players_max(), ModeVersion::v0()))
            .map_err(|_| KeyError::Malformed)?;
        let (stewards, _) = stewards.as_chunks::<32>();
        let key = PublicKey::new(sharing, stewards.iter().copied().map(MemberId).collect())?;
        if key.to_bytes() == bytes { Ok(key) } else { Err(KeyError::Malformed) }
    }

    pub(crate) fn new(
        sharing: Sharing<MinSig>,
        stewards: Vec<MemberId>,
    ) -> Result<PublicKey, KeyError> {
        let count = u32::try_from(stewards.len()).ok().filter(|_| stewards.len() <= MEMBERS_MAX);
        let fits = count.is_some_and(|n| n > 0 && sharing.total().get() == n);
        let rising = stewards.windows(2).all(|pair| pair[0] < pair[1]);
        let zero = <MinSig as Variant>::Public::zero();
        if !fits || !rising || sharing.required() != N3f1::quorum(stewards.len()) {
            return Err(KeyError::Stewards);
        }
        if *sharing.public() == zero {
            return Err(KeyError::Malformed);
        }
        let hash = proof::sha256(&[KEY_DOMAIN, &encode(&sharing, &stewards)]);
        Ok(PublicKey { sharing, stewards, hash })
    }

    pub(crate) fn sharing(&self) -> &Sharing<MinSig> {
        &self.sharing
    }

    /// The group key: the constant of the polynomial, to which scopes are sealed.
    pub(crate) fn group(&self) -> &<MinSig as Variant>::Public {
        self.sharing.public()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} of {})", self.threshold(), self.players())
    }
}

/// One steward's share of the custody secret. Erased from memory when dropped.
#[derive(Clone)]
pub struct Share(group::Share);

impl Share {
    /// Length of [`Share::to_bytes`].
    pub const BYTES: usize = 36;

    /// Whose share it is: the steward's index in the [`PublicKey`].
    pub fn index(&self) -> u32 {
        self.0.index.get()
    }

    /// For the steward's own key file: index 4, little endian | scalar 32, big endian.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Share::BYTES]> {
        let mut bytes = Zeroizing::new([0; Share::BYTES]);
        bytes[..4].copy_from_slice(&self.index().to_le_bytes());
        let scalar = Zeroizing::new(self.0.private.encode_fixed::<32>());
        bytes[4..].copy_from_slice(scalar.as_ref());
        bytes
    }

    /// Reads [`Share::to_bytes`].
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if the scalar is zero or not reduced.
    pub fn from_bytes(bytes: &[u8; Share::BYTES]) -> Result<Share, KeyError> {
        let [a, b, c, d, scalar @ ..] = bytes;
        let index = Participant::new(u32::from_le_bytes([*a, *b, *c, *d]));
        let private = group::Private::decode_cfg(Copying(scalar), &());
        Ok(Share(group::Share::new(index, private.map_err(|_| KeyError::Malformed)?)))
    }

    /// Checks that this share is the value of the polynomial at its index.
    ///
    /// # Errors
    /// [`KeyError::ForeignShare`] if it is not.
    pub fn check(&self, public: &PublicKey) -> Result<(), KeyError> {
        match public.sharing.partial_public(self.0.index) {
            Ok(expected) if expected == self.0.public::<MinSig>() => Ok(()),
            _ => Err(KeyError::ForeignShare),
        }
    }

    pub(crate) fn new(share: group::Share) -> Share {
        Share(share)
    }

    pub(crate) fn inner(&self) -> &group::Share {
        &self.0
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({}, [secret])", self.index())
    }
}

/// Makes a custody key whose dealer knows every share: for the network of one member, where the
/// dealer is the only steward, and for tests. Networks of several members hold a
/// [`crate::Ceremony`].
///
/// The shares come back by index.
///
/// # Errors
/// [`KeyError::Stewards`] if the stewards are none, too many or repeated.
pub fn danger_deal(
    rng: &mut impl CryptoRng,
    stewards: &[MemberId],
) -> Result<(PublicKey, Vec<Share>), KeyError> {
    if stewards.len() > MEMBERS_MAX {
        return Err(KeyError::Stewards);
    }
    let players = Set::try_from(stewards).map_err(|_| KeyError::Stewards)?;
    let stewards: Vec<MemberId> = players.iter().copied().collect();
    let (output, shares) = deal::<MinSig, _, N3f1>(rng, Mode::NonZeroCounter, players)
        .map_err(|_| KeyError::Stewards)?;
    let shares = shares.values().iter().cloned().map(Share).collect();
    Ok((PublicKey::new(output.public().clone(), stewards)?, shares))
}

fn encode(sharing: &Sharing<MinSig>, stewards: &[MemberId]) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&sharing.encode());
    stewards.iter().for_each(|steward| bytes.extend_from_slice(&steward.0));
    bytes
}

pub(crate) fn players_max() -> NonZeroU32 {
    const { NonZeroU32::new(MEMBERS_MAX as u32).expect("a network may have members") }
}

const FORMAT: u8 = 1;
const KEY_DOMAIN: &[u8] = b"carestone/custody-key/v1\n";
