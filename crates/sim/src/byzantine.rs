//! What cheating looks like: honest answers twisted, and answers made up. Signed and sealed as the
//! formats say, from their description and not with the product's code, which would refuse.

use borsh::BorshDeserialize;
use curve25519_dalek::edwards::CompressedEdwardsY;
use custody::{Identity, Steward};
use flows::{Answer, Ask, Refusal, ScopeEpoch};
use hpke::{Deserializable, Kem, OpModeS, Serializable, kem::X25519HkdfSha256};
use ledger::{
    AccessId, Category, MemberId, PatientId, Scope, Signature, SignedCommand, sign::SigningKey,
};
use rand_core::CryptoRng;

use crate::Conduct;

/// A steward's answer: each identity with what is claimed to be its partial.
pub type Items = Vec<(Identity, [u8; 48])>;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The access.
    pub access: AccessId,
    /// Whose records.
    pub patient: PatientId,
    /// Where to seal to.
    pub key: [u8; 32],
}

/// What a cheating member says instead of the honest answer.
pub fn twist(
    conduct: Conduct,
    request: &[u8],
    honest: Vec<u8>,
    steward: Option<(&Steward, &SigningKey)>,
    reader: Option<Reader>,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let Ok(ask) = Ask::try_from_slice(request) else { return honest };
    match (conduct, ask) {
        (Conduct::Mute, _) => Vec::new(),
        (Conduct::ChangedEnvelopes, Ask::Fetch { .. }) => changed(&honest),
        (
            Conduct::BadPartials | Conduct::OtherScopes | Conduct::EmptyAnswers,
            Ask::Open { scopes, .. },
        ) => {
            let (Some((steward, signing)), Some(reader)) = (steward, reader) else { return honest };
            let items = lies(conduct, steward, reader.patient, &scopes);
            let sealed = seal_answer(steward, signing, reader, &items, rng);
            Answer::Opened(sealed).encode()
        }
        _ => honest,
    }
}

/// Everybody may put a signature of their own under a command: its id does not cover it.
pub fn resign(command: &[u8], own: &SigningKey) -> Option<Vec<u8>> {
    let signed = SignedCommand::try_from_slice(command).ok()?;
    let forged = signed.command.sign(own);
    (forged.signature != signed.signature).then(|| forged.encode())
}

/// A page with one bit of each envelope changed.
fn changed(honest: &[u8]) -> Vec<u8> {
    let Ok(Answer::Page(mut page)) = Answer::try_from_slice(honest) else {
        return honest.to_vec();
    };
    for record in &mut page.records {
        if let Some(byte) = record.envelope.last_mut() {
            *byte ^= 1;
        }
    }
    Answer::Page(page).encode()
}

/// What a lying steward claims about the scopes that it was asked for.
fn lies(conduct: Conduct, steward: &Steward, patient: PatientId, scopes: &[ScopeEpoch]) -> Items {
    let identity = |scope: &ScopeEpoch| {
        let ScopeEpoch { custodian, category, epoch } = *scope;
        let scope = Scope { patient, custodian, category };
        Identity { network: steward.network(), scope, epoch }
    };
    let asked = scopes.iter().map(identity);
    match conduct {
        Conduct::BadPartials => asked.map(|id| (id, steward.partial(&id.at(99)).bytes)).collect(),
        Conduct::OtherScopes => {
            let other = asked.map(|mut id| {
                id.scope.category = Category::Genetics;
                id.at(id.epoch + 1)
            });
            other.map(|id| (id, steward.partial(&id).bytes)).collect()
        }
        _ => Items::new(),
    }
}

/// An answer as its format describes it, properly signed and sealed, whatever it says.
pub fn seal_answer(
    steward: &Steward,
    signing: &SigningKey,
    reader: Reader,
    items: &Items,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut plain = (items.len() as u32).to_le_bytes().to_vec();
    for (identity, partial) in items {
        plain.extend(identity.to_bytes());
        plain.extend(partial);
    }
    let network = steward.network();
    let (access, member) = (reader.access, steward.member());
    plain.extend(sign(steward, signing, access, items));
    let info = [b"carestone/sealed-answer/v1\n".as_slice(), &network.0, &access.0].concat();
    seal_to(&reader.key, &info, member, &plain, rng).unwrap_or_default()
}

fn sign(steward: &Steward, signing: &SigningKey, access: AccessId, items: &Items) -> [u8; 64] {
    let leaf = |(identity, partial): &(Identity, [u8; 48])| {
        proof::tree::leaf_hash(&[identity.to_bytes().as_slice(), partial].concat())
    };
    let leaves: Vec<_> = items.iter().map(leaf).collect();
    let count = (items.len() as u64).to_le_bytes();
    let (root, key) = (proof::tree::root(&leaves), steward.public().hash());
    let (network, member) = (steward.network(), steward.member());
    let domain = b"carestone/answer/v1\n".as_slice();
    let message = [domain, &network.0, &access.0, &member.0, &key, &count, &root].concat();
    signing.sign(&message).to_bytes()
}

/// HPKE to the Montgomery form of an Ed25519 key: encapsulated key, then ciphertext.
fn seal_to(
    key: &[u8; 32],
    info: &[u8],
    from: MemberId,
    plain: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let point = CompressedEdwardsY(*key).decompress()?.to_montgomery().to_bytes();
    let recipient = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&point).ok()?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &recipient, info, plain, &from.0, rng)
    .ok()?;
    Some([encapsulated.to_bytes().to_vec(), sealed].concat())
}

/// Whether a command carries this member's own signature.
pub fn is_own(command: &[u8], own: &SigningKey) -> bool {
    let own: [u8; 32] = ledger::sign::VerificationKey::from(own).into();
    SignedCommand::try_from_slice(command).is_ok_and(
        |signed| matches!(signed.signature, Signature::Ed25519 { key, .. } if key == own),
    )
}

/// An honest refusal, as bytes.
pub fn refused() -> Vec<u8> {
    Answer::Refused(Refusal::Unavailable).encode()
}
