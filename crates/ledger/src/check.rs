//! Everything about a command that needs no state: encoding, limits, network, signatures.
//!
//! Members run this before they order a command. Whether the author exists, whether the key is the
//! author's, and whether the rules allow it, is decided when the command is applied.

use alloc::vec::Vec;
use core::convert::Infallible;

use ed25519_zebra::batch::{Item, Verifier};
use proof::Hash;
use rand_core::{TryCryptoRng, TryRng};

use crate::{
    Authenticator, Author, Body, Command, CommandId, NetworkId, Origin, Reject, Signature,
    SignedCommand, codec,
    limits::COMMAND_BYTES_MAX,
    passkey::{self, Place},
    shape, sign,
};

/// What the check must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckContext {
    network: NetworkId,
    origins: Option<Vec<Origin>>,
}

impl CheckContext {
    /// For the validity of blocks: depends on nothing that could differ between honest members. The
    /// signer origin of a passkey is left to [`apply`](crate::apply), since members at different
    /// heights may know different origins.
    pub fn for_blocks(network: NetworkId) -> Self {
        Self { network, origins: None }
    }

    /// For the door, where commands come in: refuses at once what the given registered origins,
    /// those of the member's newest state, would refuse later.
    pub fn for_submission(network: NetworkId, origins: Vec<Origin>) -> Self {
        Self { network, origins: Some(origins) }
    }
}

/// A command that passed the check: well-formed, within the limits, and truly signed by the key it
/// carries. Made by [`check`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    id: CommandId,
    command: Command,
    signer: Authenticator,
    place: Option<Place>,
}

impl Checked {
    /// The command's id.
    pub fn id(&self) -> CommandId {
        self.id
    }

    /// The command.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The key that signed.
    pub fn signer(&self) -> &Authenticator {
        &self.signer
    }

    /// Where it was signed, if by a passkey.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// Checks one command.
///
/// # Errors
///
/// One of the stateless reasons: [`Reject::Malformed`], [`Reject::OverLimit`],
/// [`Reject::BadTerms`], [`Reject::WrongNetwork`], [`Reject::BadSignature`],
/// [`Reject::ForeignOrigin`], [`Reject::NoPossession`].
pub fn check(bytes: &[u8], context: &CheckContext) -> Result<Checked, Reject> {
    Claim::read(bytes, context)?.prove()
}

/// Checks many commands, which costs about half as much for each: one equation for all Ed25519
/// signatures, one by one only if it does not hold. The answers are those of [`check`]: the ZIP-215
/// rule makes both ways agree on every signature.
pub fn check_batch(commands: &[&[u8]], context: &CheckContext) -> Vec<Result<Checked, Reject>> {
    let claims: Vec<_> = commands.iter().map(|bytes| Claim::read(bytes, context)).collect();
    let sound = claims.iter().flatten().flat_map(|claim| &claim.proofs);
    let all_hold = hold(sound, coefficients(&claims));
    let settle = |claim: Claim| if all_hold { Ok(claim.checked) } else { claim.prove() };
    claims.into_iter().map(|claim| claim.and_then(settle)).collect()
}

/// A command that is sound but for its Ed25519 signatures.
struct Claim {
    checked: Checked,
    /// Hash over everything that the proofs are about, and the proofs.
    transcript: Hash,
    proofs: Vec<Proof>,
}

struct Proof {
    item: Item,
    otherwise: Reject,
}

impl Claim {
    fn read(bytes: &[u8], context: &CheckContext) -> Result<Claim, Reject> {
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(Reject::OverLimit);
        }
        let (signed, id) = decode(bytes)?;
        if signed.command.network != context.network {
            return Err(Reject::WrongNetwork);
        }
        shape::signed(&signed)?;
        let mut proofs = Vec::with_capacity(2);
        let (signer, place) = match &signed.signature {
            Signature::Ed25519 { key, signature } => {
                let message = sign::signature_message(&id);
                proofs.push(Proof::new(key, signature, &message, Reject::BadSignature));
                (Authenticator::Ed25519(*key), None)
            }
            Signature::Passkey(assertion) => {
                let place = passkey::verify(assertion, &id)?;
                registered(&place, context)?;
                (assertion.authenticator(), Some(place))
            }
        };
        proofs.extend(possession(&signed.command));
        let transcript = proof::sha256(&[bytes]);
        let checked = Checked { id, command: signed.command, signer, place };
        Ok(Claim { checked, transcript, proofs })
    }

    fn prove(self) -> Result<Checked, Reject> {
        for Proof { item, otherwise } in self.proofs {
            item.verify_single().map_err(|_| otherwise)?;
        }
        Ok(self.checked)
    }
}

impl Proof {
    fn new(key: &[u8; 32], signature: &[u8; 64], message: &[u8], otherwise: Reject) -> Proof {
        let signature = ed25519_zebra::Signature::from_bytes(signature);
        Proof { item: Item::from(((*key).into(), signature, message)), otherwise }
    }
}

/// The command and its id, from exactly its own bytes.
fn decode(bytes: &[u8]) -> Result<(SignedCommand, CommandId), Reject> {
    let mut rest = bytes;
    let command = codec::decode_prefix(&mut rest).map_err(|_| Reject::Malformed)?;
    let id = sign::id_of(&bytes[..bytes.len() - rest.len()]);
    let signature = codec::decode(rest).map_err(|_| Reject::Malformed)?;
    Ok((SignedCommand { command, signature }, id))
}

fn registered(place: &Place, context: &CheckContext) -> Result<(), Reject> {
    match &context.origins {
        Some(origins) if !origins.iter().any(|origin| place.is(origin)) => {
            Err(Reject::ForeignOrigin)
        }
        _ => Ok(()),
    }
}

/// The proof that the author holds the reader key, if the command brings one.
fn possession(command: &Command) -> Option<Proof> {
    let (Body::OpenAccess(request) | Body::BreakGlass { request, .. }) = &command.body else {
        return None;
    };
    let author = match &command.author {
        Author::Member(member) => &member.0,
        Author::Patient(patient) => &patient.0,
    };
    let message =
        sign::possession_message(&command.network, author, &request.patient, command.nonce);
    let reader = &request.reader_key;
    Some(Proof::new(&reader.key, &reader.possession, &message, Reject::NoPossession))
}

fn hold<'a>(proofs: impl Iterator<Item = &'a Proof>, coefficients: Coefficients) -> bool {
    let mut verifier = Verifier::new();
    proofs.for_each(|proof| verifier.queue(proof.item.clone()));
    verifier.verify(coefficients).is_ok()
}

/// The coefficients of the batch equation: a hash of everything that it is about, so that nobody
/// can choose a signature after its coefficient (the Fiat-Shamir way). No randomness is needed.
struct Coefficients {
    seed: Hash,
    drawn: u64,
}

fn coefficients(claims: &[Result<Claim, Reject>]) -> Coefficients {
    let parts: Vec<&[u8]> = core::iter::once(BATCH_DOMAIN)
        .chain(claims.iter().flatten().map(|claim| claim.transcript.as_slice()))
        .collect();
    Coefficients { seed: proof::sha256(&parts), drawn: 0 }
}

impl Coefficients {
    fn draw(&mut self) -> Hash {
        self.drawn += 1;
        proof::sha256(&[&self.seed, &self.drawn.to_le_bytes()])
    }
}

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = self.draw();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}

const BATCH_DOMAIN: &[u8] = b"carestone/batch/v1\n";
