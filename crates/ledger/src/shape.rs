//! Bounds and forms that a command must keep whatever the state is.

use alloc::{string::String, vec::Vec};

use crate::{
    Authenticator, Body, Change, Command, Member, MemberId, Origin, Reject, Request, Signature,
    SignedCommand, Terms,
    limits::{
        ADDRESS_BYTES_MAX, ANCHOR_COUNT_MAX, AUTHENTICATOR_DATA_BYTES_MAX, AUTHENTICATORS_MAX,
        CEREMONY_BYTES_MAX, CLIENT_DATA_BYTES_MAX, CUSTODIANS_MAX, EVIDENCE_BYTES_MAX,
        NAME_BYTES_MAX, ORIGIN_BYTES_MAX, ORIGINS_MAX,
    },
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

/// A member's name and address: bounded, shown to people, and so without control characters.
pub(crate) fn member(member: &Member) -> Result<(), Reject> {
    name(&member.name)?;
    text(&member.address, ADDRESS_BYTES_MAX)
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

fn plain(line: &String) -> Result<(), Reject> {
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
    ids(&terms.custodians)?;
    rising(&terms.purposes)
}

fn request(request: &Request) -> Result<(), Reject> {
    ids(&request.custodians)
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
        Authenticator::Passkey([2 | 3, ..]) | Authenticator::Ed25519(_) => Ok(()),
        Authenticator::Passkey(_) => Err(Reject::BadTerms),
    }
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
