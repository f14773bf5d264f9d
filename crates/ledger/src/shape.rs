//! Bounds and forms that a command must keep whatever the state is.

use alloc::vec::Vec;

use crate::{
    Authenticator, Body, Change, Command, Ed25519Key, Member, MemberId, Origin, Reject, Request,
    Run, Signature, SignedCommand, Terms,
    limits::{
        ADDRESS_BYTES_MAX, ANCHOR_COUNT_MAX, AUTHENTICATOR_DATA_BYTES_MAX, AUTHENTICATORS_MAX,
        CEREMONY_BYTES_MAX, CLIENT_DATA_BYTES_MAX, CUSTODIANS_MAX, ERASE_CHUNKS_MAX,
        ERASE_RUNS_MAX, EVIDENCE_BYTES_MAX, GRANT_MS_MAX, NAME_BYTES_MAX, ORIGIN_BYTES_MAX,
        ORIGINS_MAX,
    },
    rules::erase::chunks,
};

/// Checks a whole command and its signature.
pub(crate) fn signed(signed: &SignedCommand) -> Result<(), Reject> {
    if let Signature::Passkey(assertion) = &signed.signature {
        at_most(&assertion.authenticator_data, AUTHENTICATOR_DATA_BYTES_MAX)?;
        at_most(&assertion.client_data, CLIENT_DATA_BYTES_MAX)?;
    }
    command(&signed.command)
}

fn command(command: &Command) -> Result<(), Reject> {
    match &command.body {
        Body::Propose(Change::Admit(candidate)) => member(candidate),
        Body::Propose(Change::Origins(list)) => origins(list),
        Body::Ceremony { message, .. } => bytes(message, CEREMONY_BYTES_MAX),
        Body::ConfirmCustody { public, .. } => bytes(public, CEREMONY_BYTES_MAX),
        Body::Complain { evidence, .. } => bytes(evidence, EVIDENCE_BYTES_MAX),
        Body::Enrol { authenticators, .. } => keys(authenticators),
        Body::Claim { authenticator, .. } | Body::AddAuthenticator(authenticator) => {
            key(authenticator)
        }
        Body::Anchor { count: 0, .. } => Err(Reject::BadTerms),
        Body::Anchor { count, .. } if *count > ANCHOR_COUNT_MAX => Err(Reject::OverLimit),
        Body::Grant(terms) => grant(terms),
        Body::Restrict { custodians, .. } => ids(custodians),
        Body::Erase { runs, .. } => erased(runs),
        Body::OpenAccess(asked) | Body::BreakGlass { request: asked, .. } => request(asked),
        Body::Propose(Change::Remove(_))
        | Body::Vote { .. }
        | Body::RemoveAuthenticator(_)
        | Body::Link(_)
        | Body::Anchor { .. }
        | Body::Revoke(_)
        | Body::Lift(_)
        | Body::CloseAccess { .. } => Ok(()),
    }
}

/// A member's name and address, bounded and without control characters, since they are shown to
/// people; and keys that only the member can sign with.
pub(crate) fn member(member: &Member) -> Result<(), Reject> {
    name(&member.name)?;
    text(&member.address, ADDRESS_BYTES_MAX)?;
    let keys = [&member.command_key, &member.engine_key, &member.cosign_key];
    if keys.into_iter().any(is_small_order) { Err(Reject::BadTerms) } else { Ok(()) }
}

/// A display name.
pub(crate) fn name(name: &str) -> Result<(), Reject> {
    text(name, NAME_BYTES_MAX)
}

/// The log's origin line, which is also a key name (`c2sp.org/signed-note`).
pub(crate) fn log_origin(origin: &str) -> Result<(), Reject> {
    text(origin, ORIGIN_BYTES_MAX)?;
    let forbidden = |sign: char| sign.is_whitespace() || sign == '+';
    if origin.chars().any(forbidden) { Err(Reject::BadTerms) } else { Ok(()) }
}

/// Signer origins: plain ASCII, so that they stand in `clientDataJSON` as they are, unescaped.
pub(crate) fn origins(origins: &[Origin]) -> Result<(), Reject> {
    if origins.len() > ORIGINS_MAX {
        return Err(Reject::OverLimit);
    }
    for Origin { origin, relying_party } in origins {
        plain(origin)?;
        plain(relying_party)?;
    }
    Ok(())
}

fn plain(line: &str) -> Result<(), Reject> {
    text(line, ORIGIN_BYTES_MAX)?;
    let unescaped = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if line.bytes().all(unescaped) { Ok(()) } else { Err(Reject::BadTerms) }
}

fn text(line: &str, bytes_max: usize) -> Result<(), Reject> {
    if line.len() > bytes_max {
        return Err(Reject::OverLimit);
    }
    let blank = line.trim().is_empty() || line.chars().any(char::is_control);
    if blank { Err(Reject::BadTerms) } else { Ok(()) }
}

fn grant(terms: &Terms) -> Result<(), Reject> {
    if terms.until.saturating_sub(terms.from) > GRANT_MS_MAX {
        return Err(Reject::OverLimit);
    }
    ids(&terms.custodians)?;
    rising(&terms.purposes)
}

/// A request's lists, and a reader key that only its holder can prove.
fn request(request: &Request) -> Result<(), Reject> {
    ids(&request.custodians)?;
    if is_small_order(&request.reader_key.key) { Err(Reject::NoPossession) } else { Ok(()) }
}

/// Runs of records have one encoding: in rising order, with something between each two.
fn erased(runs: &[Run]) -> Result<(), Reject> {
    if runs.len() > ERASE_RUNS_MAX {
        return Err(Reject::OverLimit);
    }
    if runs.is_empty() || runs.iter().any(|run| run.count == 0 || run.end().is_none()) {
        return Err(Reject::BadTerms);
    }
    let apart = |pair: &[Run]| pair[0].end().is_some_and(|end| end < pair[1].first);
    if !runs.windows(2).all(apart) {
        return Err(Reject::Malformed);
    }
    let few = chunks(runs).nth(ERASE_CHUNKS_MAX).is_none();
    if few { Ok(()) } else { Err(Reject::OverLimit) }
}

fn keys(authenticators: &[Authenticator]) -> Result<(), Reject> {
    if authenticators.len() > AUTHENTICATORS_MAX {
        return Err(Reject::OverLimit);
    }
    let mut sorted: Vec<&Authenticator> = authenticators.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Reject::BadTerms);
    }
    authenticators.iter().try_for_each(key)
}

/// A compressed point begins with 2 or 3 (SEC 1, section 2.3.3); others could never sign.
fn key(authenticator: &Authenticator) -> Result<(), Reject> {
    match authenticator {
        Authenticator::Passkey([2 | 3, ..]) => Ok(()),
        Authenticator::Ed25519(key) if !is_small_order(key) => Ok(()),
        _ => Err(Reject::BadTerms),
    }
}

/// Whether a key is a point of small order, in any of its encodings. The ZIP-215 rule accepts a
/// signature of zeros under such a key for any message, so everybody could sign with it.
fn is_small_order(key: &Ed25519Key) -> bool {
    let mut y = *key;
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

fn ids(members: &[MemberId]) -> Result<(), Reject> {
    if members.len() > CUSTODIANS_MAX {
        return Err(Reject::OverLimit);
    }
    rising(members)
}

/// A set has one encoding: in rising order, each member once.
fn rising<T: Ord>(list: &[T]) -> Result<(), Reject> {
    if list.is_sorted_by(|before, after| before < after) { Ok(()) } else { Err(Reject::Malformed) }
}

/// Opaque bytes: some, but not too many.
fn bytes(bytes: &[u8], bytes_max: usize) -> Result<(), Reject> {
    if bytes.is_empty() {
        return Err(Reject::BadTerms);
    }
    at_most(bytes, bytes_max)
}

fn at_most(bytes: &[u8], bytes_max: usize) -> Result<(), Reject> {
    if bytes.len() > bytes_max { Err(Reject::OverLimit) } else { Ok(()) }
}

/// The y coordinates, without the sign of x, that encode a point of order 1, 2, 4 or 8: 0, 1 and
/// -1, the two of order 8, and the forms p and p + 1 of 0 and 1.
const SMALL_ORDER: [Ed25519Key; 7] = [
    [0; 32],
    ends(0x01, 0x00, 0x00),
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// 32 bytes: the first, the last, and one value between them.
const fn ends(first: u8, between: u8, last: u8) -> Ed25519Key {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY};

    use super::*;

    #[test]
    fn every_small_order_point_is_known_in_every_encoding() {
        for point in EIGHT_TORSION {
            assert!(is_small_order(&point.compress().0));
        }
        for y in SMALL_ORDER {
            for sign in [0x00, 0x80] {
                let mut key = y;
                key[31] |= sign;
                let point = CompressedEdwardsY(key).decompress().expect("a point");
                assert!(point.is_small_order() && is_small_order(&key));
            }
        }
        let generator = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;
        assert!(!is_small_order(&generator.0));
    }

    #[test]
    fn no_other_encoding_of_a_small_order_point_exists() {
        // Non-canonical forms are p + y for y < 19, since 2^255 = p + 19.
        for offset in 0u8..19 {
            let key = ends(0xed + offset, 0xff, 0x7f);
            let decoded = CompressedEdwardsY(key).decompress();
            let small = decoded.is_some_and(|point| point.is_small_order());
            assert_eq!(is_small_order(&key), small, "p + {offset}");
        }
    }
}
