//! From partials to opening keys: recover first, check the result once, and look for a culprit only
//! when the check fails.

use std::collections::BTreeMap;

use commonware_cryptography::bls12381::primitives::{
    group::G1,
    ops::{batch, threshold, verify_message},
    variant::{MinSig, PartialSignature},
};
use commonware_parallel::Sequential;
use commonware_utils::{Participant, iter::NonEmpty};
use rand_core::CryptoRng;

use crate::{Answer, Identity, OpeningKey, Partial, PublicKey, verify_partial};

/// One opening key, and who tried to prevent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Opens the seals of the identity.
    pub key: OpeningKey,
    /// Indices whose partials turned out bad, rising. Bad partials beyond the threshold may stay
    /// unnoticed, because nobody needed them.
    pub culprits: Vec<u32>,
}

/// Too few good partials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{good} good partials of the {threshold} needed; ask more stewards")]
pub struct RecoverError {
    /// How many partials of distinct stewards it takes.
    pub threshold: u32,
    /// How many distinct partials were given and not found bad.
    pub good: u32,
    /// Indices whose partials are bad, rising.
    pub culprits: Vec<u32>,
}

/// Recovers the opening key of one identity.
///
/// # Errors
/// [`RecoverError`] if fewer than the threshold of the partials are good.
pub fn recover(
    public: &PublicKey,
    identity: &Identity,
    partials: &[Partial],
) -> Result<Recovered, RecoverError> {
    let (points, mut culprits) = parse_all(public, partials);
    let message = identity.to_bytes();
    if let Some(signature) = combine(public, &points)
        && verify_message::<MinSig>(public.group(), Identity::DOMAIN, &message, &signature).is_ok()
    {
        return Ok(Recovered { key: OpeningKey::new(*identity, signature), culprits });
    }
    let verified = |partial: &&Partial| verify_partial(public, identity, partial).is_ok();
    let (good, bad): (Vec<&Partial>, Vec<&Partial>) = partials.iter().partition(verified);
    culprits.extend(bad.iter().map(|partial| partial.index));
    culprits.sort_unstable();
    culprits.dedup();
    let good: Vec<Partial> = good.into_iter().copied().collect();
    let (points, _) = parse_all(public, &good);
    match combine(public, &points) {
        Some(signature) => Ok(Recovered { key: OpeningKey::new(*identity, signature), culprits }),
        None => Err(RecoverError {
            threshold: public.threshold(),
            good: u32::try_from(points.len()).unwrap_or(u32::MAX),
            culprits,
        }),
    }
}

/// The opening keys of a whole access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredAll {
    /// One key for each identity that enough stewards answered, in the order asked.
    pub keys: Vec<OpeningKey>,
    /// Identities that too few stewards answered, in the order asked.
    pub missing: Vec<Identity>,
    /// Indices of stewards with a bad partial; [`crate::Complaint::find`] makes the evidence.
    pub culprits: Vec<u32>,
}

/// Recovers the opening keys of many identities from the answers of several stewards, and checks
/// all of them with one pairing product. If that fails, each answer is checked for itself, the bad
/// ones are dropped, and the rest must do.
///
/// Only one answer of each steward counts, the first.
pub fn recover_all(
    rng: &mut impl CryptoRng,
    public: &PublicKey,
    identities: &[Identity],
    answers: &[Answer],
) -> RecoveredAll {
    let mut readings = read_all(public, answers);
    let mut culprits = drop_bad(&mut readings, |reading| reading.malformed);
    let mut signatures = combine_all(public, identities, &readings);
    if !holds(rng, public, &signatures) {
        let mut bad = drop_bad(&mut readings, |reading| !reading.verify(rng, public));
        culprits.append(&mut bad);
        signatures = combine_all(public, identities, &readings);
    }
    culprits.sort_unstable();
    let missing = identities.iter().filter(|id| !signatures.iter().any(|(of, _)| of == *id));
    let missing = missing.copied().collect();
    let keys = signatures.into_iter().map(|(of, signature)| OpeningKey::new(of, signature));
    RecoveredAll { keys: keys.collect(), missing, culprits }
}

/// An answer with its points decoded.
struct Reading {
    index: u32,
    points: BTreeMap<Identity, PartialSignature<MinSig>>,
    malformed: bool,
}

impl Reading {
    fn verify(&self, rng: &mut impl CryptoRng, public: &PublicKey) -> bool {
        let messages: Vec<_> = self.points.iter().map(|(id, p)| (id.to_bytes(), p)).collect();
        let entries: Vec<(&[u8], &[u8], PartialSignature<MinSig>)> = messages
            .iter()
            .map(|(message, point)| (Identity::DOMAIN, message.as_slice(), (*point).clone()))
            .collect();
        let Some(entries) = NonEmpty::try_new(entries.iter()) else { return true };
        let (sharing, index) = (public.sharing(), Participant::new(self.index));
        threshold::batch_verify_same_signer(rng, sharing, index, entries, &Sequential).is_ok()
    }
}

fn read_all(public: &PublicKey, answers: &[Answer]) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    for answer in answers {
        if readings.iter().any(|reading| reading.index == answer.index()) {
            continue;
        }
        let mut reading =
            Reading { index: answer.index(), points: BTreeMap::new(), malformed: false };
        for (identity, partial) in answer.partials() {
            match partial.parse(public) {
                Ok(point) => drop(reading.points.insert(identity, point)),
                Err(_) => reading.malformed = true,
            }
        }
        readings.push(reading);
    }
    readings
}

fn drop_bad(readings: &mut Vec<Reading>, mut bad: impl FnMut(&Reading) -> bool) -> Vec<u32> {
    readings.extract_if(.., |reading| bad(reading)).map(|reading| reading.index).collect()
}

fn combine_all(
    public: &PublicKey,
    identities: &[Identity],
    readings: &[Reading],
) -> Vec<(Identity, G1)> {
    let recovered = identities.iter().filter_map(|identity| {
        let points = readings.iter().filter_map(|reading| reading.points.get(identity));
        let points: Vec<_> = points.cloned().collect();
        combine(public, &points).map(|signature| (*identity, signature))
    });
    recovered.collect()
}

/// Interpolates the signature from the lowest `threshold` indices; unchecked.
fn combine(public: &PublicKey, points: &[PartialSignature<MinSig>]) -> Option<G1> {
    threshold::recover::<MinSig, _>(public.sharing(), points, &Sequential).ok()
}

/// Whether all signatures verify under the group key, in one pairing product with random weights.
fn holds(rng: &mut impl CryptoRng, public: &PublicKey, signatures: &[(Identity, G1)]) -> bool {
    let messages: Vec<_> = signatures.iter().map(|(id, s)| (id.to_bytes(), *s)).collect();
    let entries = messages.iter().map(|(message, s)| (Identity::DOMAIN, message.as_slice(), *s));
    let Some(entries) = NonEmpty::try_new(entries) else { return true };
    batch::verify_same_signer::<_, MinSig, _>(rng, public.group(), entries, &Sequential).is_ok()
}

/// The decoded partials, one per index, and the indices of those that do not decode.
fn parse_all(
    public: &PublicKey,
    partials: &[Partial],
) -> (Vec<PartialSignature<MinSig>>, Vec<u32>) {
    let mut points = BTreeMap::new();
    let mut culprits = Vec::new();
    for partial in partials {
        match partial.parse(public) {
            Ok(point) => drop(points.entry(partial.index).or_insert(point)),
            Err(_) => culprits.push(partial.index),
        }
    }
    (points.into_values().collect(), culprits)
}
