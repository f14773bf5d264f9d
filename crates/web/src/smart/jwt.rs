//! Signatures on JSON Web Tokens (RFC 7515, 7519), and the rules for what is inside.
//!
//! The signature is checked by `jsonwebtoken` with a list of algorithms that is ours and never the
//! token's; times are checked here, against the node's clock.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::Value;

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not a signed token, or not under an algorithm that is accepted.
    #[error("it is no token signed with one of the accepted algorithms")]
    Malformed,
    /// The key is not there.
    #[error("no key with its `kid` is known")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or wrong.
    #[error("its claim `{0}` is missing or wrong")]
    Claim(&'static str),
}

/// The key that a token names.
pub fn key_id(token: &str) -> Option<String> {
    decode_header(token).ok()?.kid
}

/// The claims of a token, if one of these keys signed it.
///
/// # Errors
/// [`JwtError`], but never for a claim: those are the caller's to check.
pub fn claims(token: &str, keys: &JwkSet, accepted: &[Algorithm]) -> Result<Value, JwtError> {
    let header = decode_header(token).map_err(|_| JwtError::Malformed)?;
    let is_critical = header.crit.is_some();
    if !accepted.contains(&header.alg) || is_critical {
        return Err(JwtError::Malformed);
    }
    let key = choose(keys, header.kid.as_deref(), header.alg).ok_or(JwtError::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| JwtError::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = decode::<Value>(token, &key, &validation).map_err(|_| JwtError::Signature)?;
    Ok(decoded.claims)
}

/// The key by its id; without an id, the only one that fits.
fn choose<'a>(keys: &'a JwkSet, id: Option<&str>, algorithm: Algorithm) -> Option<&'a Jwk> {
    let signs = |key: &&Jwk| {
        let common = &key.common;
        let for_signing = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let named = common.key_algorithm.map(|named| named.to_string());
        for_signing && named.is_none_or(|named| named == format!("{algorithm:?}"))
    };
    let mut fitting = keys.keys.iter().filter(signs).filter(|key| match id {
        Some(id) => key.common.key_id.as_deref() == Some(id),
        None => DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == algorithm.family()),
    });
    let first = fitting.next()?;
    if id.is_none() && fitting.next().is_some() { None } else { Some(first) }
}

/// What a claim says, if it is a text.
pub fn text<'a>(claims: &'a Value, name: &'static str) -> Result<&'a str, JwtError> {
    claims[name].as_str().ok_or(JwtError::Claim(name))
}

/// A claim that must be exactly this text.
pub fn is(claims: &Value, name: &'static str, expected: &str) -> Result<(), JwtError> {
    if text(claims, name)? == expected { Ok(()) } else { Err(JwtError::Claim(name)) }
}

/// A time in seconds since the Unix epoch. Some senders write fractions.
pub fn seconds(claims: &Value, name: &'static str) -> Result<u64, JwtError> {
    let seconds = claims[name].as_f64().filter(|seconds| (0.0..YEAR_5000_S).contains(seconds));
    seconds.map(|seconds| seconds as u64).ok_or(JwtError::Claim(name))
}

/// The audience, one or several.
pub fn audience(claims: &Value) -> Vec<&str> {
    match &claims["aud"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// No claim is about a later time: sums with it cannot overflow.
const YEAR_5000_S: f64 = 95_617_584_000.0;
