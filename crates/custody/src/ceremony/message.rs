//! The three messages of a ceremony, as they travel in ledger commands.

use core::num::NonZeroU32;

use commonware_codec::{Copying, Decode, Encode, EncodeSize, Read};
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{DealerPrivMsg, DealerPubMsg, PlayerAck, SignedDealerLog},
    primitives::variant::MinSig,
};
use ledger::limits::CEREMONY_BYTES_MAX;

use super::party::Party;
use crate::sealed_box;

/// Round 1: the commitment to a dealer's polynomial, and each player's value of it, sealed.
///
/// Format 1 | commitment as the library writes it | one box of 80 bytes for each player, by index.
/// With 64 members 9,250 bytes.
pub(super) struct Dealing {
    pub(super) commitment: DealerPubMsg<MinSig>,
    pub(super) boxes: Vec<SealedShare>,
}

/// A share in an HPKE box.
pub(super) type SealedShare = [u8; SEALED_SHARE_BYTES];

impl Dealing {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let commitment = self.commitment.encode();
        [&[FORMAT], commitment.as_ref(), self.boxes.as_flattened()].concat()
    }

    /// Reads a dealing for this many players.
    pub(super) fn from_bytes(bytes: &[u8], players: NonZeroU32) -> Option<Dealing> {
        let mut rest = Copying(body(bytes)?);
        let commitment = DealerPubMsg::read_cfg(&mut rest, &players).ok()?;
        let (boxes, odd) = rest.0.as_chunks::<SEALED_SHARE_BYTES>();
        let fits = odd.is_empty() && u32::try_from(boxes.len()) == Ok(players.get());
        fits.then(|| Dealing { commitment, boxes: boxes.to_vec() })
    }
}

/// The value in an opened box.
pub(super) fn share_from_bytes(bytes: &[u8]) -> Option<DealerPrivMsg> {
    DealerPrivMsg::decode_cfg(Copying(bytes), &()).ok()
}

/// Round 2: a player's signatures on the dealings whose share it opened and checked.
///
/// Format 1 | for each such dealer, rising: its number 1 | Ed25519 signature 64. With 64 members
/// 4,161 bytes.
pub(super) struct Acknowledgements(pub(super) Vec<(u8, PlayerAck<Party>)>);

impl Acknowledgements {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        for (dealer, signature) in &self.0 {
            bytes.push(*dealer);
            bytes.extend_from_slice(&signature.encode());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Acknowledgements> {
        let (items, odd) = body(bytes)?.as_chunks::<ACKNOWLEDGEMENT_BYTES>();
        let rising = items.windows(2).all(|pair| pair[0][0] < pair[1][0]);
        if !odd.is_empty() || !rising {
            return None;
        }
        let items = items.iter().map(|[dealer, signature @ ..]| {
            let signature = PlayerAck::decode_cfg(Copying(signature), &()).ok()?;
            Some((*dealer, signature))
        });
        items.collect::<Option<_>>().map(Acknowledgements)
    }
}

/// Round 3: a dealer's signed log of who acknowledged its dealing, with the bare shares of those
/// who did not, at most f.
///
/// Format 1 | the log as the library writes it. With 64 members 12,517 bytes.
pub(super) struct PublishedLog(pub(super) SignedDealerLog<MinSig, Party>);

impl PublishedLog {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&[FORMAT], self.0.encode().as_ref()].concat()
    }

    /// Reads a log of this dealer about this commitment: both stand in front, so that a dealer can
    /// publish nothing about a polynomial other than the one it dealt in round 1.
    pub(super) fn from_bytes(
        bytes: &[u8],
        dealer: &Party,
        commitment: &DealerPubMsg<MinSig>,
        players: NonZeroU32,
    ) -> Option<PublishedLog> {
        let log = body(bytes)?;
        let mut front = Vec::with_capacity(dealer.encode_size() + commitment.encode_size());
        front.extend_from_slice(dealer);
        front.extend_from_slice(&commitment.encode());
        if !log.starts_with(&front) {
            return None;
        }
        SignedDealerLog::decode_cfg(Copying(log), &players).ok().map(PublishedLog)
    }
}

/// A message without its format byte; nothing if the format or the length is not ours.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [FORMAT, body @ ..] if bytes.len() <= CEREMONY_BYTES_MAX => Some(body),
        _ => None,
    }
}

const FORMAT: u8 = 1;
const SEALED_SHARE_BYTES: usize = 32 + sealed_box::OVERHEAD;
const ACKNOWLEDGEMENT_BYTES: usize = 1 + 64;
